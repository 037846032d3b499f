#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>

#include "base/value.hpp"
#include "upstream/client_session.hpp"

namespace perilune::upstream {

class ConnectionPool;
struct PoolKey;

struct ConnectionPoolOptions {
  /// Connections per key; 0: no limit.
  size_t sessions_max = 0;
  ClientSessionOptions session;
  Duration idle_timeout = limits::upstream_idle_timeout;
  size_t queue_max = limits::pool_queue_max;
  Duration queue_timeout = limits::queue_timeout;
};

struct ConnectionPoolStats {
  uint64_t opened = 0;
  uint64_t reused = 0;
  uint64_t queued = 0;
  uint64_t queue_full = 0;
  uint64_t queue_timeouts = 0;
  uint64_t closed_idle = 0;  // by the idle timeout
  size_t connections = 0;
  size_t waiting = 0;
};

/// What asks for a connection; it is in a queue while it waits and leaves it when destroyed.
class PoolWaiter : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  bool is_idempotent = false;
  /// A connection that has carried nothing yet: for a retry after a stale one.
  bool needs_fresh = false;
  /// Its context is the parent of a new connection's context until that is connected.
  flow::Context* opener = nullptr;

  virtual void on_session(ClientSession& session, bool is_reused) = 0;
  /// QueueTimeout.
  virtual void on_pool_failed(const Error& error) = 0;
  bool is_waiting() const { return is_linked(); }

 protected:
  PoolWaiter() = default;
  virtual ~PoolWaiter() = default;

 private:
  friend class ConnectionPool;
  Instant deadline_{};
  uint64_t order_ = 0;
};

/// One connection of a pool: its session, and the pipeline that is its wire.
class PooledConnection final : public Object,
                               public ClientSessionOwner,
                               public boost::intrusive::list_base_hook<> {
 public:
  PooledConnection(ConnectionPool& pool, PoolKey* pool_key, const ClientSessionOptions& options);
  void start(flow::Context* opener);
  const flow::Context& context() const { return pipeline_->context(); }

  PoolKey* key;  // null: private to one exchange, or over
  Ref<ClientSession> session;
  Instant idle_since{};
  uint64_t order = 0;
  bool is_in_idle_stack = false;

 private:
  void on_session_available(ClientSession& session) override;
  void on_session_finished(ClientSession& session) override;
  bool may_move_requests(const ClientSession& session) const override;

  ConnectionPool& pool_;
  Ref<flow::Pipeline> pipeline_;
};

/// The upstream connections of one `muxHTTP`: by key, at most sessions_max of each, most recently used first; a
/// bounded queue per key, first come first served, with a deadline. Each connection is a pipeline of `plan`.
class ConnectionPool {
 public:
  ConnectionPool(flow::Runtime& runtime, flow::PipelinePlan& plan, const ConnectionPoolOptions& options);
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// A session for `waiter` at once, or null when it waits in the queue of its key. Errors (Side::Engine): QueueFull.
  /// A new connection is counted from here on, though it is not connected yet.
  Result<ClientSession*> lease(const Value& key, PoolWaiter& waiter, bool& is_reused);
  /// A connection of its own, under no key, closed after its one exchange.
  ClientSession* lease_private(PoolWaiter& waiter);

  /// Closes idle connections now, and each busy one after its exchange. Waiters fail with Draining.
  void drain();
  const ConnectionPoolStats& stats() const { return stats_; }

 private:
  friend class PooledConnection;
  friend struct PoolKey;
  using Waiters = boost::intrusive::list<PoolWaiter, boost::intrusive::constant_time_size<false>>;

  PoolKey& key_entry(const Value& key);
  PooledConnection* find_available(PoolKey& key, const PoolWaiter& waiter);
  PooledConnection* open(PoolKey* key, PoolWaiter& waiter, const ClientSessionOptions& options);
  bool may_open(const PoolKey& key) const;
  bool close_oldest_idle(PoolKey& key);
  void serve(PoolKey& key);
  void forget_if_empty(PoolKey& key);
  void connection_over(PooledConnection& connection);
  void on_timer();
  void arm_timer(Instant when);

  flow::Runtime& runtime_;
  flow::PipelinePlan& plan_;
  const ConnectionPoolOptions options_;
  boost::unordered_flat_map<Value, std::unique_ptr<PoolKey>, boost::hash<Value>> keys_;
  boost::intrusive::list<PooledConnection, boost::intrusive::constant_time_size<false>> connections_;
  ConnectionPoolStats stats_;
  uint64_t next_order_ = 0;
  bool is_draining_ = false;
  loop::MemberTimer<ConnectionPool, &ConnectionPool::on_timer> timer_{*this};
};

}  // namespace perilune::upstream
