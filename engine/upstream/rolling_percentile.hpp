#pragma once

#include <optional>

#include "algo/percentile.hpp"
#include "base/time.hpp"

namespace perilune::upstream {

/// A percentile of what was observed lately: within the last one to two windows of 30 s. Times from 100 us to
/// about a minute, exact to a fifth.
class RollingPercentile {
 public:
  RollingPercentile();
  void observe(Duration took, Instant now);
  /// Duration::max() with fewer than 20 observations: too few to say what is unusual.
  Duration at(double percent) const;

 private:
  static constexpr Duration window = std::chrono::seconds(30);
  static constexpr uint64_t observations_min = 20;

  algo::Percentile current_;
  algo::Percentile before_;
  Instant begun_{};
};

}  // namespace perilune::upstream
