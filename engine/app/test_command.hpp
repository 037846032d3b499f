#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/test_report.hpp"

namespace perilune::app {

struct TestOptions {
  /// Files, and folders in which `*_test.lua` and `test.lua` are looked for.
  std::vector<std::string> paths = {"."};
  TestFormat format = TestFormat::Text;
  /// Only tests whose name has this in it.
  std::string filter = {};
  /// The seed of every test, and the only one of chaos runs.
  std::optional<uint64_t> seed = {};
  bool wants_coverage = false;
  /// Runs again whenever a file changes that was read; ends by a signal.
  bool watches = false;
};

/// Runs tests of scripts on the simulated network. The report goes to the standard output. Returns the
/// process's exit code: 0 when there were tests and all passed, else 1.
int test(const TestOptions& options);

/// The files of tests under these paths, sorted. Errors (Side::Script): a path that does not exist.
Result<std::vector<std::string>> find_tests(const std::vector<std::string>& paths);

}  // namespace perilune::app
