#pragma once

#include <cstdint>

#include "base/limits.hpp"

namespace perilune::algo {

struct SlowStart {
  Duration window = Duration::zero();  ///< 0: off
  double aggression = 1;               ///< above 0; 1: linear; more: fast at first
  uint32_t percent_min = limits::slow_start_percent_min;
};

/// What all weights of a cluster are multiplied by while one of its endpoints is starting slowly, since a
/// weight of 1 cannot be less: at 100, steps of a percent.
inline constexpr uint32_t slow_start_scale = 100;

/// Whether an endpoint that joined so long ago is still within the window.
inline bool is_starting_slowly(Duration age, const SlowStart& rules) { return age < rules.window; }

/// The weight of an endpoint that joined the cluster, or became healthy, so long ago: `weight` times
/// max(percent_min, (age / window) ^ (1 / aggression)), rounded, at least 1. A weight of 0 stays 0, an age
/// below 0 is 0. Source: the formula is Envoy's, "Slow start mode".
uint32_t slow_start_weight(uint32_t weight, Duration age, const SlowStart& rules);

}  // namespace perilune::algo
