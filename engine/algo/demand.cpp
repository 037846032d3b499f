#include "algo/demand.hpp"

#include <algorithm>

namespace perilune::algo {

uint32_t PoolDemand::on_tick(uint32_t used, uint32_t idle) {
  on_used(used);
  const auto mean = static_cast<uint32_t>((uint64_t{estimate_} + peak_) / 2);
  estimate_ = std::max(mean, peak_);
  peak_ = used;
  const uint64_t open = uint64_t{used} + idle;
  const uint64_t excess = open > estimate_ ? open - estimate_ : 0;
  return std::min(idle, static_cast<uint32_t>((excess + 1) / 2));
}

}  // namespace perilune::algo
