#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "upstream/cluster_options.hpp"
#include "upstream/connection_limits.hpp"
#include "upstream/endpoint.hpp"

namespace perilune::upstream {

/// One cluster in the process: its endpoints and what is known of them, and the counts that limits go by.
/// Each worker has a Cluster that follows it. Any thread; the name is its identity, also over reloads.
class ClusterRecord {
 public:
  using Members = std::vector<EndpointRef>;

  /// A worker's side. Calls come from any thread, under a lock: they only post.
  class Watcher {
   public:
    virtual void post_changed() = 0;
    /// Connections are to be renewed: of one endpoint, or of all when the name is empty.
    virtual void post_drain(const std::string& endpoint) = 0;

   protected:
    ~Watcher() = default;
  };

  ClusterRecord(std::string its_name, unsigned workers)
      : name(std::move(its_name)), workers_(workers), configured_(workers) {}
  ClusterRecord(const ClusterRecord&) = delete;
  ClusterRecord& operator=(const ClusterRecord&) = delete;

  const std::string name;

  /// Limits, ejection and declared endpoints as `options` say. Each worker calls it when its program starts,
  /// with the same: the first to come does it for all, or one that starts late would undo what a script has
  /// set since.
  void configure(const ClusterOptions& options, unsigned worker, Instant now);
  /// Some program has started with it.
  bool is_configured() const { return versions_.load(std::memory_order_acquire) > 0; }
  /// Those that are there now take the place of all others: an endpoint with an equal address stays the same,
  /// with the new weight; one that is not named any more is removed, and drains.
  void set_members(std::span<const EndpointSpec> specs, Instant now);
  /// Removes at most so many that are not among `specs`, and adds the others; whether some are still to go.
  bool change_members(std::span<const EndpointSpec> specs, size_t removals_max, Instant now);
  /// A discovery has answered, or given up: who waits for endpoints need not wait any longer.
  void note_discovered();
  bool is_waiting_for_discovery() const { return awaits_discovery_.load(std::memory_order_acquire); }

  Members members() const;
  /// Changes with whatever a worker should know: members, weights, health, ejections.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  /// A health check says so.
  void set_health(EndpointRecord& endpoint, algo::Health health, Instant now);
  /// What became of a try of one of its endpoints; may eject it.
  void report(EndpointRecord& endpoint, algo::Outcome outcome, Instant now);
  /// Lets back in whose time is over, and judges rates of success once an interval; when to ask again,
  /// Instant::max() for never.
  Instant watch_outliers(Instant now);

  /// Every worker closes its idle connections, and busy ones after their requests: of one endpoint or all.
  void renew_connections(const std::string& endpoint);

  void attach(Watcher& watcher);
  void detach(Watcher& watcher);
  unsigned workers() const { return workers_; }

  ConnectionLimits limits;
  // all workers together
  std::atomic<uint32_t> requests{0};
  std::atomic<uint32_t> retries{0};
  std::atomic<uint32_t> waiting{0};
  std::atomic<uint64_t> refused{0};  // at requests_max, since the beginning
  uint64_t ejections() const { return ejections_.load(std::memory_order_relaxed); }

 private:
  void note_change();  // this and the following under mutex_
  bool replace_members(std::span<const EndpointSpec> specs, size_t removals_max, Instant now);
  void eject(EndpointRecord& endpoint, Instant now);
  Instant next_look(Instant now) const;
  EndpointRef find(const net::Address& address) const;

  const unsigned workers_;
  mutable std::mutex mutex_;
  Members members_;
  std::vector<Watcher*> watchers_;
  std::optional<algo::OutlierRules> ejection_;
  Instant interval_end_{};
  /// How many programs each worker has started with it, and how many of these were taken on.
  std::vector<uint64_t> configured_;
  std::atomic<uint64_t> versions_{0};
  uint64_t serials_ = 0;
  std::atomic<uint64_t> version_{1};
  std::atomic<uint64_t> ejections_{0};
  std::atomic<bool> counts_rates_{false};  // each success matters
  std::atomic<bool> awaits_discovery_{false};
};

/// The clusters of a process by name: they stay when scripts come and go. Any thread.
class ClusterBoard {
 public:
  explicit ClusterBoard(unsigned workers = 1) : workers_(workers) {}
  /// Made when it is new.
  std::shared_ptr<ClusterRecord> record(const std::string& name);
  /// Those that a program has started with.
  std::vector<std::shared_ptr<ClusterRecord>> all() const;
  unsigned workers() const { return workers_; }

 private:
  const unsigned workers_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<ClusterRecord>> records_;
};

}  // namespace perilune::upstream
