#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "app/test_trial.hpp"

namespace perilune::app {

enum class TestFormat : uint8_t { Text, Tap, JUnit };

/// One test that was run.
struct TestRecord {
  std::string file;
  std::string name;
  Place place;
  /// Of real time.
  double seconds = 0;
  /// Empty: it passed.
  std::vector<std::string> failure = {};
  /// Behind the name: what a chaos run came to.
  std::string note = {};
};

/// The lines that tell of a failed trial: what, where, what the exchanges went through, what was logged.
std::vector<std::string> failure_lines(const TrialResult& result);

/// Writes what came of a run of tests to `out`, as it comes or at the end.
class TestReport {
 public:
  TestReport(TestFormat format, std::FILE* out) : format_(format), out_(out) {}
  void begin_file(const std::string& file);
  void add(const TestRecord& record);
  void finish();
  size_t passed() const { return passed_; }
  size_t failed() const { return failed_; }

 private:
  void write(const std::string& text);
  void begin();
  void add_text(const TestRecord& record);
  void add_tap(const TestRecord& record);
  void write_junit();

  const TestFormat format_;
  std::FILE* const out_;
  bool has_begun_ = false;
  std::vector<TestRecord> records_;  // for JUnit, whose head has the sums
  size_t passed_ = 0;
  size_t failed_ = 0;
};

}  // namespace perilune::app
