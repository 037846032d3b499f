#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "algo/health_counter.hpp"
#include "algo/outlier.hpp"
#include "algo/pool_types.hpp"
#include "base/time.hpp"
#include "net/address.hpp"
#include "upstream/count.hpp"

namespace perilune::upstream {

/// A member of a cluster as it is declared or discovered. A name that needs resolving is looked up at each
/// dial.
struct EndpointSpec {
  net::Address address;
  uint32_t weight = 1;
  /// 0 is asked first; the next ones when too few before them are healthy.
  uint32_t priority = 0;
};

/// How long things took, in buckets that double: up to 32 us, 64 us, 128 us … 8.4 s, and longer. One worker
/// writes.
class DurationHistogram {
 public:
  static constexpr size_t bucket_count = 20;
  static constexpr uint64_t first_micros = 32;
  static constexpr double bound_of(size_t bucket) {
    return 1e-6 * static_cast<double>(first_micros << bucket);
  }

  void observe(Duration took) {
    const auto micros =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    size_t bucket = 0;
    while (bucket + 1 < bucket_count && micros > (first_micros << bucket)) ++bucket;
    buckets[bucket].add();
    sum_micros.add(micros);
  }

  std::array<Count, bucket_count> buckets;
  Count sum_micros;
};

/// What one worker counts of one endpoint. Written by that worker, read by any.
struct alignas(64) EndpointCounts {
  // as they stand
  Count leased;
  Count idle;
  Count connecting;
  Count waiting;
  // since the beginning
  Count connections;     // that were connected
  Count connect_failed;  // refused, unreachable, not resolved
  Count connect_timeout;
  Count reused;       // leases of a connection that had served before
  Count closed_idle;  // by the other side
  Count unexpected_data;
  std::array<Count, algo::close_reason_count> closed;  // by us, for each reason
  Count floor_blocked;                                 // wanted for the floor, and no room
  Count queued;
  Count overflow;  // refused, because too many wait already
  Count requests;  // tries
  Count sent;      // tries that had a connection
  Count failed;    // tries without an answer
  Count answers_5xx;
  Count retried;  // tries after the first
  Count stale_retries;
  Count cancelled;  // by their client
  DurationHistogram queue_wait;
  DurationHistogram connect_time;
  DurationHistogram answer_time;  // to the answer's head
};

/// One endpoint in the process: all workers share it. Members say how they may be touched.
class EndpointRecord {
 public:
  EndpointRecord(const EndpointSpec& spec, uint64_t its_serial, unsigned workers);
  ~EndpointRecord();
  EndpointRecord(const EndpointRecord&) = delete;
  EndpointRecord& operator=(const EndpointRecord&) = delete;

  const net::Address address;
  const std::string name;
  /// Hash of the name: what hashing and stickiness go by.
  const uint64_t identity;
  /// Tells one that was removed and came back from the one that it was.
  const uint64_t serial;

  // any thread
  std::atomic<uint32_t> weight;
  std::atomic<uint32_t> priority;
  std::atomic<uint32_t> active{0};  // requests under way
  std::atomic<algo::Health> health{algo::Health::Unknown};
  std::atomic<bool> is_ejected{false};
  std::atomic<bool> is_removed{false};
  std::atomic<bool> has_failures{false};  // since its last success
  /// When it joined or became healthy, in nanoseconds of the loop's clock: where its slow start begins.
  std::atomic<int64_t> joined{0};
  /// Of this worker, made at the first use: of thousands of endpoints most are never used by most workers.
  EndpointCounts& counts(unsigned worker) {
    EndpointCounts* mine = counts_[worker].load(std::memory_order_acquire);
    return mine ? *mine : make_counts(worker);
  }
  /// Null before the first use.
  EndpointCounts* known_counts(unsigned worker) const {
    return counts_[worker].load(std::memory_order_acquire);
  }
  /// Calls `visit(counts)` for each worker that has some.
  template <typename Visit>
  void each_counts(Visit&& visit) const {
    for (unsigned worker = 0; worker < workers_; ++worker)
      if (const EndpointCounts* counts = counts_[worker].load(std::memory_order_acquire)) visit(*counts);
  }

  // under the lock of its cluster's limits
  uint32_t connections = 0;
  /// In nanoseconds; since when somebody waits for one of its connections for want of a token. Read anywhere.
  std::atomic<int64_t> wanted_since{INT64_MAX};

  // under the lock of its cluster
  algo::OutlierState outlier;

  bool is_available() const {
    return health.load(std::memory_order_relaxed) != algo::Health::Unhealthy &&
           !is_ejected.load(std::memory_order_relaxed);
  }

 private:
  EndpointCounts& make_counts(unsigned worker);

  const unsigned workers_;
  const std::unique_ptr<std::atomic<EndpointCounts*>[]> counts_;
};

using EndpointRef = std::shared_ptr<EndpointRecord>;

}  // namespace perilune::upstream
