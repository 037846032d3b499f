#pragma once

#include "loop/loop.hpp"

namespace perilune::filter {

/// Told when nothing has passed a tunnel for too long.
class TunnelOwner {
 public:
  virtual void on_tunnel_idle() = 0;

 protected:
  ~TunnelOwner() = default;
};

/// Watches a tunnel for silence. Activity writes down a time; the timer is armed once in `timeout`.
class TunnelClock {
 public:
  TunnelClock(loop::Loop& loop, TunnelOwner& owner) : loop_(loop), owner_(owner) {}

  /// Duration::max(): never.
  void start(Duration timeout) {
    is_running_ = true;
    timeout_ = timeout;
    activity_ = loop_.now();
    if (timeout_ != Duration::max()) loop_.arm(timer_, timeout_);
  }
  void note_activity() {
    if (is_running_) activity_ = loop_.now();
  }
  void stop() {
    is_running_ = false;
    timer_.disarm();
  }
  bool is_running() const { return is_running_; }

 private:
  void on_timer() {
    const Instant end = activity_ + timeout_;
    if (loop_.now() < end) loop_.timers().arm(timer_, end);
    else owner_.on_tunnel_idle();
  }

  loop::Loop& loop_;
  TunnelOwner& owner_;
  Duration timeout_{};
  Instant activity_{};
  bool is_running_ = false;
  loop::MemberTimer<TunnelClock, &TunnelClock::on_timer> timer_{*this};
};

}  // namespace perilune::filter
