#include "app/process.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <thread>

#include "app/upkeep.hpp"
#include "base/limits.hpp"
#include "base/line_writer.hpp"
#include "base/log.hpp"
#include "net/asio_network.hpp"

namespace perilune::app {
namespace {

/// The end where a worker does not come back from its script: a thread cannot be stopped from outside.
[[noreturn]] void end_without_workers() {
  log::error("a worker does not return from its script; the process ends without it");
  std::_Exit(1);
}

/// A worker on the real network with its thread. Everything in it is made, used and ended by that thread.
class WorkerThread {
 public:
  struct Shared {
    const RunOptions& options;
    net::ListenSockets& sockets;
    LineOutputs& outputs;
    edge::ConnectionCounts& counts;
    std::shared_ptr<upstream::ClusterBoard> clusters;
  };
  WorkerThread(const Shared& shared, int index) : shared_(shared), index_(index), thread_([this] { main(); }) {}
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread() {
    go_.set_value_if_open(false);
    thread_.join();
  }

  /// Waits for load and listen. Empty: it is ready. A signal ends the process: a script may load for ever.
  std::string wait_until_ready(const sigset_t& signals) {
    auto outcome = ready_.get_future();
    while (outcome.wait_for(50ms) != std::future_status::ready) {
      const timespec at_once{0, 0};
      const int number = sigtimedwait(&signals, nullptr, &at_once);
      if (number == SIGTERM || number == SIGINT) end_without_workers();
    }
    return outcome.get();
  }
  bool is_done() const { return is_done_.load(); }
  /// Begins to serve.
  void go() { go_.set_value_if_open(true); }
  /// Stops accepting; cuts what is open after `deadline`, or at once when it is called again.
  void drain(Duration deadline) {
    if (drain_count_++ == 0) driver_->loop.post([this, deadline] { begin_drain(deadline); });
    else driver_->loop.stop();
  }

 private:
  struct OnceFlag {
    std::promise<bool> promise;
    bool is_set = false;
    void set_value_if_open(bool value) {
      if (!std::exchange(is_set, true)) promise.set_value(value);
    }
  };
  struct Drive {
    net::AsioDriver driver;
    loop::Loop loop{driver};
  };

  void main() {
    driver_ = std::make_unique<Drive>();
    {
      net::AsioNetwork network(driver_->driver, driver_->loop, shared_.sockets,
                               {.servers = shared_.options.dns});
      Worker worker(driver_->loop, network, index_,
                    {&shared_.outputs, &shared_.counts, shared_.clusters});
      worker_ = &worker;
      auto result = worker.load(shared_.options.files);
      if (result.has_value() && index_ == 0 && !worker.has_work())
        result = Error{ErrorCode::ScriptError, Side::Script, "there is nothing to do: no script has a listen, every or after"};
      if (result.has_value()) result = worker.listen();
      ready_.set_value(result.has_error() ? result.error().detail : std::string());
      if (result.has_value() && go_.promise.get_future().get()) {
        worker.start();
        Upkeep upkeep(driver_->loop, worker);
        upkeep.start();
        driver_->loop.run();
      }
      worker.stop();
    }
    is_done_.store(true);
  }

  void begin_drain(Duration deadline) {
    worker_->stop_accepting();
    drain_deadline_ = driver_->loop.now() + deadline;
    look_whether_drained();
  }
  void look_whether_drained() {
    if (worker_->sessions() == 0 || driver_->loop.now() >= drain_deadline_) driver_->loop.stop();
    else driver_->loop.arm(drain_timer_, 50ms);
  }

  const Shared shared_;
  const int index_;
  std::unique_ptr<Drive> driver_;
  Worker* worker_ = nullptr;
  std::promise<std::string> ready_;
  OnceFlag go_;
  int drain_count_ = 0;
  std::atomic<bool> is_done_{false};
  Instant drain_deadline_{};
  loop::MemberTimer<WorkerThread, &WorkerThread::look_whether_drained> drain_timer_{*this};
  std::thread thread_;  // last: it uses all of the above
};

unsigned usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

/// A proxy needs two descriptors a request: as many as the administrator allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void print_error(const std::string& text) { std::fprintf(stderr, "perilune: %s\n", text.c_str()); }

/// Loads the scripts into a worker whose network opens nothing; `use(worker)` gives the exit code.
template <typename Use>
int with_loaded(const std::vector<std::string>& files, Use&& use) {
  net::AsioDriver driver;
  loop::Loop loop(driver);
  net::ListenSockets sockets;
  net::AsioNetwork network(driver, loop, sockets);
  Worker worker(loop, network, 0);
  if (auto result = worker.load(files); result.has_error()) {
    print_error(result.error().detail);
    return 1;
  }
  return use(worker);
}

std::string counted(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

bool all_done(const std::vector<std::unique_ptr<WorkerThread>>& workers) {
  return std::all_of(workers.begin(), workers.end(), [](const auto& worker) { return worker->is_done(); });
}

}  // namespace

int run(const RunOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  // Workers inherit the mask: signals come to this thread only, by sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const unsigned count = options.workers > 0 ? options.workers : usable_processors();
  net::ListenSockets sockets;
  LineWriter lines;
  edge::ConnectionCounts counts;
  const WorkerThread::Shared shared{options, sockets, lines, counts, std::make_shared<upstream::ClusterBoard>(count)};
  std::vector<std::unique_ptr<WorkerThread>> workers;
  for (unsigned i = 0; i < count; ++i) {
    workers.push_back(std::make_unique<WorkerThread>(shared, static_cast<int>(i)));
    // One after the other: what is wrong with a script is said once, and the first one finds out about addresses.
    if (const std::string error = workers.back()->wait_until_ready(signals); !error.empty()) {
      print_error(error);
      return 1;
    }
  }
  for (const auto& worker : workers) worker->go();
  log::info("perilune serves with " + std::to_string(count) + (count == 1 ? " worker" : " workers"));
  // Drains at the first signal, stops at the second; ends by itself once every worker has drained.
  auto given_up = std::chrono::steady_clock::time_point::max();
  for (int stops = 0; !all_done(workers);) {
    const timespec patience{0, 50'000'000};
    const int number = stops == 0 ? sigwaitinfo(&signals, nullptr) : sigtimedwait(&signals, nullptr, &patience);
    if (std::chrono::steady_clock::now() >= given_up) end_without_workers();
    if ((number != SIGTERM && number != SIGINT) || stops == 2) continue;
    log::info(++stops == 1 ? "draining; a second signal stops at once" : "stopping");
    for (const auto& worker : workers) worker->drain(options.drain);
    given_up = std::chrono::steady_clock::now() + (stops == 1 ? options.drain : Duration::zero()) +
               limits::worker_stop_timeout;
  }
  workers.clear();
  return 0;
}

int check(const std::vector<std::string>& files, Warnings warnings) {
  return with_loaded(files, [&](const Worker& worker) {
    size_t listens = 0;
    size_t warned = 0;
    for (size_t i = 0; i < worker.programs().size(); ++i) {
      const filter::Program& program = *worker.programs()[i];
      listens += program.listens.size();
      for (const filter::Warning& warning : worker.states()[i]->warnings(program)) {
        print_error(warning.place.to_string() + ": warning: " + warning.text);
        ++warned;
      }
    }
    const bool has_failed = warned > 0 && warnings == Warnings::Fail;
    std::string line = has_failed ? "not ok: " : "ok: ";
    line += counted(files.size(), "file") + ", " + counted(listens, "listener");
    if (warned > 0) line += ", " + counted(warned, "warning");
    std::puts(line.c_str());
    return has_failed ? 1 : 0;
  });
}

int graph(const std::vector<std::string>& files, GraphForm form) {
  return with_loaded(files, [&](const Worker& worker) {
    for (const auto& program : worker.programs())
      std::fputs((form == GraphForm::Text ? filter::graph_text(*program) : filter::graph_mermaid(*program)).c_str(),
                 stdout);
    return 0;
  });
}

}  // namespace perilune::app
