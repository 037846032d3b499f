#pragma once

#include <cstdint>
#include <utility>

#include "base/expect.hpp"

namespace perilune::flow {

class Valve;

/// Told when a valve closes or opens, within the call that did it: it only notes or schedules, it does not
/// feed.
class ValveWatcher {
 public:
  virtual void on_valve_changed(Valve& valve) = 0;

 protected:
  ~ValveWatcher() = default;
};

/// A reason to stop a flow, for as long as it exists. It cannot be forgotten: its end lets go.
class Hold {
 public:
  Hold() = default;
  Hold(Hold&& other) noexcept : valve_(std::exchange(other.valve_, nullptr)) {}
  Hold& operator=(Hold&& other) noexcept {
    if (this != &other) {
      release();
      valve_ = std::exchange(other.valve_, nullptr);
    }
    return *this;
  }
  ~Hold() { release(); }
  explicit operator bool() const { return valve_ != nullptr; }
  void release();

 private:
  friend class Valve;
  explicit Hold(Valve& valve) : valve_(&valve) {}
  Valve* valve_ = nullptr;
};

/// One direction of a flow. Consumers hold it when they have enough; whoever feeds the flow watches it and
/// feeds nothing while it is held, except what a bounded step in progress still brings (one read).
class Valve {
 public:
  Valve() = default;
  Valve(const Valve&) = delete;
  Valve& operator=(const Valve&) = delete;
  ~Valve() { PERILUNE_EXPECT(holds_ == 0, "a valve outlives its holds"); }

  bool is_held() const { return holds_ > 0; }
  [[nodiscard]] Hold hold() {
    if (++holds_ == 1 && watcher_) watcher_->on_valve_changed(*this);
    return Hold(*this);
  }
  /// The one who feeds this direction, or null.
  void set_watcher(ValveWatcher* watcher) { watcher_ = watcher; }

 private:
  friend class Hold;
  void let_go() {
    if (--holds_ == 0 && watcher_) watcher_->on_valve_changed(*this);
  }
  uint32_t holds_ = 0;
  ValveWatcher* watcher_ = nullptr;
};

inline void Hold::release() {
  if (valve_) std::exchange(valve_, nullptr)->let_go();
}

}  // namespace perilune::flow
