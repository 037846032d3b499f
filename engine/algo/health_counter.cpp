#include "algo/health_counter.hpp"

#include <algorithm>

namespace perilune::algo {

bool HealthCounter::observe(CheckResult result) {
  const Health shown = result == CheckResult::Passed ? Health::Healthy : Health::Unhealthy;
  if (shown == state_) {
    against_ = 0;
    return false;
  }
  ++against_;
  const uint32_t needed = shown == Health::Healthy ? thresholds_.rise : thresholds_.fall;
  if (state_ != Health::Unknown && against_ < std::max(uint32_t{1}, needed)) return false;
  state_ = shown;
  against_ = 0;
  return true;
}

}  // namespace perilune::algo
