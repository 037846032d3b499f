#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "loop/loop.hpp"

namespace perilune::app {

/// A way to post to a loop that may end before those who know it. Any thread.
class LoopLink {
 public:
  explicit LoopLink(loop::Loop& loop) : loop_(&loop) {}
  LoopLink(const LoopLink&) = delete;
  LoopLink& operator=(const LoopLink&) = delete;

  /// As Loop::post; nothing happens once the loop has ended.
  void post(std::function<void()> function) {
    const std::lock_guard lock(mutex_);
    if (loop_) loop_->post(std::move(function));
  }
  /// The loop is about to end.
  void cut() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  std::mutex mutex_;
  loop::Loop* loop_;
};

}  // namespace perilune::app
