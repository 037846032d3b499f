#pragma once

#include <array>
#include <cstdint>

#include "stats/snapshot.hpp"
#include "upstream/cluster_record.hpp"

namespace perilune::filter {

/// In seconds. Percentiles are read off buckets that double from 32 us on: right to a factor of two, and 8.4
/// s for all that is more.
struct DurationSummary {
  uint64_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
};

/// A histogram of durations, of several workers together.
struct DurationTotals {
  std::array<uint64_t, upstream::DurationHistogram::bucket_count> buckets{};
  uint64_t sum_micros = 0;

  void add(const upstream::DurationHistogram& histogram);
  void add(const DurationTotals& other);
  uint64_t count() const;
  DurationSummary summary() const;

 private:
  double percentile(double percent) const;
};

/// What all workers have counted, of one endpoint or of several together.
struct ClusterTotals {
  // as they stand; other workers bring theirs up to date once a second
  uint64_t leased = 0;
  uint64_t idle = 0;
  uint64_t connecting = 0;
  uint64_t waiting = 0;
  uint64_t active = 0;
  // since the beginning
  uint64_t connections = 0;
  uint64_t connect_failed = 0;
  uint64_t connect_timeout = 0;
  uint64_t closed_idle = 0;
  uint64_t unexpected_data = 0;
  uint64_t overflow = 0;
  std::array<uint64_t, algo::close_reason_count> closed{};
  uint64_t requests = 0;  ///< tries
  uint64_t sent = 0;      ///< tries that had a connection
  uint64_t reused = 0;
  uint64_t failed = 0;
  uint64_t answers_5xx = 0;
  uint64_t retried = 0;
  uint64_t stale_retries = 0;
  uint64_t cancelled = 0;
  DurationTotals queue_wait;
  DurationTotals connect_time;
  DurationTotals answer_time;

  void add(const upstream::EndpointCounts& counts);
  void add(const ClusterTotals& other);
  /// The part of what was sent that went on a connection which had served before; 0 when nothing was.
  double reuse() const;
};

ClusterTotals totals_of(const upstream::EndpointRecord& endpoint);
/// Of the endpoints that it has now.
ClusterTotals totals_of(const upstream::ClusterRecord& cluster);
std::string_view health_name(algo::Health health);

/// Adds the numbers of a cluster as `perilune_upstream_…`, with the labels `cluster` and `endpoint`.
void add_to(stats::Snapshot& snapshot, const upstream::ClusterRecord& cluster);

}  // namespace perilune::filter
