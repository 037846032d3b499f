#pragma once

#include <cstddef>
#include <vector>

#include "base/time.hpp"

namespace perilune::loop {

class Timers;

/// Something that happens at a moment. Disarms itself when destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  bool is_armed() const { return timers_ != nullptr; }
  /// When it fires; only meaningful while armed.
  Instant deadline() const { return deadline_; }
  void disarm();

 protected:
  virtual ~Timer() { disarm(); }
  /// Called once, disarmed already, at or after the deadline.
  virtual void on_timer() = 0;

 private:
  friend class Timers;
  Timers* timers_ = nullptr;
  size_t position_ = 0;
  Instant deadline_{};
  uint64_t order_ = 0;
};

/// A timer that calls a member function of its owner.
template <typename Owner, void (Owner::*Method)()>
class MemberTimer final : public Timer {
 public:
  explicit MemberTimer(Owner& owner) : owner_(owner) {}

 private:
  void on_timer() override { (owner_.*Method)(); }
  Owner& owner_;
};

/// All timers of a loop: a heap by deadline, equal deadlines in the order of arming, so that a simulated run
/// replays exactly. Pure: time comes in through `advance`.
class Timers {
 public:
  Timers() = default;
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;
  ~Timers();

  /// Arms or re-arms.
  void arm(Timer& timer, Instant deadline);
  /// The earliest deadline, or Instant::max() when nothing is armed.
  Instant next_deadline() const { return heap_.empty() ? Instant::max() : heap_.front()->deadline_; }
  /// Fires what is due at `now`. Timers armed meanwhile for a moment that is due wait for the next call.
  void advance(Instant now);
  size_t armed() const { return heap_.size(); }

 private:
  friend class Timer;
  void remove(Timer& timer);
  void sift_up(size_t position);
  void sift_down(size_t position);
  void place(Timer* timer, size_t position);
  static bool before(const Timer& a, const Timer& b);

  std::vector<Timer*> heap_;
  uint64_t next_order_ = 0;
};

}  // namespace perilune::loop
