#include "app/admin_texts.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdio>
#include <map>

#include "filter/cluster_stats.hpp"

namespace perilune::app {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

double unix_seconds(ProcessRecord::WallClock::time_point at) {
  return std::chrono::duration<double>(at.time_since_epoch()).count();
}

std::string line_of(const object& members) { return boost::json::serialize(members) + "\n"; }

object members_of(const ReloadReport& report) {
  object members{{"ok", report.error.empty()},
                 {"version", report.version},
                 {"seconds", to_seconds(report.took)},
                 {"moving", report.sessions.moving},
                 {"staying", report.sessions.staying}};
  if (!report.error.empty()) members["error"] = report.error;
  return members;
}

value worker_of(size_t index, const WorkerThread& worker, const std::optional<WorkerReport>& report) {
  object members{{"worker", index},
                 {"silent", !report.has_value()},
                 {"slowTurns", worker.slow_turns()},
                 {"busySeconds", to_seconds(worker.busy_for())}};
  if (report) {
    members["sessions"] = report->sessions;
    members["oldVersions"] = report->old_versions;
    members["luaBytes"] = report->lua_bytes;
  }
  return members;
}

/// Those that a worker's scripts have now; all workers have the same.
array listeners_of(const ProcessView& view, const edge::ConnectionCounts& counts) {
  std::map<std::string, std::string> bound;
  for (const auto& report : view.reports)
    if (report)
      for (const auto& [asked, local] : report->listeners) bound.emplace(asked, local);
  array listeners;
  counts.each([&](const std::string& name, const edge::ListenerCounts& numbers) {
    const std::string asked = name.substr(0, name.rfind(' '));
    const auto known = bound.find(asked);
    if (known == bound.end()) return;
    listeners.push_back(object{{"address", known->second},
                               {"open", numbers.open()},
                               {"accepted", numbers.totals.accepted.load()},
                               {"refused", numbers.totals.refused.load()},
                               {"idleEnded", numbers.totals.idle_ended.load()},
                               {"pauses", numbers.totals.pauses.load()}});
  });
  return listeners;
}

object numbers_of(const filter::ClusterTotals& totals) {
  return {{"connections", object{{"total", totals.connections},
                                 {"active", totals.leased},
                                 {"idle", totals.idle},
                                 {"connecting", totals.connecting},
                                 {"failed", totals.connect_failed},
                                 {"timedOut", totals.connect_timeout},
                                 {"closedIdle", totals.closed_idle},
                                 {"overflow", totals.overflow}}},
          {"requests", object{{"total", totals.requests},
                              {"active", totals.active},
                              {"pending", totals.waiting},
                              {"retried", totals.retried},
                              {"cancelled", totals.cancelled},
                              {"failed", totals.failed},
                              {"answers5xx", totals.answers_5xx}}},
          {"reuse", totals.reuse()},
          {"answerTime", object{{"mean", totals.answer_time.summary().mean},
                                {"p50", totals.answer_time.summary().p50},
                                {"p99", totals.answer_time.summary().p99}}}};
}

object cluster_of(const upstream::ClusterRecord& cluster) {
  object members = numbers_of(filter::totals_of(cluster));
  members["name"] = cluster.name;
  members["ejections"] = cluster.ejections();
  members["refused"] = cluster.refused.load(std::memory_order_relaxed);
  array endpoints;
  for (const upstream::EndpointRef& endpoint : cluster.members()) {
    object each = numbers_of(filter::totals_of(*endpoint));
    each["address"] = endpoint->name;
    each["health"] = filter::health_name(endpoint->health.load(std::memory_order_relaxed));
    each["ejected"] = endpoint->is_ejected.load(std::memory_order_relaxed);
    each["weight"] = endpoint->weight.load(std::memory_order_relaxed);
    each["priority"] = endpoint->priority.load(std::memory_order_relaxed);
    endpoints.push_back(std::move(each));
  }
  members["endpoints"] = std::move(endpoints);
  return members;
}

}  // namespace

std::string status_json(const ProcessView& view, const edge::ConnectionCounts& counts) {
  const ProcessRecord::Facts& facts = view.facts;
  array files;
  for (const std::string& file : facts.files) files.emplace_back(file);
  array workers;
  for (size_t i = 0; i < view.reports.size(); ++i)
    workers.push_back(worker_of(i, *view.workers[i], view.reports[i]));
  const auto age = std::chrono::steady_clock::now() - facts.began;
  object members{{"program", "perilune " + facts.program_version},
                 {"pid", static_cast<int64_t>(::getpid())},
                 {"state", facts.is_draining ? "draining" : "serving"},
                 {"startedAt", unix_seconds(facts.started)},
                 {"uptimeSeconds", std::chrono::duration<double>(age).count()},
                 {"files", std::move(files)},
                 {"version", facts.version},
                 {"reloads", object{{"ok", facts.reloads_done}, {"failed", facts.reloads_failed}}},
                 {"lastReload", nullptr},
                 {"workers", std::move(workers)},
                 {"listeners", listeners_of(view, counts)}};
  if (facts.last_reload) {
    object last = members_of(facts.last_reload->report);
    last["at"] = unix_seconds(facts.last_reload->at);
    members["lastReload"] = std::move(last);
  }
  return line_of(members);
}

std::string upstreams_json(const upstream::ClusterBoard& clusters,
                           const std::vector<std::optional<WorkerReport>>& reports) {
  array all;
  for (const auto& cluster : clusters.all()) {
    object members = cluster_of(*cluster);
    object explanations;
    for (size_t i = 0; i < reports.size(); ++i)
      if (reports[i])
        for (const auto& [name, text] : reports[i]->explanations)
          if (name == cluster->name) explanations["worker " + std::to_string(i)] = text;
    members["explain"] = std::move(explanations);
    all.push_back(std::move(members));
  }
  return line_of(object{{"upstreams", std::move(all)}});
}

std::string report_json(const ReloadReport& report) {
  object members = members_of(report);
  members["sentence"] = report_sentence(report);
  return line_of(members);
}

std::string report_sentence(const ReloadReport& report) {
  char took[32];
  std::snprintf(took, sizeof took, "%.1f ms", to_seconds(report.took) * 1000);
  return "version " + std::to_string(report.version) + " serves, loaded in " + took +
         "; of the connections " + std::to_string(report.sessions.moving) + " move, " +
         std::to_string(report.sessions.staying) + " end with the version before";
}

std::string pages_text(const std::vector<std::optional<WorkerReport>>& reports) {
  std::string text = "/health /metrics /pipelines /status /upstreams, POST /reload /stop";
  if (!reports.empty() && reports[0])
    for (const std::string& page : reports[0]->pages) text += ", " + page;
  return text;
}

}  // namespace perilune::app
