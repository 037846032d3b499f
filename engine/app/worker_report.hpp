#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/worker.hpp"
#include "stats/snapshot.hpp"

namespace perilune::app {

/// How a worker is, as plain values: made in its thread, read in another.
struct WorkerReport {
  size_t sessions = 0;
  size_t old_versions = 0;
  size_t lua_bytes = 0;
  /// The addresses that its scripts listen on: as asked for, and as bound.
  std::vector<std::pair<std::string, std::string>> listeners = {};
  /// Of the admin address.
  std::vector<std::string> pages = {};
  stats::Snapshot metrics = {};
  /// Name of a cluster, and what Cluster::explain says.
  std::vector<std::pair<std::string, std::string>> explanations = {};
  std::string graph = {};
};

/// What a report has beside numbers.
enum class Wanted : uint8_t { Numbers, Metrics, Explanations, GraphText, GraphMermaid, GraphSvg };
WorkerReport report_of(Worker& worker, Wanted wanted);

}  // namespace perilune::app
