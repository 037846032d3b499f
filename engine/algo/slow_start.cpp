#include "algo/slow_start.hpp"

#include <algorithm>
#include <cmath>

namespace perilune::algo {

uint32_t slow_start_weight(uint32_t weight, Duration age, const SlowStart& rules) {
  if (weight == 0 || !is_starting_slowly(age, rules)) return weight;
  const double gone = std::max(0.0, to_seconds(age) / to_seconds(rules.window));
  const double share = std::max(rules.percent_min / 100.0, std::pow(gone, 1 / rules.aggression));
  // percent_min may be above 100 by a script's mistake: never more than the weight.
  const double scaled = std::round(weight * std::min(1.0, share));
  return std::max(uint32_t{1}, static_cast<uint32_t>(scaled));
}

}  // namespace perilune::algo
