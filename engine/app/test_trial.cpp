#include "app/test_trial.hpp"

#include <map>
#include <set>

#include "app/test_coverage.hpp"
#include "base/log.hpp"

namespace perilune::app {
namespace {

// Turns and events in one moment; a proxy under load has some thousands. Fewer than the world itself bears.
constexpr uint64_t steps_per_moment_max = 500'000;

constexpr uint64_t steps_between_looks = 1024;

/// What comes behind a test: connections that were cut are let go of.
constexpr Duration settling_time = 5s;

sim::SimFaults no_distance() {
  sim::SimFaults faults;
  // What takes time in a test is what the test and the script say, so that sums come out.
  faults.latency = 0ns;
  faults.resolve_time_max = 0ns;
  return faults;
}

std::string seconds(std::chrono::nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " s";
}

constexpr const char* takes_too_long = "this test takes too much real time";

}  // namespace

/// Stops what runs for too long; tells the coverage what ran.
class Trial::Watcher final : public script::LineWatcher {
 public:
  Watcher(Trial& trial, TestCoverage* coverage) : trial_(trial), coverage_(coverage) {}
  void on_file(const std::string& file, std::span<const int> lines) override {
    if (!given_.contains(file)) coverage_->add_file(file, lines);
  }
  /// These are written in the test: they are no part of what it covers.
  void leave_out(const std::map<std::string, std::string>& files) {
    for (const auto& [path, text] : files) given_.insert(path);
  }
  void on_line(std::string_view file, int line) override { coverage_->add_run(file, line); }
  bool wants_lines() const override { return coverage_ != nullptr; }
  const char* why_stop() override { return trial_.why_stuck(); }

 private:
  Trial& trial_;
  TestCoverage* const coverage_;
  std::set<std::string> given_;
};

/// A script under test: workers that share what those of a process share.
struct Trial::Process {
  explicit Process(unsigned count) : clusters(std::make_shared<upstream::ClusterBoard>(count)) {}

  std::string path = {};
  edge::ConnectionCounts counts;
  std::shared_ptr<upstream::ClusterBoard> clusters;
  std::shared_ptr<algo::SharedDictionaries> dictionaries = std::make_shared<algo::SharedDictionaries>();
  std::vector<std::unique_ptr<sim::SimWorker>> loops;
  std::vector<std::unique_ptr<Worker>> workers;
};

Trial::Trial(const TrialSettings& settings)
    : settings_(settings),
      world_(settings.seed, no_distance()),
      outside_(world_, sim::SimProcess::Outside),
      deadline_(world_.now() + limits::test_time_max),
      watcher_(std::make_unique<Watcher>(*this, settings.coverage)),
      own_watcher_(std::make_unique<Watcher>(*this, nullptr)),
      trace_(outside_.driver) {
  log::capture([this](std::string_view line) {
    if (result_.log.size() < limits::test_log_bytes_max) result_.log.append(line).append("\n");
  });
}

Trial::~Trial() { log::capture(nullptr); }

Result<size_t> Trial::load(const script::TestLoad& what) {
  auto process = std::make_unique<Process>(what.workers);
  WorkerShared shared{.counts = &process->counts, .clusters = process->clusters, .dictionaries = process->dictionaries,
                      .tracer = &trace_};
  shared.script.environment = [names =
                                   what.environment](std::string_view name) -> std::optional<std::string> {
    const auto found = names.find(std::string(name));
    return found == names.end() ? std::nullopt : std::optional(found->second);
  };
  shared.script.given_files = what.files;
  watcher_->leave_out(what.files);
  shared.script.lines = watcher_.get();
  process->path = what.path;
  const auto number =
      static_cast<uint32_t>(sim::SimProcess::Outside) + 1 + static_cast<uint32_t>(processes_.size());
  Result<void> ready{};
  for (unsigned i = 0; i < what.workers && ready; ++i) {
    process->loops.push_back(std::make_unique<sim::SimWorker>(world_, sim::SimProcess{number}));
    sim::SimWorker& thread = *process->loops.back();
    process->workers.push_back(
        std::make_unique<Worker>(thread.loop, thread.network, static_cast<int>(i), shared));
    Worker& worker = *process->workers.back();
    ready = worker.load({what.path});
    note_files(worker);
    if (ready) ready = worker.listen();
  }
  if (ready)
    for (const auto& worker : process->workers) worker->start();
  // One that failed stays as well: it is taken down with the others, outside of every turn.
  processes_.push_back(std::move(process));
  if (!ready) return ready.error();
  return processes_.size() - 1;
}

std::vector<net::Address> Trial::listens(size_t process) const {
  std::vector<net::Address> addresses;
  for (const auto& server : processes_.at(process)->workers.front()->servers())
    addresses.push_back(server->local());
  return addresses;
}

Result<void> Trial::reload(size_t number, const std::string& file) {
  Process& process = *processes_.at(number);
  if (!file.empty()) process.path = file;
  Result<void> ready{};
  for (const auto& worker : process.workers) {
    if (ready) ready = worker->load({process.path});
    if (!ready) break;
    note_files(*worker);
    ready = worker->listen();
  }
  for (const auto& worker : process.workers) {
    if (ready) worker->start();
    else worker->discard();
  }
  return ready;
}

size_t Trial::sessions(size_t process) const {
  size_t count = 0;
  for (const auto& worker : processes_.at(process)->workers) count += worker->sessions();
  return count;
}

void Trial::fail(script::TestFailure failure) {
  if (!result_.failure) result_.failure = std::move(failure);
}

void Trial::note_files(const Worker& worker) {
  for (const auto& state : worker.states())
    result_.files.insert(result_.files.end(), state->files().begin(), state->files().end());
}

const char* Trial::why_stuck() {
  if (stuck_) return stuck_;
  const auto real_time = std::chrono::steady_clock::now() - real_begin_;
  if (real_time > settings_.real_time_max) stuck_ = takes_too_long;
  return stuck_;
}

void Trial::fail_where_it_waits(const std::string& why) {
  script::TestFailure failure{why};
  if (!worker_->states().empty()) failure.places = worker_->states().front()->waiting_test();
  fail(std::move(failure));
}

TrialResult Trial::run() {
  WorkerShared shared;
  shared.script.tests = this;
  shared.script.lines = own_watcher_.get();
  worker_ = std::make_unique<Worker>(outside_.loop, outside_.network, 0, shared);
  auto loaded = worker_->load({settings_.file});
  note_files(*worker_);
  if (loaded && settings_.chosen > 0) loaded = worker_->listen();
  if (!loaded) result_.failure = script::TestFailure{loaded.error().detail};
  else if (settings_.chosen > 0) run_test();
  if (result_.failure) result_.trace = trace_.lines();
  take_down();
  return std::move(result_);
}

void Trial::run_test() {
  worker_->start();
  const auto is_over = [this] {
    if (is_finished_) return true;
    if (world_.now() != moment_) {
      moment_ = world_.now();
      steps_ = 0;
    }
    if (++steps_ % steps_between_looks == 0) why_stuck();
    if (steps_ > steps_per_moment_max)
      stuck_ = "time stands still: something happens again and again in one moment";
    return stuck_ != nullptr;
  };
  while (!is_over()) {
    const auto outcome = world_.run_until(is_over, deadline_);
    if (is_finished_) return;
    if (stuck_) break;
    if (outcome == sim::SimWorld::Outcome::Quiet)
      return fail_where_it_waits("the test waits for something that can never happen");
    // The test may have been given more time while it ran.
    if (outcome == sim::SimWorld::Outcome::TimeOut && world_.now() >= deadline_)
      return fail_where_it_waits("the test is not over after " + seconds(limits::test_time_max) +
                                 " of virtual time, besides what it let pass itself");
  }
  if (is_finished_) return;
  const bool is_late = stuck_ == takes_too_long;
  fail_where_it_waits(stuck_ + (is_late ? ": more than " + seconds(settings_.real_time_max) : std::string()));
}

void Trial::take_down() {
  for (const auto& process : processes_)
    for (const auto& worker : process->workers) worker->stop();
  worker_->stop();
  uint64_t steps = 0;
  world_.run_until([&steps] { return ++steps > steps_per_moment_max; }, world_.now() + settling_time);
  size_t chunks = worker_->chunks().alive();
  worker_.reset();
  for (const auto& process : processes_)
    for (const auto& worker : process->workers) chunks += worker->chunks().alive();
  processes_.clear();
  const bool is_clean = chunks == 0 && world_.alive_streams() == 0 && world_.alive_listeners() == 0;
  if (!is_clean && steps <= steps_per_moment_max)
    fail({"the engine did not let go of everything at the end: " + std::to_string(chunks) + " chunks, " +
          std::to_string(world_.alive_streams()) + " connections, " +
          std::to_string(world_.alive_listeners()) +
          " listeners; that is a bug of Perilune, please report it"});
}

}  // namespace perilune::app
