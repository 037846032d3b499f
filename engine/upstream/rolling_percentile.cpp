#include "upstream/rolling_percentile.hpp"

#include <vector>

namespace perilune::upstream {
namespace {

algo::Percentile make() {
  std::vector<double> bounds;
  for (double bound = 0.0001; bound < 60; bound *= 1.2) bounds.push_back(bound);
  return algo::Percentile::make(std::move(bounds)).value();
}

}  // namespace

RollingPercentile::RollingPercentile() : current_(make()), before_(make()) {}

void RollingPercentile::observe(Duration took, Instant now) {
  if (now - begun_ >= window) {
    std::swap(before_, current_);
    current_.reset();
    begun_ = now;
  }
  current_.observe(to_seconds(took));
}

Duration RollingPercentile::at(double percent) const {
  const algo::Percentile& known = current_.count() >= before_.count() ? current_ : before_;
  if (known.count() < observations_min) return Duration::max();
  const auto seconds = known.calculate(percent);
  return seconds ? std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds))
                 : Duration::max();
}

}  // namespace perilune::upstream
