#pragma once

#include <algorithm>

#include "algo/draw.hpp"
#include "base/time.hpp"

namespace perilune::algo {

/// `span` more or less `percent` of it (0 to 100, held to that), evenly by 64 random bits: so that what began
/// together does not go on together. `span` is at most a century, as from_seconds gives it.
inline Duration jittered(Duration span, double percent, uint64_t random) {
  const double share = std::clamp(percent, 0.0, 100.0) / 100 * (2 * draw_unit(random) - 1);
  return span + Duration(static_cast<Duration::rep>(static_cast<double>(span.count()) * share));
}

}  // namespace perilune::algo
