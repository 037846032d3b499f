#pragma once

#include <cmath>
#include <cstdint>

namespace perilune::algo {

/// What a target of this weight (not 0) bids for a key: `draw` is a hash of both. The highest bid wins, each
/// target with a probability in proportion to its weight, and a target that goes or comes moves only keys
/// from it or to it. With u uniform in (0, 1) out of the draw that is -weight / ln(u): weighted rendezvous
/// hashing. (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.)
inline double rendezvous_bid(uint64_t draw, uint32_t weight) {
  const double uniform = (static_cast<double>(draw >> 11) + 0.5) * 0x1p-53;
  return -static_cast<double>(weight) / std::log(uniform);
}

}  // namespace perilune::algo
