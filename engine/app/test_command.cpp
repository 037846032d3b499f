#include "app/test_command.hpp"

#include <chrono>
#include <cstdio>
#include <set>

#include "app/file_watch.hpp"
#include "app/test_coverage.hpp"
#include "script/state.hpp"

namespace perilune::app {
namespace {

// After so many seeds that fail it is known that something is wrong.
constexpr size_t failing_seeds_max = 5;

/// Runs the tests of some files, once.
class TestRun {
 public:
  TestRun(const TestOptions& options, TestReport& report) : options_(options), report_(report) {}

  void run_file(const std::string& file) {
    report_.begin_file(file);
    const TrialResult listed = trial(file, 0, 1);
    if (!listed.failure && listed.declared.empty()) {
      add_broken(file, {"there is no test: write test(\"what is true\", function() … end)"});
      return;
    }
    if (listed.failure) {
      add_broken(file, failure_lines(listed));
      return;
    }
    for (size_t i = 0; i < listed.declared.size(); ++i)
      if (listed.declared[i].name.find(options_.filter) != std::string::npos)
        run_test(file, i + 1, listed.declared[i]);
  }

  const TestCoverage& coverage() const { return coverage_; }
  const std::set<std::string>& files() const { return files_; }

 private:
  TrialResult trial(const std::string& file, size_t chosen, uint64_t seed) {
    TrialResult result = Trial({file, chosen, seed, options_.wants_coverage ? &coverage_ : nullptr}).run();
    files_.insert(result.files.begin(), result.files.end());
    return result;
  }

  /// A file that cannot be run counts as a test that failed.
  void add_broken(const std::string& file, std::vector<std::string> failure) {
    report_.add({file, "the file can be run", {file, 1}, 0, std::move(failure), {}});
  }

  void run_test(const std::string& file, size_t number, const script::DeclaredTest& test) {
    const auto begin = std::chrono::steady_clock::now();
    TestRecord record{file, test.name, test.place};
    if (test.seeds > 0) {
      run_seeds(file, number, test, record);
    } else {
      const TrialResult result = trial(file, number, options_.seed.value_or(1));
      if (result.failure) record.failure = failure_lines(result);
    }
    record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    report_.add(record);
  }

  void run_seeds(const std::string& file, size_t number, const script::DeclaredTest& test,
                 TestRecord& record) {
    const uint64_t first = options_.seed.value_or(1);
    const uint64_t last = options_.seed ? first : test.seeds;
    script::ChaosCounts sums;
    std::vector<std::string> failing;
    uint64_t seeds = 0;
    for (uint64_t seed = first; seed <= last && failing.size() < failing_seeds_max; ++seed, ++seeds) {
      const TrialResult result = trial(file, number, seed);
      sums.requests += result.counts.requests;
      sums.answered += result.counts.answered;
      sums.cut += result.counts.cut;
      if (!result.failure) continue;
      failing.push_back(std::to_string(seed));
      if (failing.size() == 1) record.failure = failure_lines(result);
    }
    if (failing.empty()) {
      record.note = std::to_string(seeds) + (seeds == 1 ? " seed, " : " seeds, ") +
                    std::to_string(sums.requests) + " requests: " + std::to_string(sums.answered) +
                    " answered, " + std::to_string(sums.cut) + " cut";
      return;
    }
    std::string numbers;
    for (const std::string& seed : failing) numbers += (numbers.empty() ? "" : ", ") + seed;
    record.failure.insert(
        record.failure.begin() + 1,
        {"seeds that fail: " + numbers + "; this is the first, of " + std::to_string(seeds) +
             " that were run",
         "again: perilune test " + file + " --seed " + failing.front() + " --filter '" + test.name + "'"});
  }

  const TestOptions& options_;
  TestReport& report_;
  TestCoverage coverage_;
  std::set<std::string> files_;
};

int run_once(const TestOptions& options, std::set<std::string>& files_read) {
  const auto files = find_tests(options.paths);
  if (!files) {
    std::fprintf(stderr, "perilune: %s\n", files.error().detail.c_str());
    return 1;
  }
  TestReport report(options.format, stdout);
  TestRun run(options, report);
  for (const std::string& file : *files) run.run_file(file);
  report.finish();
  files_read = run.files();
  files_read.insert(files->begin(), files->end());
  // The other formats are for machines: what people read goes where it does not disturb them.
  if (options.wants_coverage)
    std::fputs(run.coverage().report().c_str(), options.format == TestFormat::Text ? stdout : stderr);
  if (report.passed() + report.failed() > 0) return report.failed() > 0;
  const std::string why = files->empty()
                              ? "there is no *_test.lua and no test.lua under the paths that were given"
                              : "no test has \"" + options.filter + "\" in its name";
  std::fprintf(stderr, "perilune: %s\n", why.c_str());
  return 1;
}

}  // namespace

int test(const TestOptions& options) {
  script::make_runs_repeatable();
  std::set<std::string> files;
  int code = run_once(options, files);
  if (!options.watches) return code;
  FileWatch watch;
  for (;;) {
    watch.follow({files.begin(), files.end()});
    const auto list = [&] {
      auto found = find_tests(options.paths);
      return found ? std::move(*found) : std::vector<std::string>();
    };
    const auto listed = list();
    std::fputs("waiting for a file to change\n", stderr);
    while (!watch.wait_for_change() && list() == listed) {
    }
    std::fputs("\n", stdout);
    code = run_once(options, files);
  }
}

}  // namespace perilune::app
