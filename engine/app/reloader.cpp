#include "app/reloader.hpp"

#include <chrono>

#include "app/trial.hpp"

namespace perilune::app {
namespace {

bool comes_in_time(const auto& future) {
  return future.wait_for(limits::reload_timeout) == std::future_status::ready;
}

}  // namespace

std::string Reloader::prepare(const std::shared_ptr<ReloadAttempt>& attempt) const {
  if (std::string error = try_scripts(options_.files, attempt->files); !error.empty()) return error;
  // One after the other: they do not all pause at the same time, and an error is said once.
  for (const auto& worker : workers_) {
    auto outcome = worker->prepare(attempt);
    // What passed the trial may not end here: it has what was kept, and what is shared.
    if (outcome.wait_for(limits::load_time_max) != std::future_status::ready) attempt->limit->end_loading();
    if (!comes_in_time(outcome)) return "a worker was too busy to load the scripts in time";
    if (std::string error = outcome.get(); !error.empty()) return error;
  }
  return {};
}

ReloadReport Reloader::reload() {
  const auto began = std::chrono::steady_clock::now();
  auto attempt = std::make_shared<ReloadAttempt>();
  attempt->files = files_ = std::make_shared<script::ScriptFiles>();
  ReloadReport report;
  report.error = prepare(attempt);
  if (!report.error.empty()) {
    attempt->is_given_up = true;
    for (const auto& worker : workers_) worker->discard_prepared();
  } else {
    ++version_;
    std::vector<std::future<edge::Departures>> departures;
    for (const auto& worker : workers_) departures.push_back(worker->start_prepared());
    for (auto& future : departures) {
      if (!comes_in_time(future)) continue;  // it will start, and its sessions are not counted
      const edge::Departures some = future.get();
      report.sessions.moving += some.moving;
      report.sessions.staying += some.staying;
    }
  }
  files_->close();
  report.version = version_;
  report.took = std::chrono::steady_clock::now() - began;
  return report;
}

}  // namespace perilune::app
