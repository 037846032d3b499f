#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/place.hpp"
#include "sim/network.hpp"

namespace perilune::script {

/// What a file of tests declares.
struct DeclaredTest {
  std::string name;
  Place place;
  /// Of test.chaos: how many seeds it wants; 0 for a test.
  uint32_t seeds = 0;
};

/// A script to test.
struct TestLoad {
  std::string path;
  unsigned workers = 1;
  /// What os.env answers; there is nothing else in it.
  std::map<std::string, std::string> environment = {};
  /// Files in front of those on disk, by path.
  std::map<std::string, std::string> files = {};
};

/// What the requests of a chaos run came to.
struct ChaosCounts {
  uint64_t requests = 0;
  uint64_t answered = 0;
  uint64_t cut = 0;
};

/// Why a test failed.
struct TestFailure {
  /// Lines: what was expected and what came, or what was raised.
  std::string message;
  /// Where, the innermost first: "proxy_test.lua:12".
  std::vector<std::string> places = {};
};

/// Who runs a file of tests: one test a run, in a world of its own. The scripts under test are processes in
/// that world, and the file itself stands outside of them.
class TestHost {
 public:
  virtual sim::SimWorld& world() = 0;
  virtual sim::SimWorker& outside() = 0;
  /// The test to run, from 1; 0 when they are only to be declared.
  virtual size_t chosen() const = 0;
  virtual void declare(DeclaredTest test) = 0;

  /// Loads a script and starts it; gives its number. Errors (Side::Script): "file:line: sentence".
  virtual Result<size_t> load(const TestLoad& what) = 0;
  /// Where it listens.
  virtual std::vector<net::Address> listens(size_t process) const = 0;
  /// Replaces the script by what is in `file` now; empty: in its own. Errors (Side::Script).
  virtual Result<void> reload(size_t process, const std::string& file) = 0;
  /// Client connections that are open.
  virtual size_t sessions(size_t process) const = 0;

  /// The log so far.
  virtual const std::string& log() const = 0;
  /// The test waits on purpose: this much more time may pass.
  virtual void allow(Duration time) = 0;
  /// A failure besides what the test itself raises; the first one counts.
  virtual void fail(TestFailure failure) = 0;
  virtual void count(const ChaosCounts& counts) = 0;
  /// The test is over.
  virtual void finish() = 0;

 protected:
  ~TestHost() = default;
};

}  // namespace perilune::script
