#include "algo/backoff.hpp"

#include <algorithm>

#include "algo/draw.hpp"

namespace perilune::algo {

Duration backoff(uint32_t retry, uint64_t random, const Backoff& rules) {
  Duration longest = rules.base;
  // Doubling stops at the maximum, hence never overflows; 0 would double for ever.
  for (uint32_t i = 1; i < retry && longest > Duration::zero() && longest < rules.max; ++i)
    longest = longest > rules.max / 2 ? rules.max : longest * 2;
  longest = std::clamp(longest, Duration::zero(), std::max(Duration::zero(), rules.max));
  return Duration(static_cast<Duration::rep>(draw_below(random, static_cast<uint64_t>(longest.count()) + 1)));
}

std::optional<Duration> backoff_after(Duration retry_after, uint32_t retry, uint64_t random,
                                      const Backoff& rules) {
  if (retry_after > rules.retry_after_max) return std::nullopt;
  return std::max(Duration::zero(), retry_after) + backoff(retry, random, rules);
}

}  // namespace perilune::algo
