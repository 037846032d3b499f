#include "app/worker_report.hpp"

#include "filter/exchange_stats.hpp"
#include "filter/upstream_object.hpp"

namespace perilune::app {
namespace {

void add_gauge(stats::Snapshot& snapshot, const char* name, const char* help, size_t value) {
  stats::MetricSpec spec{
      .name = name, .help = help, .kind = stats::Kind::Gauge, .labels = {}, .bounds = {}, .place = {}};
  snapshot.add(std::move(spec), {}, static_cast<double>(value));
}

stats::Snapshot metrics_of(const Worker& worker, const WorkerReport& report) {
  stats::Snapshot snapshot;
  snapshot.add(worker.services().metrics);
  filter::add_to(snapshot, worker.services().stats);
  add_gauge(snapshot, "perilune_sessions", "Connections of clients that are open.", report.sessions);
  add_gauge(snapshot, "perilune_old_versions",
            "Replaced versions of the scripts that still have connections, over all workers.",
            report.old_versions);
  add_gauge(snapshot, "perilune_lua_heap_bytes", "Memory of the scripts' Lua states.", report.lua_bytes);
  return snapshot;
}

}  // namespace

WorkerReport report_of(Worker& worker, Wanted wanted) {
  WorkerReport report;
  report.sessions = worker.sessions();
  report.old_versions = worker.old_versions();
  report.lua_bytes = worker.lua_bytes();
  const Version* const version = worker.serving();
  if (!version) return report;
  for (const auto& server : version->servers())
    report.listeners.emplace_back(server->address().to_string(), server->local().to_string());
  for (const auto& state : version->states())
    for (std::string& page : state->admin_pages()) report.pages.push_back(std::move(page));
  switch (wanted) {
    case Wanted::Numbers: break;
    case Wanted::Metrics:
      for (const filter::UpstreamObject* upstream : worker.services().upstreams) upstream->cluster->publish();
      report.metrics = metrics_of(worker, report);
      break;
    case Wanted::Explanations:
      for (const auto& program : version->programs())
        for (const auto& upstream : program->upstreams) {
          upstream->cluster->publish();
          report.explanations.emplace_back(upstream->name, upstream->cluster->explain(""));
        }
      break;
    case Wanted::GraphText:
    case Wanted::GraphMermaid:
      for (const auto& program : version->programs())
        report.graph +=
            wanted == Wanted::GraphText ? filter::graph_text(*program) : filter::graph_mermaid(*program);
      break;
    case Wanted::GraphSvg: {
      std::vector<const filter::Program*> programs;
      for (const auto& program : version->programs()) programs.push_back(program.get());
      report.graph = filter::graph_svg(programs);
      break;
    }
  }
  return report;
}

}  // namespace perilune::app
