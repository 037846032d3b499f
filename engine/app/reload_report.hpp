#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "edge/server.hpp"

namespace perilune::app {

/// How a reload ended.
struct ReloadReport {
  /// Why nothing has changed: a sentence with file:line, and lines of a traceback where there is one. Empty:
  /// the new version serves.
  std::string error = {};
  /// That serves now; the first one is 1.
  uint64_t version = 1;
  Duration took{};
  /// Of all workers.
  edge::Departures sessions = {};
};

}  // namespace perilune::app
