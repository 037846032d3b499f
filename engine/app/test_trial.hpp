#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/test_trace.hpp"
#include "app/worker.hpp"
#include "base/limits.hpp"
#include "script/line_watcher.hpp"
#include "script/test_host.hpp"

namespace perilune::app {

/// Counts the lines that ran, over many trials.
class TestCoverage;

struct TrialSettings {
  /// The file of tests.
  std::string file;
  /// Which of its tests, from 1; 0: none, they are only declared.
  size_t chosen = 0;
  uint64_t seed = 1;
  TestCoverage* coverage = nullptr;
  std::chrono::nanoseconds real_time_max = limits::test_real_time_max;
};

/// How one run of one test ended.
struct TrialResult {
  std::optional<script::TestFailure> failure = {};
  /// Filter by filter, of a failed one.
  std::vector<std::string> trace = {};
  /// What was logged meanwhile.
  std::string log = {};
  script::ChaosCounts counts = {};
  /// What the file declares.
  std::vector<script::DeclaredTest> declared = {};
  /// Every file that was read, for watching them.
  std::vector<std::string> files = {};
};

/// One run of one test: a world, in it the file of tests outside, and the scripts that it loads as processes.
/// Takes the log of the process while it lasts.
class Trial final : private script::TestHost {
 public:
  explicit Trial(const TrialSettings& settings);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  TrialResult run();

 private:
  struct Process;
  class Watcher;

  // script::TestHost
  sim::SimWorld& world() override { return world_; }
  sim::SimWorker& outside() override { return outside_; }
  size_t chosen() const override { return settings_.chosen; }
  void declare(script::DeclaredTest test) override { result_.declared.push_back(std::move(test)); }
  Result<size_t> load(const script::TestLoad& what) override;
  std::vector<net::Address> listens(size_t process) const override;
  Result<void> reload(size_t process, const std::string& file) override;
  size_t sessions(size_t process) const override;
  const std::string& log() const override { return result_.log; }
  void allow(Duration time) override { deadline_ += time; }
  void fail(script::TestFailure failure) override;
  void count(const script::ChaosCounts& counts) override { result_.counts = counts; }
  void finish() override { is_finished_ = true; }

  void run_test();
  /// Why the test cannot go on; null as long as it can.
  const char* why_stuck();
  void fail_where_it_waits(const std::string& why);
  void take_down();
  void note_files(const Worker& worker);

  const TrialSettings settings_;
  TrialResult result_;
  sim::SimWorld world_;
  sim::SimWorker outside_;
  Instant deadline_;
  const std::chrono::steady_clock::time_point real_begin_ = std::chrono::steady_clock::now();
  uint64_t steps_ = 0;
  Instant moment_{};
  bool is_finished_ = false;
  const char* stuck_ = nullptr;
  std::unique_ptr<Watcher> watcher_;
  std::unique_ptr<Watcher> own_watcher_;
  TestTrace trace_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::unique_ptr<Worker> worker_;
};

}  // namespace perilune::app
