#pragma once

#include <sys/eventfd.h>

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

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
  void run_all() {
    eventfd_t count = 0;
    eventfd_read(wake_.get(), &count);
    std::vector<std::function<void()>> functions;
    {
      const std::lock_guard lock(mutex_);
      functions.swap(functions_);
    }
    for (const auto& function : functions) function();
  }

 private:
  const net::Descriptor wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> functions_;
};

}  // namespace perilune::app
