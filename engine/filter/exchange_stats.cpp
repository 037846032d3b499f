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

}  // namespace

void add_to(stats::Snapshot& snapshot, const ExchangeStats& counted) {
  const auto add = [&](std::string_view name, std::string_view help, uint64_t count) {
    snapshot.add(counter(name, help), {}, static_cast<double>(count));
  };
  add("sessions", "Connections of clients that speak HTTP.", counted.sessions);
  add("requests", "Requests whose head was read.", counted.requests);
  add("responses", "Heads of answers that were sent.", counted.responses);
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
