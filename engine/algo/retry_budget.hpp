#pragma once

#include <algorithm>
#include <cstdint>

#include "base/limits.hpp"

namespace perilune::algo {

/// How many retries a cluster may have in progress: a share of its requests in progress and waiting, but
/// always a few. Statement 115 of the pools survey; source: Envoy's retry budget, with its defaults.
struct RetryBudget {
  uint32_t percent = limits::retry_budget_percent;
  uint32_t retries_min = limits::retries_min;

  constexpr uint64_t retries_max(uint64_t active, uint64_t pending) const {
    return std::max<uint64_t>(retries_min, (active + pending) * percent / 100);
  }

  /// Whether one more may begin while `retries` are in progress.
  constexpr bool allows(uint64_t retries, uint64_t active, uint64_t pending) const {
    return retries < retries_max(active, pending);
  }
};

}  // namespace perilune::algo
