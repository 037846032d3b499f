#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "app/worker_thread.hpp"

namespace perilune::app {

/// Looks from a thread of its own at how long the turns of the workers take, and reports each that takes
/// longer than limits::slow_turn, once: with the traceback of the script, where it is interpreted, or else
/// with what is known. When a call of C comes back within such a turn, its traceback follows.
class Watchdog {
 public:
  /// The workers are ready, and outlive this.
  explicit Watchdog(const std::vector<std::unique_ptr<WorkerThread>>& workers);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  struct Suspect {
    uint64_t turn = 0;
    std::chrono::steady_clock::time_point interrupted_at{};
    bool is_reported = false;
  };
  void main();
  void look_at(WorkerThread& worker, Suspect& suspect);

  const std::vector<std::unique_ptr<WorkerThread>>& workers_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool is_stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace perilune::app
