#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "app/process.hpp"
#include "app/worker.hpp"
#include "base/line_writer.hpp"
#include "net/asio_network.hpp"
#include "script/load_limit.hpp"
#include "script/script_watch.hpp"

namespace perilune::app {

/// One try to replace the scripts, in all workers or none.
struct ReloadAttempt {
  std::shared_ptr<script::ScriptFiles> files;
  /// Of the worker that loads them.
  std::shared_ptr<script::LoadLimit> limit = std::make_shared<script::LoadLimit>();
  /// Who comes to it later than this was set leaves it alone.
  std::atomic<bool> is_given_up{false};
};

/// A worker on the real network with its thread. Everything in it is made, used and ended by that thread; the
/// calls here are made by one other.
class WorkerThread {
 public:
  struct Shared {
    const RunOptions& options;
    std::shared_ptr<script::ScriptFiles> files;
    std::shared_ptr<script::LoadLimit> limit;
    net::ListenSockets& sockets;
    LineOutputs& outputs;
    edge::ConnectionCounts& counts;
    std::shared_ptr<upstream::ClusterBoard> clusters;
    std::shared_ptr<algo::SharedDictionaries> dictionaries;
  };
  WorkerThread(const Shared& shared, int index);
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread();

  /// Told once the scripts are loaded and their addresses bound. Empty: it is ready.
  std::future<std::string> ready() { return ready_.get_future(); }
  bool is_done() const { return is_done_.load(); }
  /// Begins to serve.
  void go();

  /// Loads the scripts anew beside those that run. Empty: they may start.
  std::future<std::string> prepare(std::shared_ptr<ReloadAttempt> attempt);
  /// What was prepared takes over.
  std::future<edge::Departures> start_prepared();
  /// What was prepared, or will be, is dropped.
  void discard_prepared();

  /// Has `take` called in the worker's thread, in a coming turn; never, when it ends before.
  void ask(std::function<void(Worker&)> take);
  /// Once it is ready. Of it only what any thread may ask.
  const loop::Loop& loop() const { return driver_->loop; }

  // Once it is ready, any thread
  std::string name() const { return "worker " + std::to_string(index_); }
  script::ScriptWatch& watch() const { return *watch_; }
  /// How long its turn has taken by now; zero while it waits.
  Duration busy_for() const;
  /// Turns that took longer than limits::slow_turn.
  uint64_t slow_turns() const { return slow_turns_.load(std::memory_order_relaxed); }
  void note_slow_turn() { slow_turns_.fetch_add(1, std::memory_order_relaxed); }

  /// Stops accepting; cuts what is open after `deadline`, or at once when it is called again.
  void drain(Duration deadline);

 private:
  struct Drive {
    net::AsioDriver driver;
    loop::Loop loop{driver};
  };

  void main();
  void begin_drain(Duration deadline);
  void look_whether_drained();

  const Shared shared_;
  const int index_;
  std::unique_ptr<Drive> driver_;
  std::unique_ptr<script::ScriptWatch> watch_;
  std::atomic<uint64_t> slow_turns_{0};
  Worker* worker_ = nullptr;
  std::promise<std::string> ready_;
  std::promise<bool> go_;
  bool has_gone_ = false;
  int drain_count_ = 0;
  std::atomic<bool> is_done_{false};
  Instant drain_deadline_{};
  loop::MemberTimer<WorkerThread, &WorkerThread::look_whether_drained> drain_timer_{*this};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace perilune::app
