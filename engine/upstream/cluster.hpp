#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "algo/availability.hpp"
#include "algo/demand.hpp"
#include "algo/endpoint_picker.hpp"
#include "algo/idle_cutoff.hpp"
#include "algo/preconnect.hpp"
#include "net/network.hpp"
#include "upstream/cluster_record.hpp"
#include "upstream/connection_pool.hpp"
#include "upstream/hook_runs.hpp"
#include "upstream/rolling_percentile.hpp"

namespace perilune::upstream {

class Cluster;
class Discovery;
class HealthChecker;
class MemberFeed;

/// An endpoint as one worker uses it.
struct Endpoint {
  Endpoint(Cluster& its_cluster, EndpointRef its_record, const algo::FloorRules& its_floor)
      : cluster(its_cluster), record(std::move(its_record)), floor(its_floor) {}

  Cluster& cluster;
  const EndpointRef record;
  /// Null before the first connection is asked for: of thousands of endpoints most workers never use most.
  ConnectionKey* known_key = nullptr;
  ConnectionKey& key();
  algo::IdleCutoff cutoff;
  algo::PreconnectFloor floor;
  algo::PoolDemand demand;
  algo::Health seen_health = algo::Health::Unknown;
  Duration applied_cutoff = Duration::max();
  bool is_removed = false;
  bool opens_ahead = false;  // it is opening connections for nobody now
  /// Removed: when what is still under way is cut.
  Instant cut_at = Instant::max();
  /// Exchanges that know it.
  size_t users = 0;
};

/// What an endpoint is chosen by.
struct Choice {
  std::optional<uint64_t> key = {};
  /// Of an endpoint that is to be taken, when it is usable.
  std::optional<uint64_t> identity = {};
  /// Only that one.
  bool is_pinned = false;
  std::span<Endpoint* const> tried = {};
};

/// Waits for the first endpoints of a cluster that discovers them.
class MembersWaiter
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  virtual void on_members() = 0;

 protected:
  virtual ~MembersWaiter() = default;
};

/// A cluster in one worker: it chooses endpoints, and has the pool of connections to them. What all workers
/// have to agree on is the record's. Worker 0 checks health and discovers members for all.
class Cluster final : public Object,
                      private PoolObserver,
                      private algo::PoolTokens,
                      private ConnectionLimits::Member,
                      private ClusterRecord::Watcher {
 public:
  struct Parts {
    flow::Runtime& runtime;
    net::Network& network;
    /// Connects to the address that its context's key begins with: see target_of.
    Ref<flow::PipelinePlan> connections;
    unsigned worker = 0;
  };
  /// Changes nothing outside: a script that is loaded may yet be found wrong.
  Cluster(const Parts& parts, std::shared_ptr<ClusterRecord> record, ClusterOptions options);
  ~Cluster() override;

  /// The program begins: the record takes on the options, and what runs by itself starts: checks, discovery,
  /// the floor. Once, before the first request.
  void start();
  /// A newer version of the script says what `newer` has, which was not started: its options hold from now
  /// on, and `newer` gets those that held. Not `keeps_connections`: they are made another way now, and idle
  /// ones close.
  void adopt(Cluster& newer, bool keeps_connections);
  /// The newer version of the script has no such cluster: nothing is kept, and nothing is checked any more;
  /// requests that are under way still go through.
  void retire();
  /// The program is over: idle connections close, nothing new is leased.
  void drain();

  const std::string& name() const { return record_->name; }
  const ClusterOptions& options() const { return options_; }
  ClusterRecord& record() const { return *record_; }
  loop::Loop& loop() const { return parts_.runtime.loop; }
  unsigned worker() const { return parts_.worker; }

  // for exchanges
  /// Counts a request in. Errors (Side::Engine): Overflow at `requests_max`, Draining.
  Result<void> admit();
  void leave() { record_->requests.fetch_sub(1, std::memory_order_relaxed); }
  /// Null when there is none that may be used.
  Endpoint* choose(const Choice& choice);
  Endpoint* find(uint64_t identity) const;
  /// As ConnectionPool::lease. `tag` keeps connections apart: those of one tag are never given to another.
  Result<ClientSession*> lease(Endpoint& endpoint, std::string_view tag, PoolWaiter& waiter, bool& is_reused);
  ConnectionPool& pool() { return pool_; }
  /// Whether the budget has room for one more retry or hedge; counts it in until end_retry.
  bool begin_retry();
  /// An exchange has got to know the endpoint, or lets go of it.
  void keep(Endpoint& endpoint) { ++endpoint.users; }
  void let_go(Endpoint& endpoint) {
    if (--endpoint.users == 0 && endpoint.is_removed) loop().defer(end_removed_task_);
  }
  void end_retry() { record_->retries.fetch_sub(1, std::memory_order_relaxed); }
  EndpointCounts& counts(const Endpoint& endpoint) const { return endpoint.record->counts(parts_.worker); }
  void report(Endpoint& endpoint, algo::Outcome outcome) {
    record_->report(*endpoint.record, outcome, loop().now());
  }
  /// A used connection that had been idle so long served another request, or died under it.
  void note_idle_age(Endpoint& endpoint, Duration age, bool has_served);
  void note_answer_time(const Endpoint& endpoint, Duration took);
  /// What is said of a request that found no endpoint.
  Error no_endpoint() const;
  /// After how long a second try begins; Duration::max(): never, or nothing is known yet.
  Duration hedge_after(const HedgeOptions& hedge);
  Duration hedge_connect_after(const HedgeOptions& hedge);
  /// Endpoints are not known yet, but will be.
  bool awaits_members() const { return endpoints_.empty() && record_->is_waiting_for_discovery(); }
  void wait_for_members(MembersWaiter& waiter) { members_waiters_.push_back(waiter); }

  const std::vector<std::unique_ptr<Endpoint>>& endpoints() const { return endpoints_; }
  /// Why connections of an endpoint are reused or not, in sentences; all endpoints when `name` is empty.
  std::string explain(std::string_view name) const;
  /// Brings the numbers that others read up to date.
  void publish();
  /// Closes what is idle and, once released, what is busy; new connections are opened. Of one endpoint or
  /// all.
  void drain_connections(std::string_view name);

 private:
  friend struct Endpoint;
  struct Level {
    uint32_t priority;
    std::vector<Endpoint*> endpoints;
    std::unique_ptr<algo::EndpointPicker> picker;
  };
  class View;

  // PoolObserver
  void on_opened(ConnectionKey& key, Duration took, const Error* error) override;
  bool holds_release(PooledConnection& connection) override;
  void on_closed(PooledConnection& connection, const algo::CloseReason* reason) override;
  // PoolTokens
  Answer take(algo::PoolKey& key) override;
  void take_beyond(algo::PoolKey& key) override;
  void give_back(algo::PoolKey& key) override;
  void want(algo::PoolKey& key, Instant since) override;
  Instant wanted_since(const algo::PoolKey& key) const override;
  // from other threads
  void post_token(const EndpointRef& endpoint, const std::string& key) override;
  void post_reclaim(const EndpointRef& endpoint) override;
  void post_changed() override;
  void post_drain(const std::string& endpoint) override;
  template <typename Function>
  void post(Function function);

  void begin();
  void on_token(const EndpointRef& endpoint, const std::string& key);
  void on_reclaim(const EndpointRef& endpoint);
  void follow_record();
  void follow_members();
  void rebuild_levels();
  void end_removed();
  Endpoint* find(const EndpointRecord& record) const;
  Endpoint* find(std::string_view name) const;
  Endpoint* pick_from(Level& level, const Choice& choice, uint64_t random);
  uint32_t weight_of(const Endpoint& endpoint) const;
  ConnectionKey& key_of(Endpoint& endpoint, std::string_view tag);
  ConnectionKey& make_key(Endpoint& endpoint);
  void apply_cutoff(Endpoint& endpoint);
  void note_activity();
  void connect_ahead(Endpoint& endpoint);
  void keep_floor(Endpoint& endpoint);
  void on_upkeep();
  void on_restore();
  void make_room();

  Parts parts_;
  const std::shared_ptr<ClusterRecord> record_;
  ClusterOptions options_;
  uint32_t own_floor_;
  ConnectionPool pool_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<Level> levels_;
  algo::Availability availability_;
  uint64_t seen_version_ = 0;
  Instant weights_until_ = Instant::max();  // when weights of a slow start are to be looked at again
  Instant purged_at_{};
  bool is_started_ = false;
  bool is_draining_ = false;
  bool was_active_ = false;
  std::shared_ptr<bool> is_alive_;
  std::unique_ptr<RollingPercentile> answer_times_;  // where hedges go by them
  std::unique_ptr<RollingPercentile> connect_times_;
  boost::intrusive::list<MembersWaiter, boost::intrusive::constant_time_size<false>> members_waiters_;
  HookRuns hook_runs_;
  std::unique_ptr<HealthChecker> health_;
  std::unique_ptr<MemberFeed> feed_;
  loop::MemberTimer<Cluster, &Cluster::on_upkeep> upkeep_timer_{*this};
  loop::MemberTimer<Cluster, &Cluster::on_restore> restore_timer_{*this};
  loop::MemberTimer<Cluster, &Cluster::end_removed> cut_timer_{*this};
  loop::MemberTask<Cluster, &Cluster::end_removed> end_removed_task_{*this};
  loop::MemberTask<Cluster, &Cluster::make_room> make_room_task_{*this};
};

/// The address in the key of a cluster's connection: "10.0.0.1:8080".
std::string_view target_of(std::string_view key);
/// The key for people: the address, and behind a space the tag, if any.
std::string shown_key(std::string_view key);

}  // namespace perilune::upstream
