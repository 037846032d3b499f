#pragma once

#include <cstdint>

#include "base/time.hpp"

namespace perilune::loop {

/// What drives a loop: the kernel's readiness (net) or a simulated world (sim).
class Driver {
 public:
  virtual ~Driver() = default;

  /// Waits until something is ready, `deadline` passes or wake() is called. A deadline in the past only
  /// polls; Instant::max() waits for ever.
  virtual void wait(Instant deadline) = 0;
  /// Hands out what became ready: at most one turn's worth (limits::turn_events_max, turn_time_max). What is
  /// left makes the next wait return at once.
  virtual void dispatch() = 0;
  /// Between turns and at the end of one: events of the last wait are still to be handed out.
  virtual bool has_events_left() const { return false; }
  /// Ends the current or next wait. The only call that other threads may make.
  virtual void wake() = 0;
  virtual Instant now() = 0;
  /// Seconds since 1970-01-01 UTC, for logs, Date fields and scripts.
  virtual double wall_seconds() = 0;
  /// 64 random bits: from the kernel-seeded generator, or from the simulation's seed.
  virtual uint64_t random() = 0;
};

}  // namespace perilune::loop
