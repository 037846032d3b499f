#pragma once

#include <sys/eventfd.h>

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "net/descriptor.hpp"

namespace perilune::app {

/// What other threads want the main thread to do, which waits with poll.
class MainQueue {
 public:
  MainQueue() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  MainQueue(const MainQueue&) = delete;
  MainQueue& operator=(const MainQueue&) = delete;

  /// Any thread.
  void post(std::function<void()> function) {
    {
      const std::lock_guard lock(mutex_);
      functions_.push_back(std::move(function));
    }
    eventfd_write(wake_.get(), 1);
  }

  // for the main thread
  /// Readable when something was posted.
  int descriptor() const { return wake_.get(); }
  /// The one that has waited longest: others have their turn between two.
  void run_one() {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
    std::function<void()> function;
    {
      const std::lock_guard lock(mutex_);
      if (functions_.empty()) return;
      function = std::move(functions_.front());
      functions_.pop_front();
      if (!functions_.empty()) eventfd_write(wake_.get(), 1);
    }
    function();
  }

 private:
  const net::Descriptor wake_;
  std::mutex mutex_;
  std::deque<std::function<void()>> functions_;
};

}  // namespace perilune::app
