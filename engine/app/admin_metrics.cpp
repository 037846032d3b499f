#include <unistd.h>

#include <cstdio>

#include "app/admin_texts.hpp"
#include "filter/cluster_stats.hpp"

namespace perilune::app {
namespace {

using stats::Kind;

/// Puts the numbers of the process itself into a snapshot.
class Writer {
 public:
  explicit Writer(stats::Snapshot& snapshot) : snapshot_(snapshot) {}

  void add(const char* name, const char* help, Kind kind, double number) {
    add(name, help, kind, {}, {}, number);
  }
  void add(const char* name, const char* help, Kind kind, std::vector<std::string> labels,
           std::vector<std::string> values, double number) {
    stats::MetricSpec spec{.name = std::string("perilune_") + name,
                           .help = help,
                           .kind = kind,
                           .labels = std::move(labels),
                           .bounds = {},
                           .place = {}};
    snapshot_.add(std::move(spec), std::move(values), number);
  }

 private:
  stats::Snapshot& snapshot_;
};

double seconds(ProcessRecord::WallClock::time_point at) {
  return std::chrono::duration<double>(at.time_since_epoch()).count();
}

/// Resident bytes; 0 where the kernel does not say.
double resident_bytes() {
  long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void add_process(Writer& writer, const ProcessRecord::Facts& facts) {
  writer.add("info", "What runs.", Kind::Gauge, {"version"}, {facts.program_version}, 1);
  writer.add("start_time_seconds", "When the process began, in seconds since 1970.", Kind::Gauge,
             seconds(facts.started));
  writer.add("resident_memory_bytes", "Memory of the process.", Kind::Gauge, resident_bytes());
  writer.add("draining", "1 while the process waits for its last connections.", Kind::Gauge,
             facts.is_draining ? 1 : 0);
  writer.add("scripts_version", "Version of the scripts that serves; the first one is 1.", Kind::Gauge,
             static_cast<double>(facts.version));
  constexpr const char* reloads = "Reloads of the scripts, by what came of them.";
  writer.add("reloads_total", reloads, Kind::Counter, {"result"}, {"ok"},
             static_cast<double>(facts.reloads_done));
  writer.add("reloads_total", reloads, Kind::Counter, {"result"}, {"failed"},
             static_cast<double>(facts.reloads_failed));
  if (!facts.last_reload) return;
  writer.add("last_reload_successful", "1 unless the last reload failed.", Kind::Gauge,
             facts.last_reload->report.error.empty() ? 1 : 0);
  writer.add("last_reload_time_seconds", "When it was, in seconds since 1970.", Kind::Gauge,
             seconds(facts.last_reload->at));
  writer.add("last_reload_duration_seconds", "How long it took.", Kind::Gauge,
             to_seconds(facts.last_reload->report.took));
}

void add_workers(Writer& writer, const ProcessView& view) {
  for (size_t i = 0; i < view.workers.size(); ++i) {
    const std::vector<std::string> who{std::to_string(i)};
    writer.add("worker_silent", "1 for a worker that did not answer within a second: its numbers are old.",
               Kind::Gauge, {"worker"}, who, view.reports[i] ? 0 : 1);
    writer.add("worker_slow_turns_total", "Turns of a worker that took longer than a second.", Kind::Counter,
               {"worker"}, who, static_cast<double>(view.workers[i]->slow_turns()));
  }
}

void add_listeners(Writer& writer, const edge::ConnectionCounts& counts) {
  counts.each([&](const std::string& name, const edge::ListenerCounts& numbers) {
    // "0.0.0.0:80 0"; several scripts may each have a listener at port 0.
    const size_t space = name.rfind(' ');
    const bool is_first = name.substr(space) == " 0";
    const std::vector<std::string> who{is_first ? name.substr(0, space) : name};
    const auto add = [&](const char* metric, const char* help, const std::atomic<uint64_t>& number) {
      writer.add(metric, help, Kind::Counter, {"listener"}, who, static_cast<double>(number.load()));
    };
    writer.add("connections", "Connections of clients that are open, by listener.", Kind::Gauge, {"listener"},
               who, static_cast<double>(numbers.open()));
    add("connections_total", "Connections of clients that were accepted.", numbers.totals.accepted);
    add("connections_refused_total", "Connections reset at once: their client had too many.",
        numbers.totals.refused);
    add("connections_idle_ended_total", "Idle connections that were ended to make room.",
        numbers.totals.idle_ended);
    add("accept_pauses_total", "How often accepting paused because there were too many.",
        numbers.totals.pauses);
  });
}

void add_dictionaries(Writer& writer, const algo::SharedDictionaries& dictionaries) {
  for (const auto& [name, dictionary] : dictionaries.all()) {
    writer.add("shared_bytes", "Memory of a shared dictionary.", Kind::Gauge, {"dictionary"}, {name},
               static_cast<double>(dictionary->bytes()));
    writer.add("shared_values", "Values in a shared dictionary.", Kind::Gauge, {"dictionary"}, {name},
               static_cast<double>(dictionary->size()));
    writer.add("shared_evictions_total", "Values that went before their time because it was full.",
               Kind::Counter, {"dictionary"}, {name}, static_cast<double>(dictionary->evictions()));
  }
}

}  // namespace

std::string metrics_text(const ProcessView& view, const WorkerMetrics& of_workers,
                         const edge::ConnectionCounts& counts, const upstream::ClusterBoard& clusters,
                         const algo::SharedDictionaries& dictionaries) {
  stats::Snapshot snapshot;
  for (const stats::Snapshot& of_worker : of_workers) snapshot.add(of_worker);
  for (const auto& cluster : clusters.all()) filter::add_to(snapshot, *cluster);
  Writer writer(snapshot);
  add_process(writer, view.facts);
  add_workers(writer, view);
  add_listeners(writer, counts);
  add_dictionaries(writer, dictionaries);
  return snapshot.text();
}

}  // namespace perilune::app
