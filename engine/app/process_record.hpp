#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/reload_report.hpp"

namespace perilune::app {

/// What is known of a process as a whole. Any thread.
class ProcessRecord {
 public:
  using WallClock = std::chrono::system_clock;
  struct Reload {
    ReloadReport report;
    WallClock::time_point at;
  };
  struct Facts {
    std::string program_version;
    std::vector<std::string> files;
    WallClock::time_point started = WallClock::now();
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    /// Of the scripts that serve.
    uint64_t version = 1;
    std::optional<Reload> last_reload = {};
    uint64_t reloads_done = 0;
    uint64_t reloads_failed = 0;
    bool is_draining = false;
  };

  ProcessRecord(std::string program_version, std::vector<std::string> files) {
    facts_.program_version = std::move(program_version);
    facts_.files = std::move(files);
  }

  Facts facts() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }
  void note_reload(const ReloadReport& report) {
    const std::lock_guard lock(mutex_);
    facts_.version = report.version;
    facts_.last_reload = {report, WallClock::now()};
    ++(report.error.empty() ? facts_.reloads_done : facts_.reloads_failed);
  }
  void note_draining() {
    const std::lock_guard lock(mutex_);
    facts_.is_draining = true;
  }

 private:
  mutable std::mutex mutex_;
  Facts facts_;
};

}  // namespace perilune::app
