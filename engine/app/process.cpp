#include "app/process.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "app/admin_texts.hpp"
#include "app/admin_thread.hpp"
#include "app/file_watch.hpp"
#include "app/reloader.hpp"
#include "app/trial.hpp"
#include "app/watchdog.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace perilune::app {
namespace {

/// The end where a worker does not come back from its script: a thread cannot be stopped from outside.
[[noreturn]] void end_without_workers(const RunOptions& options, bool has_admin) {
  log::error("a worker does not return from its script; the process ends without it");
  // Nobody else removes it now.
  if (has_admin && options.admin->address.kind == net::Address::Kind::Unix)
    ::unlink(options.admin->address.host.c_str());
  std::_Exit(1);
}

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

/// Loads the scripts, opens nothing, and shows them to `use`, which gives the exit code.
int with_loaded(const std::vector<std::string>& files, const std::function<int(const Worker&)>& use) {
  int code = 1;
  const std::string error = try_scripts(files, nullptr, [&](const Worker& worker) { code = use(worker); });
  if (!error.empty()) print_error(error);
  return code;
}

std::string counted(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

bool all_done(const std::vector<std::unique_ptr<WorkerThread>>& workers) {
  return std::all_of(workers.begin(), workers.end(), [](const auto& worker) { return worker->is_done(); });
}

/// Takes the process's signals. Made before any other thread, for they inherit the mask: signals come here
/// only.
net::Descriptor take_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return net::Descriptor(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

/// The main thread: it starts the workers, waits for what comes from outside, and ends them.
class Process {
 public:
  explicit Process(const RunOptions& options)
      : options_(options),
        count_(options.workers > 0 ? options.workers : usable_processors()),
        files_(std::make_shared<script::ScriptFiles>()),
        clusters_(std::make_shared<upstream::ClusterBoard>(count_)),
        record_(options.program_version, options.files) {}

  int run() {
    if (!start_workers()) return 1;
    log::info("perilune serves with " + std::to_string(count_) + (count_ == 1 ? " worker" : " workers"));
    if (options_.watches) watch_.follow(reloader_.files().paths());
    while (!all_done(workers_)) look();
    // They ask the workers.
    watchdog_.reset();
    admin_.reset();
    workers_.clear();
    return 0;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto never = Clock::time_point::max();

  bool start_workers() {
    const auto limit = std::make_shared<script::LoadLimit>();
    const WorkerThread::Shared shared{options_, files_,  limit,     sockets_,
                                      lines_,   counts_, clusters_, dictionaries_};
    for (unsigned i = 0; i < count_; ++i) {
      workers_.push_back(std::make_unique<WorkerThread>(shared, static_cast<int>(i)));
      // One after the other: what is wrong with a script is said once, and the first one finds out about
      // addresses.
      auto outcome = workers_.back()->ready();
      // A signal ends the process: a script may load for ever.
      const auto ends_at = Clock::now() + limits::load_time_max;
      while (outcome.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready) {
        if (const int number = take_signal(); number == SIGTERM || number == SIGINT)
          end_without_workers(options_, false);
        if (Clock::now() >= ends_at) limit->end_loading();
      }
      if (const std::string error = outcome.get(); !error.empty()) {
        print_error(error);
        return false;
      }
    }
    files_->close();
    if (!start_admin()) return false;
    for (const auto& worker : workers_) worker->go();
    watchdog_ = std::make_unique<Watchdog>(workers_);
    return true;
  }

  bool start_admin() {
    if (!options_.admin) return true;
    const std::string error =
        AdminThread::start({*options_.admin, workers_, record_, queue_, counts_, *clusters_, *dictionaries_,
                            [this] { return reload("the admin address asks"); }, [this] { return stop(); }},
                           admin_);
    if (error.empty()) {
      log::info("admin address " + options_.admin->address.to_string());
      return true;
    }
    // "perilune/admin.lua:81: cannot listen on …": the place tells nobody anything.
    const std::string reason = error.substr(error.find(": ") + 2);
    if (options_.admin->is_default) {
      log::warn("admin: " + reason +
                "; this process has no admin address (--admin ADDR gives it another, --admin off none)");
      return true;
    }
    print_error("--admin: " + reason);
    return false;
  }

  /// 0: there is none.
  int take_signal() const {
    signalfd_siginfo info{};
    return ::read(signal_descriptor_.get(), &info, sizeof info) == sizeof info
               ? static_cast<int>(info.ssi_signo)
               : 0;
  }

  /// Waits for something to do, and does it.
  void look() {
    pollfd inputs[] = {{signal_descriptor_.get(), POLLIN, 0},
                       {options_.watches ? watch_.descriptor() : -1, POLLIN, 0},
                       {queue_.descriptor(), POLLIN, 0}};
    ::poll(inputs, std::size(inputs), wait_in_milliseconds());
    const auto now = Clock::now();
    if (now >= given_up_at_) end_without_workers(options_, admin_ != nullptr);
    while (const int number = take_signal()) on_signal(number);
    if (inputs[2].revents != 0) queue_.run_one();
    if (inputs[1].revents != 0) {
      watch_.take_events();
      settle_from(now);
    }
    if (now >= next_look_) {
      next_look_ = now + FileWatch::look_interval;
      if (settled_at_ == never && watch_.differs()) settle_from(now);
    }
    if (now < settled_at_) return;
    settled_at_ = never;
    if (watch_.differs()) reload("a file has changed");
  }

  /// Files are about to change: they are read when that has been over for a moment.
  void settle_from(Clock::time_point now) {
    if (settled_at_ == never) latest_settled_at_ = now + 10 * limits::watch_settle;
    settled_at_ = std::min(now + limits::watch_settle, latest_settled_at_);
  }

  int wait_in_milliseconds() const {
    if (stops_ > 0) return 50;  // whether all is done
    const auto next = std::min(settled_at_, next_look_);
    if (next == never) return -1;
    return static_cast<int>(
        std::max<int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count()));
  }

  void on_signal(int number) {
    if (number == SIGHUP) reload("SIGHUP");
    else if (number == SIGUSR1) reopen_logs();
    else stop();
  }

  void reopen_logs() {
    log::info("SIGUSR1: log files are opened anew");
    lines_.reopen();
  }

  /// What it waits for, as JSON.
  std::string stop() {
    if (stops_ == 2) return sentence("it is stopping at once already");
    log::info(++stops_ == 1 ? "draining; a second signal stops at once" : "stopping");
    record_.note_draining();
    for (const auto& worker : workers_) worker->drain(options_.drain);
    given_up_at_ =
        Clock::now() + (stops_ == 1 ? options_.drain : Duration::zero()) + limits::worker_stop_timeout;
    if (stops_ == 2) return sentence("stopping at once");
    size_t open = 0;
    counts_.each([&](const std::string&, const edge::ListenerCounts& counts) { open += counts.open(); });
    char most[32];
    std::snprintf(most, sizeof most, "%.4g", to_seconds(options_.drain));
    return sentence("draining: " + std::to_string(open) +
                    (open == 1 ? " connection is" : " connections are") + " open, for " + most +
                    " s at most");
  }

  static std::string sentence(const std::string& text) {
    std::string json = "{\"sentence\":";
    append_json_text(json, text);
    return json + "}\n";
  }

  ReloadReport reload(const std::string& why) {
    if (stops_ > 0) return {.error = "the process is draining", .version = reloader_.version()};
    log::info("reload: " + why);
    (void)watch_.has_changed();  // what changes from here on may not be read any more
    const ReloadReport report = reloader_.reload();
    record_.note_reload(report);
    lines_.reopen();
    if (options_.watches) watch_.follow(reloader_.files().paths());
    if (report.error.empty()) log::info(report_sentence(report));
    else
      log::write_lines(log::Level::Error, "reload failed, version " + std::to_string(report.version) +
                                              " goes on: " + report.error);
    return report;
  }

  const net::Descriptor signal_descriptor_ = take_signals();  // first: see there
  const RunOptions& options_;
  const unsigned count_;
  const std::shared_ptr<script::ScriptFiles> files_;
  net::ListenSockets sockets_;
  LineWriter lines_;
  edge::ConnectionCounts counts_;
  const std::shared_ptr<upstream::ClusterBoard> clusters_;
  const std::shared_ptr<algo::SharedDictionaries> dictionaries_ =
      std::make_shared<algo::SharedDictionaries>();
  ProcessRecord record_;
  MainQueue queue_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;
  Reloader reloader_{options_, workers_, files_};
  std::unique_ptr<AdminThread> admin_;
  std::unique_ptr<Watchdog> watchdog_;
  FileWatch watch_;
  Clock::time_point next_look_ = options_.watches ? Clock::time_point{} : never;
  Clock::time_point settled_at_ = never;
  Clock::time_point latest_settled_at_ = never;
  Clock::time_point given_up_at_ = never;
  int stops_ = 0;
};

}  // namespace

int run(const RunOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  raise_descriptor_limit();
  return Process(options).run();
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
    if (form == GraphForm::Svg) {
      std::vector<const filter::Program*> programs;
      for (const auto& program : worker.programs()) programs.push_back(program.get());
      std::fputs(filter::graph_svg(programs).c_str(), stdout);
      return 0;
    }
    for (const auto& program : worker.programs())
      std::fputs(
          (form == GraphForm::Text ? filter::graph_text(*program) : filter::graph_mermaid(*program)).c_str(),
          stdout);
    return 0;
  });
}

}  // namespace perilune::app
