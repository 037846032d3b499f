#include "loop/loop.hpp"

namespace perilune::loop {

Loop::~Loop() { finish_turn(); }

void Loop::run_all(TaskList& tasks) {
  while (!tasks.empty()) {
    Task& task = tasks.front();
    tasks.pop_front();
    task.run_task();
  }
}

void Loop::run_posted() {
  if (!has_posted_.load(std::memory_order_acquire)) return;
  std::vector<std::function<void()>> functions;
  {
    const std::lock_guard lock(posted_mutex_);
    functions.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (auto& function : functions) function();
}

void Loop::finish_turn() {
  // A flush may fail and so cause tasks, tasks may cause writes, and what dies may cause both.
  while (!deferred_.empty() || !dirty_.empty() || !dying_.empty()) {
    run_all(deferred_);
    while (deferred_.empty() && !dirty_.empty()) {
      Task& task = dirty_.front();
      dirty_.pop_front();
      task.run_task();
    }
    if (deferred_.empty() && dirty_.empty()) {
      dead_.swap(dying_);
      dead_.clear();
    }
  }
}

void Loop::run_turn(Instant latest) {
  turns_.store(turns() + 1, std::memory_order_relaxed);
  const bool has_work = !next_turn_.empty() || has_posted_.load(std::memory_order_acquire);
  const Instant deadline = has_work ? Instant::min() : std::min(latest, timers_.next_deadline());
  driver_.wait(deadline);
  now_ = driver_.now();
  busy_since_.store(now_.time_since_epoch().count(), std::memory_order_relaxed);
  // Set aside before anything happens: what is put off from now on is for the turn after this one.
  TaskList from_last_turn;
  from_last_turn.swap(next_turn_);
  driver_.dispatch();
  run_posted();
  timers_.advance(now_);
  deferred_.splice(deferred_.end(), from_last_turn);
  finish_turn();
  busy_since_.store(Duration::min().count(), std::memory_order_relaxed);
}

void Loop::run() {
  while (!is_stopped()) run_turn();
}

void Loop::stop() {
  stopped_.store(true, std::memory_order_relaxed);
  driver_.wake();
}

void Loop::post(std::function<void()> function) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(function));
    has_posted_.store(true, std::memory_order_release);
  }
  driver_.wake();
}

}  // namespace perilune::loop
