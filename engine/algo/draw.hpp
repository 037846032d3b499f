#pragma once

#include <cstdint>

#include "algo/hash.hpp"

namespace perilune::algo {

/// A number from 0 to `bound` - 1 out of 64 random bits; 0 when the bound is 0. Each comes equally often, but
/// for a difference of bound / 2^64. (Lemire, "Fast random integer generation in an interval", 2019, without
/// the rejection.)
constexpr uint64_t draw_below(uint64_t random, uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(static_cast<Wide>(random) * bound >> 64);
}

/// A number from 0 up to but not including 1. A double holds 53 bits without rounding, so 53 are used.
constexpr double draw_unit(uint64_t random) { return static_cast<double>(random >> 11) * 0x1p-53; }

/// The next bits of the sequence that begins with `random`: one draw from the dice is enough for several
/// decisions. (SplitMix64's step, with this room's finaliser.)
constexpr uint64_t draw_next(uint64_t random) { return mix(random + 0x9e3779b97f4a7c15ULL); }

}  // namespace perilune::algo
