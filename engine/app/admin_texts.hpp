#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/process_record.hpp"
#include "app/worker_report.hpp"
#include "app/worker_thread.hpp"

namespace perilune::app {

/// What the admin address says, as text: JSON, and Prometheus' exposition format 0.0.4.

struct ProcessView {
  ProcessRecord::Facts facts;
  /// None of a worker that did not answer in time.
  const std::vector<std::optional<WorkerReport>>& reports;
  const std::vector<std::unique_ptr<WorkerThread>>& workers;
};
/// The metrics of each worker, where it is silent those that it gave last: a counter does not go back.
using WorkerMetrics = std::vector<stats::Snapshot>;

std::string status_json(const ProcessView& view, const edge::ConnectionCounts& counts);
std::string upstreams_json(const upstream::ClusterBoard& clusters,
                           const std::vector<std::optional<WorkerReport>>& reports);
std::string report_json(const ReloadReport& report);
/// A reload in words, for the log and for people.
std::string report_sentence(const ReloadReport& report);
/// The paths of all pages, in a line.
std::string pages_text(const std::vector<std::optional<WorkerReport>>& reports);
std::string metrics_text(const ProcessView& view, const WorkerMetrics& of_workers,
                         const edge::ConnectionCounts& counts, const upstream::ClusterBoard& clusters,
                         const algo::SharedDictionaries& dictionaries);

}  // namespace perilune::app
