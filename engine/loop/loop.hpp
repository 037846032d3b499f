#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "base/object.hpp"
#include "loop/driver.hpp"
#include "loop/timer.hpp"

namespace perilune::loop {

using TaskHook = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// Work put off to the end of the turn. Leaves its queue by itself when destroyed.
class Task : public TaskHook {
 public:
  bool is_queued() const { return is_linked(); }
  void withdraw() { unlink(); }

 protected:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;
  virtual void run_task() = 0;

 private:
  friend class Loop;
};

/// A task that calls a member function of its owner.
template <typename Owner, void (Owner::*Method)()>
class MemberTask final : public Task {
 public:
  explicit MemberTask(Owner& owner) : owner_(owner) {}

 private:
  void run_task() override { (owner_.*Method)(); }
  Owner& owner_;
};

/// One worker's loop, in turns. A turn: hand out the events that are ready, fire due timers, run deferred
/// tasks until none is left, flush each dirty socket once, then let go of what died. So all that one wake-up
/// caused leaves in one gather-write per socket, and nothing is destroyed in the middle of a call.
class Loop {
 public:
  explicit Loop(Driver& driver) : driver_(driver), now_(driver.now()) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  Driver& driver() { return driver_; }
  /// The time at which the current turn began.
  Instant now() const { return now_; }
  Timers& timers() { return timers_; }
  void arm(Timer& timer, Duration after) { timers_.arm(timer, now_ + after); }

  /// Runs `task` at the end of this turn, before the flush. A queued task stays where it is.
  void defer(Task& task) {
    if (!task.is_queued()) deferred_.push_back(task);
  }
  /// Runs `task` in the next turn, after other sockets had theirs: for work that would make this turn too
  /// long.
  void defer_to_next_turn(Task& task) {
    if (!task.is_queued()) next_turn_.push_back(task);
  }
  /// Runs `task` once when the turn's events and deferred tasks are done: where sockets write.
  void flush_later(Task& task) {
    if (!task.is_queued()) dirty_.push_back(task);
  }
  /// In a deferred task or a flush: the turn was cut, and readiness from before it is still to be told in the
  /// next.
  bool has_events_left() const { return driver_.has_events_left(); }
  /// Keeps `object` alive until the turn ends.
  void release_later(Ref<Object> object) { dying_.push_back(std::move(object)); }

  /// Runs `function` in a coming turn. The only call that other threads may make, besides stop().
  void post(std::function<void()> function);

  /// One turn; waits at most until `latest`.
  void run_turn(Instant latest = Instant::max());
  void run();
  /// Finishes what was put off, as at the end of a turn, without waiting for anything. Not from within a
  /// turn.
  void settle() { finish_turn(); }
  void stop();
  bool is_stopped() const { return stopped_.load(std::memory_order_relaxed); }
  uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }
  /// When the turn that is under way began to do something, on the driver's clock; Instant::min() while it
  /// waits. Any thread.
  Instant busy_since() const { return Instant(Duration(busy_since_.load(std::memory_order_relaxed))); }

 private:
  using TaskList = boost::intrusive::list<Task, boost::intrusive::constant_time_size<false>>;
  void finish_turn();
  void run_posted();
  static void run_all(TaskList& tasks);

  Driver& driver_;
  Instant now_;
  Timers timers_;
  TaskList deferred_;
  TaskList next_turn_;
  TaskList dirty_;
  std::vector<Ref<Object>> dying_;
  std::vector<Ref<Object>> dead_;  // being let go of; its capacity is kept
  /// Written by the loop's thread only.
  std::atomic<uint64_t> turns_{0};
  std::atomic<Duration::rep> busy_since_{Duration::min().count()};
  std::atomic<bool> stopped_{false};
  std::atomic<bool> has_posted_{false};
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace perilune::loop
