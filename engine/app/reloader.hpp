#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/reload_report.hpp"
#include "app/worker_thread.hpp"

namespace perilune::app {

/// Replaces the scripts of all workers: they are tried out on the side, then loaded by every worker beside
/// what runs, and only when all could do it they take over. For the main thread, which it keeps waiting,
/// limits::reload_timeout at most for each of these steps.
class Reloader {
 public:
  Reloader(const RunOptions& options, const std::vector<std::unique_ptr<WorkerThread>>& workers,
           std::shared_ptr<script::ScriptFiles> files)
      : options_(options), workers_(workers), files_(std::move(files)) {}

  ReloadReport reload();
  /// The files of the newest attempt, be it one that failed.
  const script::ScriptFiles& files() const { return *files_; }
  uint64_t version() const { return version_; }

 private:
  std::string prepare(const std::shared_ptr<ReloadAttempt>& attempt) const;

  const RunOptions& options_;
  const std::vector<std::unique_ptr<WorkerThread>>& workers_;
  std::shared_ptr<script::ScriptFiles> files_;
  uint64_t version_ = 1;
};

}  // namespace perilune::app
