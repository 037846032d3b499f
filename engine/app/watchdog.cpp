#include "app/watchdog.hpp"

#include "base/log.hpp"

namespace perilune::app {
namespace {

std::string report_of(const WorkerThread& worker) {
  const script::ScriptWatch& watch = worker.watch();
  const std::string who = worker.name() + " is held up";
  const std::string how_long = ", " + watch.how_long() + " so far";
  const auto finding = watch.finding();
  if (!finding) return who + how_long + ": its thread gets no time, or waits in the system";
  if (finding->function.empty()) return who + how_long + ", by no script: by the engine or the system";
  if (!finding->compiled.empty())
    return who + " by compiled code of a script" + how_long + ": it began at " + finding->compiled +
           ", in the function at " + finding->function;
  return who + " by a call that has not come back to the script" + how_long + ": in the function at " +
         finding->function;
}

}  // namespace

Watchdog::Watchdog(const std::vector<std::unique_ptr<WorkerThread>>& workers)
    : workers_(workers), thread_([this] { main(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  stopping_.notify_one();
  thread_.join();
}

void Watchdog::main() {
  std::vector<Suspect> suspects(workers_.size());
  std::unique_lock lock(mutex_);
  while (!stopping_.wait_for(lock, limits::slow_turn_look, [this] { return is_stopping_; }))
    for (size_t i = 0; i < workers_.size(); ++i) look_at(*workers_[i], suspects[i]);
}

void Watchdog::look_at(WorkerThread& worker, Suspect& suspect) {
  const uint64_t turn = worker.loop().turns();
  if (worker.busy_for() < limits::slow_turn || worker.loop().turns() != turn) return;
  const auto now = std::chrono::steady_clock::now();
  if (suspect.turn != turn) {
    suspect = {turn, now, false};
    worker.note_slow_turn();
    worker.watch().interrupt(turn);
    return;
  }
  if (suspect.is_reported) return;
  const auto finding = worker.watch().finding();
  if (finding && finding->has_shown_itself) {
    suspect.is_reported = true;
  } else if (now - suspect.interrupted_at >= limits::slow_turn_patience) {
    suspect.is_reported = true;
    log::warn(report_of(worker));
  }
}

}  // namespace perilune::app
