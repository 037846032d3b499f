#pragma once

#include <array>
#include <cstdint>

#include "base/error.hpp"
#include "base/time.hpp"
#include "stats/snapshot.hpp"
#include "upstream/endpoint.hpp"

namespace perilune::filter {

/// What a worker counts about its exchanges. Written by that worker only.
struct ExchangeStats {
  uint64_t sessions = 0;
  uint64_t requests = 0;
  uint64_t responses = 0;
  /// By the first digit of the status: 2 for 200 to 299.
  std::array<uint64_t, 6> responses_by_class{};
  /// From the head of a request to the head of its answer, as seen by turns of the loop.
  upstream::DurationHistogram response_times;
  uint64_t tunnels = 0;
  /// Exchanges whose answer was cut after it began.
  uint64_t cut = 0;
  /// Requests sent again after a stale connection.
  uint64_t stale_retries = 0;
  std::array<uint64_t, error_code_count> errors{};

  void count_response(int status, Duration took) {
    ++responses;
    ++responses_by_class[static_cast<size_t>(status / 100) % responses_by_class.size()];
    response_times.observe(took);
  }
  void count(ErrorCode code) { ++errors[static_cast<size_t>(code)]; }
};

/// Adds them under the engine's own names: perilune_sessions_total, perilune_requests_total,
/// perilune_responses_total{class="2xx"}, perilune_response_seconds, perilune_tunnels_total,
/// perilune_cut_total, perilune_stale_retries_total and perilune_errors_total{code="connect-failure"}, those
/// codes that occurred.
void add_to(stats::Snapshot& snapshot, const ExchangeStats& counted);

/// Lets through the first few log lines of a kind each second: a failing upstream must not fill a disk.
class LogLimit {
 public:
  bool allows(Instant now, size_t kind) {
    if (now - second_ >= 1s) {
      second_ = now;
      counts_.fill(0);
    }
    return ++counts_[kind] <= lines_a_second;
  }

 private:
  static constexpr uint32_t lines_a_second = 10;
  Instant second_{};
  std::array<uint32_t, error_code_count> counts_{};
};

}  // namespace perilune::filter
