#include "filter/exchange_stats.hpp"

#include <gtest/gtest.h>

namespace perilune::filter {
namespace {

TEST(ExchangeStats, AreMetricsOfTheEngine) {
  ExchangeStats one, two;
  one.sessions = 1;
  one.requests = 3;
  one.count_response(204, 3ms);
  two.count_response(404, 20s);
  one.cut = 1;
  one.count(ErrorCode::ConnectFailure);
  two.requests = 4;
  two.tunnels = 5;
  two.stale_retries = 6;
  two.count(ErrorCode::ConnectFailure);
  two.count(ErrorCode::NoRoute);
  stats::Snapshot snapshot;
  add_to(snapshot, one);
  add_to(snapshot, two);
  EXPECT_EQ(snapshot.text(),
            "# HELP perilune_cut_total Answers that were cut after they had begun.\n"
            "# TYPE perilune_cut_total counter\n"
            "perilune_cut_total 1\n"
            "# HELP perilune_errors_total Requests that failed, by code.\n"
            "# TYPE perilune_errors_total counter\n"
            "perilune_errors_total{code=\"connect-failure\"} 2\n"
            "perilune_errors_total{code=\"no-route\"} 1\n"
            "# HELP perilune_requests_total Requests whose head was read.\n"
            "# TYPE perilune_requests_total counter\n"
            "perilune_requests_total 7\n"
            "# HELP perilune_response_seconds Times from the head of a request to the head of its answer.\n"
            "# TYPE perilune_response_seconds histogram\n"
            "perilune_response_seconds_bucket{le=\"3.2e-05\"} 0\n"
            "perilune_response_seconds_bucket{le=\"6.4e-05\"} 0\n"
            "perilune_response_seconds_bucket{le=\"0.000128\"} 0\n"
            "perilune_response_seconds_bucket{le=\"0.000256\"} 0\n"
            "perilune_response_seconds_bucket{le=\"0.000512\"} 0\n"
            "perilune_response_seconds_bucket{le=\"0.001024\"} 0\n"
            "perilune_response_seconds_bucket{le=\"0.002048\"} 0\n"
            "perilune_response_seconds_bucket{le=\"0.004096\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.008192\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.016384\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.032768\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.065536\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.131072\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.262144\"} 1\n"
            "perilune_response_seconds_bucket{le=\"0.524288\"} 1\n"
            "perilune_response_seconds_bucket{le=\"1.048576\"} 1\n"
            "perilune_response_seconds_bucket{le=\"2.097152\"} 1\n"
            "perilune_response_seconds_bucket{le=\"4.194304\"} 1\n"
            "perilune_response_seconds_bucket{le=\"8.388608\"} 1\n"
            "perilune_response_seconds_bucket{le=\"+Inf\"} 2\n"
            "perilune_response_seconds_sum 20.003\n"
            "perilune_response_seconds_count 2\n"
            "# HELP perilune_responses_total Answers that were begun, by the class of their status.\n"
            "# TYPE perilune_responses_total counter\n"
            "perilune_responses_total{class=\"1xx\"} 0\n"
            "perilune_responses_total{class=\"2xx\"} 1\n"
            "perilune_responses_total{class=\"3xx\"} 0\n"
            "perilune_responses_total{class=\"4xx\"} 1\n"
            "perilune_responses_total{class=\"5xx\"} 0\n"
            "# HELP perilune_sessions_total Connections of clients that speak HTTP.\n"
            "# TYPE perilune_sessions_total counter\n"
            "perilune_sessions_total 1\n"
            "# HELP perilune_stale_retries_total Requests sent again after a stale connection.\n"
            "# TYPE perilune_stale_retries_total counter\n"
            "perilune_stale_retries_total 6\n"
            "# HELP perilune_tunnels_total Requests that became a tunnel.\n"
            "# TYPE perilune_tunnels_total counter\n"
            "perilune_tunnels_total 5\n");
}

}  // namespace
}  // namespace perilune::filter
