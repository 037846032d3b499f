#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "algo/pool_policy.hpp"
#include "base/value.hpp"
#include "upstream/client_session.hpp"

namespace perilune::upstream {

class ConnectionPool;
class PooledConnection;

struct ConnectionPoolOptions {
  /// PoolBinding::Own: who opens a connection sends on it before it is connected. First: requests wait for
  /// whatever is connected or released first.
  algo::PoolRules rules = {};
  ClientSessionOptions session = {};
  /// Of the cluster; outlives the contexts of its connections. Empty: none.
  std::string_view cluster = {};
  /// A connection's ttl is off by so much of it at most, either way, so that those of one moment do not end
  /// together.
  double ttl_jitter = 0.1;
};

/// What asks for a connection; it is in the pool while it waits and leaves it when destroyed.
class PoolWaiter : public algo::PoolWaiter {
 public:
  bool is_idempotent = false;
  /// Its context is the parent of a new connection's context until that is connected.
  flow::Context* opener = nullptr;

  /// A connection to begin an exchange on, at once.
  virtual void on_session(ClientSession& session, bool is_reused) = 0;  // reserved
  /// QueueTimeout, Draining, or why the connection that was opened for it failed.
  virtual void on_pool_failed(const Error& error) = 0;
  bool is_waiting() const { return state() != State::Detached; }

 protected:
  PoolWaiter() = default;
  virtual ~PoolWaiter() = default;
};

/// The connections of one key.
struct ConnectionKey : algo::PoolKey {
  explicit ConnectionKey(const Value& its_value) : value(its_value) {}
  const Value value;
  /// Those that more than one request may share, where requests are pipelined.
  std::vector<PooledConnection*> shared;
  /// Of all its connections; a key that is a table of the script lives as long as somebody else knows it.
  size_t connections = 0;
  void* owner = nullptr;
};

/// Told what happens to connections; each call comes within the pool's own work and only notes.
class PoolObserver {
 public:
  /// It is connected, or failed to with `error`, after `took`.
  virtual void on_opened(ConnectionKey& key, Duration took, const Error* error) = 0;
  /// Its request is over and it may be used again. True: not before finish_release.
  virtual bool holds_release(PooledConnection& connection) = 0;
  /// It left the pool. `reason` is why the pool let go, none where the connection ended by itself.
  virtual void on_closed(PooledConnection& connection, const algo::CloseReason* reason) = 0;

 protected:
  ~PoolObserver() = default;
};

/// One connection of a pool: its session, and the pipeline that is its wire.
class PooledConnection final : public Object,
                               public ClientSessionOwner,
                               public algo::PoolEntry,
                               public boost::intrusive::list_base_hook<> {
 public:
  PooledConnection(ConnectionPool& pool, ConnectionKey* key, const ClientSessionOptions& options);
  void start(flow::Context* opener);
  flow::Context& context() const { return pipeline_->context(); }
  static PooledConnection& of(ClientSession& session);
  /// Null: private to one exchange.
  ConnectionKey* connection_key() const { return key_; }
  ConnectionPool& pool() const { return pool_; }
  Instant opened_at() const { return opened_at_; }

  Ref<ClientSession> session;

 private:
  friend class ConnectionPool;
  enum class Stage : uint8_t { Opening, InPool, Leaving };

  void on_session_available(ClientSession& session) override;
  void on_session_finished(ClientSession& session) override;
  bool may_move_requests(const ClientSession& session) const override;
  void on_connected();

  ConnectionPool& pool_;
  ConnectionKey* const key_;
  Ref<flow::Pipeline> pipeline_;
  algo::PoolTicket ticket_;
  Stage stage_ = Stage::Opening;
  bool is_open_reported_ = false;
  bool is_release_due_ = false;  // a request was over while it was reserved for the next
  Instant opened_at_{};
  loop::MemberTask<PooledConnection, &PooledConnection::on_connected> connected_task_{*this};
};

/// Upstream connections by key, shared by the rules of algo::PoolPolicy: what `muxHTTP` and `upstream` stand
/// on. Each connection is a pipeline of `plan`; its context has the key as `ctx.key`.
class ConnectionPool {
 public:
  ConnectionPool(flow::Runtime& runtime, flow::PipelinePlan& plan, const ConnectionPoolOptions& options,
                 algo::PoolTokens* tokens = nullptr);
  ~ConnectionPool();
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;

  /// A session for `waiter` at once, reserved for it, or null when it waits and will be told. Errors
  /// (Side::Engine):
  /// QueueFull, Draining. With PoolBinding::Own a new connection may be leased before it is connected.
  Result<ClientSession*> lease(const Value& key, PoolWaiter& waiter, bool& is_reused);
  Result<ClientSession*> lease(ConnectionKey& key, PoolWaiter& waiter, bool& is_reused);
  /// A connection of its own, under no key, closed after its one exchange.
  ClientSession* lease_private(PoolWaiter& waiter);
  /// The session that `waiter` was given, and on which nothing was begun, is of no use: it closes, and the
  /// lease goes on.
  Result<ClientSession*> replace(ClientSession& session, PoolWaiter& waiter, bool& is_reused);
  /// The session that was given, and on which nothing was begun, is not wanted after all: others may have it.
  void put_back(ClientSession& session);
  /// The end of what PoolObserver::holds_release began.
  void finish_release(PooledConnection& connection);
  /// Wants nothing any more. A connection that is being opened for it goes on, for others.
  void cancel(PoolWaiter& waiter);

  /// The pool's record of a key, made when it is new. It goes when nothing of it is left, or when it is
  /// dropped in case it was pinned.
  ConnectionKey& key_entry(const Value& key);
  /// Its idle connections close now, busy ones after their exchange; those who wait are still served.
  void drain_key(ConnectionKey& key);
  /// The same, but new ones are opened for whoever comes.
  void renew_key(ConnectionKey& key);
  /// Drained, and nothing of it is left: destroys it.
  bool drop_key(ConnectionKey& key);
  /// Opens one more connection for whoever comes; whether limits allow that.
  bool open_ahead(ConnectionKey& key);

  /// Connections are made by `plan` from now on, and the new rules hold for all; `options` as in the
  /// constructor, with the same binding.
  void adopt(flow::PipelinePlan& plan, const ConnectionPoolOptions& options);
  /// Closes idle connections now, and each busy one after its exchange; who comes yet is still served.
  void retire();
  /// The same, and nobody is served any more: waiters fail with Draining.
  void drain();
  void set_rules(const algo::PoolRules& rules);
  /// For limits that are shared: see algo::PoolPolicy.
  void on_token(ConnectionKey& key);
  bool evict_idle(ConnectionKey* key);
  /// Closes so many idle connections of the key, those released longest ago.
  void evict_idle(ConnectionKey& key, size_t count);
  const algo::PoolStats& stats() const { return policy_.stats(); }
  const algo::PoolPolicy& policy() const { return policy_; }
  size_t connections() const { return connection_count_; }
  void set_observer(PoolObserver* observer) { observer_ = observer; }
  /// Null when there is none.
  ConnectionKey* find_key(const Value& key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? nullptr : found->second.get();
  }
  /// Cuts what is under way on the connections of a key.
  void cut_key(const ConnectionKey& key, const Error& error);
  void set_key_rules(ConnectionKey& key, const algo::PoolKeyRules& rules);
  /// Calls `visit(key)` for each, in no order.
  template <typename Visit>
  void each_key(Visit&& visit) const {
    for (const auto& [value, key] : keys_) visit(*key);
  }

  /// Calls `visit(connection)` for each, in the order of opening.
  template <typename Visit>
  void each_connection(Visit&& visit) const {
    for (const PooledConnection& connection : connections_) visit(connection);
  }

 private:
  friend class PooledConnection;

  Result<ClientSession*> take(const algo::LeaseResult& result, PoolWaiter& waiter, ConnectionKey& key,
                              bool& is_reused);
  ClientSession* share(ConnectionKey& key, const PoolWaiter& waiter);
  void serve_by_sharing(ConnectionKey& key);
  void release(PooledConnection& connection);
  PooledConnection& open(ConnectionKey* key, algo::PoolTicket ticket, flow::Context* opener,
                         const ClientSessionOptions& options);
  void commit(PooledConnection& connection);
  void settle();
  void let_go(PooledConnection& connection, const algo::CloseReason* reason);
  void connection_over(PooledConnection& connection);
  Error error_of(const algo::LeaseResult& result, const ConnectionKey& key) const;
  void on_timer();
  void arm_timer();
  void close_forgotten_keys();

  flow::Runtime& runtime_;
  flow::PipelinePlan* plan_;
  ConnectionPoolOptions options_;
  algo::PoolPolicy policy_;
  PoolObserver* observer_ = nullptr;
  boost::unordered_flat_map<Value, std::unique_ptr<ConnectionKey>, boost::hash<Value>> keys_;
  boost::intrusive::list<PooledConnection, boost::intrusive::constant_time_size<false>> connections_;
  size_t connection_count_ = 0;
  size_t weak_keys_ = 0;  // that are tables of the script
  Error open_error_;      // why the last connection that failed did
  bool is_draining_ = false;
  loop::MemberTimer<ConnectionPool, &ConnectionPool::on_timer> timer_{*this};
  loop::MemberTimer<ConnectionPool, &ConnectionPool::close_forgotten_keys> weak_timer_{*this};
};

}  // namespace perilune::upstream
