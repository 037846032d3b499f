#include "algo/percentile.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace perilune::algo {

Result<Percentile> Percentile::make(std::vector<double> bounds) {
  if (bounds.empty())
    return Error{ErrorCode::ScriptError, Side::Script, "a percentile needs at least one bucket"};
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (!std::isfinite(bounds[i]))
      return Error{ErrorCode::ScriptError, Side::Script,
                   "bucket " + std::to_string(i + 1) + " is not a finite number"};
    if (i > 0 && bounds[i] <= bounds[i - 1])
      return Error{ErrorCode::ScriptError, Side::Script,
                   "bucket " + std::to_string(i + 1) + " is not above the one before it"};
  }
  return Percentile(std::move(bounds));
}

Percentile::Percentile(std::vector<double> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size(), 0) {}

void Percentile::observe(double value) {
  if (std::isnan(value)) return;
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  const auto bucket = std::min(static_cast<size_t>(bound - bounds_.begin()), bounds_.size() - 1);
  ++counts_[bucket];
  ++count_;
}

std::optional<double> Percentile::calculate(double percent) const {
  if (count_ == 0) return std::nullopt;
  const double share = percent > 0 ? std::min(percent, 100.0) / 100 : 0;
  const double rank = share * static_cast<double>(count_);

  double before = 0;
  double lower = std::min(0.0, bounds_.front());
  for (size_t i = 0; i < bounds_.size(); ++i) {
    const auto here = static_cast<double>(counts_[i]);
    if (here > 0 && rank <= before + here) return lower + (bounds_[i] - lower) * ((rank - before) / here);
    before += here;
    lower = bounds_[i];
  }
  return bounds_.back();
}

void Percentile::reset() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
}

}  // namespace perilune::algo
