#include "filter/exchange_stats.hpp"

namespace perilune::filter {
namespace {

stats::MetricSpec counter(std::string_view name, std::string_view help,
                          std::vector<std::string> labels = {}) {
  return {.name = "perilune_" + std::string(name) + "_total",
          .help = std::string(help),
          .kind = stats::Kind::Counter,
          .labels = std::move(labels),
          .bounds = {},
          .place = {}};
}

void add_times(stats::Snapshot& snapshot, const upstream::DurationHistogram& times) {
  stats::MetricSpec spec{.name = "perilune_response_seconds",
                         .help = "Times from the head of a request to the head of its answer.",
                         .kind = stats::Kind::Histogram,
                         .labels = {},
                         .bounds = {},
                         .place = {}};
  stats::Series series{static_cast<double>(times.sum_micros.get()) / 1e6, {}};
  for (size_t i = 0; i < times.buckets.size(); ++i) {
    if (i + 1 < times.buckets.size()) spec.bounds.push_back(times.bound_of(i));
    series.buckets.push_back(times.buckets[i].get());
  }
  snapshot.add(std::move(spec), {}, series);
}

}  // namespace

void add_to(stats::Snapshot& snapshot, const ExchangeStats& counted) {
  const auto add = [&](std::string_view name, std::string_view help, uint64_t count) {
    snapshot.add(counter(name, help), {}, static_cast<double>(count));
  };
  add("sessions", "Connections of clients that speak HTTP.", counted.sessions);
  add("requests", "Requests whose head was read.", counted.requests);
  for (size_t i = 1; i < counted.responses_by_class.size(); ++i)
    snapshot.add(counter("responses", "Answers that were begun, by the class of their status.", {"class"}),
                 {std::to_string(i) + "xx"}, static_cast<double>(counted.responses_by_class[i]));
  add_times(snapshot, counted.response_times);
  add("tunnels", "Requests that became a tunnel.", counted.tunnels);
  add("cut", "Answers that were cut after they had begun.", counted.cut);
  add("stale_retries", "Requests sent again after a stale connection.", counted.stale_retries);
  for (size_t i = 0; i < counted.errors.size(); ++i) {
    if (counted.errors[i] == 0) continue;
    snapshot.add(counter("errors", "Requests that failed, by code.", {"code"}),
                 {std::string(code_name(static_cast<ErrorCode>(i)))}, static_cast<double>(counted.errors[i]));
  }
}

}  // namespace perilune::filter
