#pragma once

#include <cstdint>

#include "base/limits.hpp"

namespace perilune::algo {

/// How many idle connections nobody needs: every `demand_interval` half of what is open beyond the most that
/// were used at once lately closes. Steady load closes none; after a burst the idle ones halve with each
/// tick. Statement 57 of the pools survey; source: HAProxy's purge of idle connections.
class PoolDemand {
 public:
  /// The number in use after every change upwards.
  void on_used(uint32_t used) { peak_ = used > peak_ ? used : peak_; }

  /// An interval is over. How many to close, the ones idle longest first; never more than `idle`.
  uint32_t on_tick(uint32_t used, uint32_t idle);

  /// What the pool reckons with: the mean of peaks, the last ones counting most, and at least the last.
  uint32_t estimate() const { return estimate_; }

 private:
  uint32_t peak_ = 0;  // in this interval
  uint32_t estimate_ = 0;
};

}  // namespace perilune::algo
