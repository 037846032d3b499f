#include "filter/cluster_stats.hpp"

#include <numeric>

namespace perilune::filter {
namespace {

using upstream::DurationHistogram;

using Number = uint64_t ClusterTotals::*;
using Counter = upstream::Count upstream::EndpointCounts::*;

constexpr std::array<std::pair<Number, Counter>, 18> plain_numbers{{
    {&ClusterTotals::leased, &upstream::EndpointCounts::leased},
    {&ClusterTotals::idle, &upstream::EndpointCounts::idle},
    {&ClusterTotals::connecting, &upstream::EndpointCounts::connecting},
    {&ClusterTotals::waiting, &upstream::EndpointCounts::waiting},
    {&ClusterTotals::connections, &upstream::EndpointCounts::connections},
    {&ClusterTotals::connect_failed, &upstream::EndpointCounts::connect_failed},
    {&ClusterTotals::connect_timeout, &upstream::EndpointCounts::connect_timeout},
    {&ClusterTotals::closed_idle, &upstream::EndpointCounts::closed_idle},
    {&ClusterTotals::unexpected_data, &upstream::EndpointCounts::unexpected_data},
    {&ClusterTotals::overflow, &upstream::EndpointCounts::overflow},
    {&ClusterTotals::requests, &upstream::EndpointCounts::requests},
    {&ClusterTotals::sent, &upstream::EndpointCounts::sent},
    {&ClusterTotals::reused, &upstream::EndpointCounts::reused},
    {&ClusterTotals::failed, &upstream::EndpointCounts::failed},
    {&ClusterTotals::answers_5xx, &upstream::EndpointCounts::answers_5xx},
    {&ClusterTotals::retried, &upstream::EndpointCounts::retried},
    {&ClusterTotals::stale_retries, &upstream::EndpointCounts::stale_retries},
    {&ClusterTotals::cancelled, &upstream::EndpointCounts::cancelled},
}};

struct MetricRow {
  const char* name;
  const char* help;
  stats::Kind kind;
  Number number;
};
constexpr std::array<MetricRow, 14> metric_rows{{
    {"requests_total", "Tries of requests", stats::Kind::Counter, &ClusterTotals::requests},
    {"requests_active", "Tries under way", stats::Kind::Gauge, &ClusterTotals::active},
    {"requests_pending", "Requests that wait for a connection", stats::Kind::Gauge, &ClusterTotals::waiting},
    {"requests_failed_total", "Tries without an answer", stats::Kind::Counter, &ClusterTotals::failed},
    {"requests_retried_total", "Tries after the first", stats::Kind::Counter, &ClusterTotals::retried},
    {"requests_stale_total", "Requests sent again because an idle connection was dead", stats::Kind::Counter,
     &ClusterTotals::stale_retries},
    {"requests_cancelled_total", "Requests whose client left", stats::Kind::Counter,
     &ClusterTotals::cancelled},
    {"requests_overflow_total", "Requests refused because too many wait", stats::Kind::Counter,
     &ClusterTotals::overflow},
    {"requests_reused_total", "Requests on a connection that had served before", stats::Kind::Counter,
     &ClusterTotals::reused},
    {"responses_5xx_total", "Answers with a status of 500 or more", stats::Kind::Counter,
     &ClusterTotals::answers_5xx},
    {"connections_total", "Connections made", stats::Kind::Counter, &ClusterTotals::connections},
    {"connections_failed_total", "Connects that failed", stats::Kind::Counter,
     &ClusterTotals::connect_failed},
    {"connections_timeout_total", "Connects that took too long", stats::Kind::Counter,
     &ClusterTotals::connect_timeout},
    {"connections_unexpected_data_total", "Idle connections that sent something", stats::Kind::Counter,
     &ClusterTotals::unexpected_data},
}};

stats::MetricSpec spec_of(const char* name, const char* help, stats::Kind kind,
                          std::vector<std::string> labels) {
  stats::MetricSpec spec;
  spec.name = std::string("perilune_upstream_") + name;
  spec.help = help;
  spec.kind = kind;
  spec.labels = std::move(labels);
  return spec;
}

void add_times(stats::Snapshot& snapshot, const char* name, const char* help,
               const std::vector<std::string>& who, const DurationTotals& totals) {
  stats::MetricSpec spec = spec_of(name, help, stats::Kind::Histogram, {"cluster", "endpoint"});
  for (size_t i = 0; i + 1 < totals.buckets.size(); ++i)
    spec.bounds.push_back(DurationHistogram::bound_of(i));
  stats::Series series{static_cast<double>(totals.sum_micros) / 1e6,
                       {totals.buckets.begin(), totals.buckets.end()}};
  snapshot.add(std::move(spec), who, series);
}

void add_endpoint(stats::Snapshot& snapshot, const std::string& cluster,
                  const upstream::EndpointRecord& endpoint) {
  const std::vector<std::string> who{cluster, endpoint.name};
  const ClusterTotals totals = totals_of(endpoint);
  for (const MetricRow& row : metric_rows)
    snapshot.add(spec_of(row.name, row.help, row.kind, {"cluster", "endpoint"}), who,
                 static_cast<double>(totals.*row.number));

  const auto add_labelled = [&](const char* name, const char* help, stats::Kind kind, const char* label,
                                std::string_view value, uint64_t number) {
    snapshot.add(spec_of(name, help, kind, {"cluster", "endpoint", label}),
                 {cluster, endpoint.name, std::string(value)}, static_cast<double>(number));
  };
  const auto add_state = [&](const char* state, uint64_t number) {
    add_labelled("connections", "Open connections", stats::Kind::Gauge, "state", state, number);
  };
  add_state("active", totals.leased);
  add_state("idle", totals.idle);
  add_state("connecting", totals.connecting);
  const auto add_closed = [&](std::string_view reason, uint64_t number) {
    add_labelled("connections_closed_total", "Connections that ended while idle", stats::Kind::Counter,
                 "reason", reason, number);
  };
  for (int i = 0; i < algo::close_reason_count; ++i)
    add_closed(algo::reason_name(static_cast<algo::CloseReason>(i)), totals.closed[static_cast<size_t>(i)]);
  add_closed("closed-idle", totals.closed_idle);

  const auto add_flag = [&](const char* name, const char* help, bool flag) {
    snapshot.add(spec_of(name, help, stats::Kind::Gauge, {"cluster", "endpoint"}), who, flag ? 1.0 : 0.0);
  };
  add_flag("endpoint_healthy", "1 unless checks say that it is not",
           endpoint.health.load(std::memory_order_relaxed) != algo::Health::Unhealthy);
  add_flag("endpoint_ejected", "1 while it is left out after failures",
           endpoint.is_ejected.load(std::memory_order_relaxed));
  add_times(snapshot, "queue_wait_seconds", "Waits for a connection", who, totals.queue_wait);
  add_times(snapshot, "connect_seconds", "Times to connect", who, totals.connect_time);
  add_times(snapshot, "answer_seconds", "Times to the head of the answer", who, totals.answer_time);
}

}  // namespace

void DurationTotals::add(const DurationHistogram& histogram) {
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += histogram.buckets[i].get();
  sum_micros += histogram.sum_micros.get();
}

void DurationTotals::add(const DurationTotals& other) {
  for (size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.buckets[i];
  sum_micros += other.sum_micros;
}

uint64_t DurationTotals::count() const {
  return std::accumulate(buckets.begin(), buckets.end(), uint64_t{0});
}

double DurationTotals::percentile(double percent) const {
  double left = static_cast<double>(count()) * percent / 100;
  for (size_t i = 0; i + 1 < buckets.size(); ++i) {
    const auto inside = static_cast<double>(buckets[i]);
    const double begin = i == 0 ? 0 : DurationHistogram::bound_of(i - 1);
    if (inside > 0 && left <= inside) return begin + (DurationHistogram::bound_of(i) - begin) * left / inside;
    left -= inside;
  }
  return count() == 0 ? 0 : DurationHistogram::bound_of(buckets.size() - 2);
}

DurationSummary DurationTotals::summary() const {
  DurationSummary summary;
  summary.count = count();
  if (summary.count == 0) return summary;
  summary.mean = static_cast<double>(sum_micros) / 1e6 / static_cast<double>(summary.count);
  summary.p50 = percentile(50);
  summary.p95 = percentile(95);
  summary.p99 = percentile(99);
  return summary;
}

void ClusterTotals::add(const upstream::EndpointCounts& counts) {
  for (const auto& [number, count] : plain_numbers) this->*number += (counts.*count).get();
  for (size_t i = 0; i < closed.size(); ++i) closed[i] += counts.closed[i].get();
  queue_wait.add(counts.queue_wait);
  connect_time.add(counts.connect_time);
  answer_time.add(counts.answer_time);
}

void ClusterTotals::add(const ClusterTotals& other) {
  for (const auto& [number, count] : plain_numbers) this->*number += other.*number;
  active += other.active;
  for (size_t i = 0; i < closed.size(); ++i) closed[i] += other.closed[i];
  queue_wait.add(other.queue_wait);
  connect_time.add(other.connect_time);
  answer_time.add(other.answer_time);
}

double ClusterTotals::reuse() const {
  return sent == 0 ? 0 : static_cast<double>(reused) / static_cast<double>(sent);
}

ClusterTotals totals_of(const upstream::EndpointRecord& endpoint) {
  ClusterTotals totals;
  endpoint.each_counts([&](const upstream::EndpointCounts& counts) { totals.add(counts); });
  totals.active = endpoint.active.load(std::memory_order_relaxed);
  return totals;
}

ClusterTotals totals_of(const upstream::ClusterRecord& cluster) {
  ClusterTotals totals;
  for (const upstream::EndpointRef& endpoint : cluster.members()) totals.add(totals_of(*endpoint));
  totals.overflow += cluster.refused.load(std::memory_order_relaxed);
  return totals;
}

std::string_view health_name(algo::Health health) {
  if (health == algo::Health::Unknown) return "unknown";
  return health == algo::Health::Healthy ? "healthy" : "unhealthy";
}

void add_to(stats::Snapshot& snapshot, const upstream::ClusterRecord& cluster) {
  for (const upstream::EndpointRef& endpoint : cluster.members())
    add_endpoint(snapshot, cluster.name, *endpoint);
  snapshot.add(
      spec_of("ejections_total", "Endpoints left out after failures", stats::Kind::Counter, {"cluster"}),
      {cluster.name}, static_cast<double>(cluster.ejections()));
  snapshot.add(spec_of("refused_total", "Requests refused at maxRequests", stats::Kind::Counter, {"cluster"}),
               {cluster.name}, static_cast<double>(cluster.refused.load(std::memory_order_relaxed)));
}

}  // namespace perilune::filter
