#pragma once

#include <cstdint>

#include "base/limits.hpp"

namespace perilune::algo {

enum class Health : uint8_t { Unknown, Healthy, Unhealthy };
enum class CheckResult : uint8_t { Passed, Failed };

/// Results in a row that change the state; 0 is taken as 1.
struct HealthThresholds {
  uint32_t rise = limits::health_rise;
  uint32_t fall = limits::health_fall;
};

/// The state of an endpoint by its active checks. The very first result decides at once: a cluster that has
/// just started must not wait for several rounds. Later it takes as many in a row as the thresholds say.
class HealthCounter {
 public:
  explicit HealthCounter(const HealthThresholds& thresholds = {}) : thresholds_(thresholds) {}

  /// True when the state is another one now.
  bool observe(CheckResult result);

  Health state() const { return state_; }

  /// How many results in a row have been against the state.
  uint32_t against() const { return against_; }

 private:
  HealthThresholds thresholds_;
  Health state_ = Health::Unknown;
  uint32_t against_ = 0;
};

}  // namespace perilune::algo
