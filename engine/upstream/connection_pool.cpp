#include "upstream/connection_pool.hpp"

#include <algorithm>

#include "base/expect.hpp"

namespace perilune::upstream {
namespace {

// Keys that are tables of the script are held weakly: how often the pool looks whether their owner still
// lives.
constexpr Duration weak_key_check = 1s;

using Kind = algo::LeaseResult::Kind;

PooledConnection& connection_of(algo::PoolEntry& entry) { return static_cast<PooledConnection&>(entry); }

}  // namespace

ConnectionPool::ConnectionPool(flow::Runtime& runtime, flow::PipelinePlan& plan,
                               const ConnectionPoolOptions& options, algo::PoolTokens* tokens)
    : runtime_(runtime), plan_(&plan), options_(options), policy_(options.rules, tokens) {}

ConnectionPool::~ConnectionPool() {
  drain();
  PERILUNE_EXPECT(connections_.empty(), "a pool ends after the exchanges on its connections");
  keys_.clear();
}

ConnectionKey& ConnectionPool::key_entry(const Value& key) {
  auto& entry = keys_[key];
  if (!entry) {
    entry = std::make_unique<ConnectionKey>(key);
    if (key.object() && weak_keys_++ == 0) runtime_.loop.arm(weak_timer_, weak_key_check);
  }
  return *entry;
}

bool ConnectionPool::drop_key(ConnectionKey& key) {
  const algo::PoolStats& stats = key.stats();
  if (stats.used() > 0 || stats.waiting > 0 || key.connections > 0) return false;
  keys_.erase(Value(key.value));
  return true;
}

Result<ClientSession*> ConnectionPool::lease(const Value& key, PoolWaiter& waiter, bool& is_reused) {
  if (is_draining_) return Error{ErrorCode::Draining, Side::Engine, {}};
  return lease(key_entry(key), waiter, is_reused);
}

Result<ClientSession*> ConnectionPool::lease(ConnectionKey& key, PoolWaiter& waiter, bool& is_reused) {
  is_reused = false;
  // A newcomer never overtakes who waits already, and a connection for itself is better than a shared one.
  if (options_.session.pipelining > 1 && key.stats().waiting == 0 && key.stats().idle == 0) {
    if (ClientSession* session = share(key, waiter)) {
      is_reused = true;
      return session;
    }
  }
  return take(policy_.lease(key, waiter, runtime_.loop.now()), waiter, key, is_reused);
}

Result<ClientSession*> ConnectionPool::take(const algo::LeaseResult& result, PoolWaiter& waiter,
                                            ConnectionKey& key, bool& is_reused) {
  ClientSession* session = nullptr;
  std::optional<Error> error;
  switch (result.kind) {
    case Kind::Leased:
      session = connection_of(*result.entry).session.get();
      session->reserve();
      is_reused = session->messages() > 0;
      if (!is_reused) session->note_waited();
      break;
    case Kind::Allocate: {
      PooledConnection& connection = open(&key, result.ticket, waiter.opener, options_.session);
      if (options_.rules.binding == algo::PoolBinding::Own) session = connection.session.get();
      break;
    }
    case Kind::Queued: break;
    case Kind::Failed: error = error_of(result, key); break;
  }
  settle();
  if (error) return std::move(*error);
  return session;
}

Error ConnectionPool::error_of(const algo::LeaseResult& result, const ConnectionKey& key) const {
  switch (result.code) {
    case ErrorCode::QueueFull:
      return {ErrorCode::QueueFull, Side::Engine,
              std::to_string(key.stats().waiting) + " requests wait for a connection already"};
    case ErrorCode::QueueTimeout: return {ErrorCode::QueueTimeout, Side::Engine, "no connection became free"};
    case ErrorCode::Draining: return {ErrorCode::Draining, Side::Engine, {}};
    default: return {result.code, Side::Upstream, open_error_.detail};
  }
}

ClientSession* ConnectionPool::share(ConnectionKey& key, const PoolWaiter& waiter) {
  if (waiter.needs_fresh) return nullptr;
  ClientSession* least_busy = nullptr;
  for (PooledConnection* candidate : key.shared) {
    ClientSession& session = *candidate->session;
    // One on which nothing was begun is still somebody's alone: who opened it, or leased it and asks a hook.
    const bool is_in_use = candidate->state() == algo::PoolEntry::State::Leased && session.messages() > 0;
    if (!is_in_use || session.is_reserved() || !session.accepts(waiter.is_idempotent)) continue;
    if (!least_busy || session.active() < least_busy->active()) least_busy = &session;
  }
  if (least_busy) least_busy->reserve();
  return least_busy;
}

void ConnectionPool::serve_by_sharing(ConnectionKey& first) {
  const Value value(first.value);
  // Who gets a session may end it, and with it the key.
  while (ConnectionKey* key = find_key(value)) {
    algo::PoolWaiter* next = policy_.first_waiter(*key);
    if (!next) return;
    auto& waiter = static_cast<PoolWaiter&>(*next);
    ClientSession* session = share(*key, waiter);
    if (!session) return;
    policy_.serve_elsewhere(waiter);
    waiter.on_session(*session, true);
  }
}

ClientSession* ConnectionPool::lease_private(PoolWaiter& waiter) {
  ClientSessionOptions options;
  options.messages_max = 1;
  return open(nullptr, {}, waiter.opener, options).session.get();
}

Result<ClientSession*> ConnectionPool::replace(ClientSession& session, PoolWaiter& waiter, bool& is_reused) {
  PooledConnection& connection = PooledConnection::of(session);
  ConnectionKey& key = *connection.key_;
  is_reused = false;
  if (session.active() > 0) {
    // It was shared: those that are under way on it have it. Its end may be the key's, so it comes last.
    auto leased = lease(key, waiter, is_reused);
    session.end_reservation();
    session.drain();
    return leased;
  }
  session.end_reservation();
  return take(policy_.replace(connection, waiter, runtime_.loop.now()), waiter, key, is_reused);
}

void ConnectionPool::put_back(ClientSession& session) {
  PooledConnection& connection = PooledConnection::of(session);
  session.end_reservation();
  if (!connection.key_) {
    session.drain();
    return;
  }
  if (session.active() == 0) {
    if (connection.is_release_due_) connection.on_session_available(session);
    else release(connection);
    return;
  }
  // It was shared: those that are under way on it have it, and others may line up again.
  serve_by_sharing(*connection.key_);
  settle();
}

void ConnectionPool::release(PooledConnection& connection) {
  // It may have ended while a hook looked at it.
  if (connection.state() == algo::PoolEntry::State::Leased)
    policy_.release(connection, algo::Verdict::Keep, runtime_.loop.now());
  settle();
}

void ConnectionPool::finish_release(PooledConnection& connection) {
  if (connection.session->idle_max() != Duration::max())
    connection.limit_idle(connection.session->idle_max());
  connection.session->end_reservation();
  release(connection);
}

void ConnectionPool::cancel(PoolWaiter& waiter) {
  policy_.cancel(waiter, runtime_.loop.now());
  settle();
}

PooledConnection& ConnectionPool::open(ConnectionKey* key, algo::PoolTicket ticket, flow::Context* opener,
                                       const ClientSessionOptions& options) {
  auto connection = make_ref<PooledConnection>(*this, key, options);
  connection->add_reference();  // the list's
  connection->ticket_ = ticket;
  connections_.push_back(*connection);
  ++connection_count_;
  if (key) ++key->connections;
  if (key && options.pipelining > 1) key->shared.push_back(connection.get());
  // Who sends before it is connected has it from here on; else it is nobody's until it is.
  if (key && options_.rules.binding == algo::PoolBinding::Own) commit(*connection);
  connection->start(opener);
  return *connection;
}

bool ConnectionPool::open_ahead(ConnectionKey& key) {
  const auto ticket = policy_.allocate_ahead(key, runtime_.loop.now());
  if (ticket) open(&key, *ticket, nullptr, options_.session);
  settle();
  return ticket.has_value();
}

void ConnectionPool::commit(PooledConnection& connection) {
  const Duration ttl = policy_.rules().key.ttl;
  Duration jitter{};
  if (ttl != algo::forever && options_.ttl_jitter > 0) {
    const double share =
        static_cast<double>(runtime_.loop.driver().random() >> 11) / 9007199254740992.0 * 2 - 1;
    jitter = std::chrono::duration_cast<Duration>(std::chrono::duration<double, Duration::period>(
        static_cast<double>(ttl.count()) * options_.ttl_jitter * share));
  }
  connection.stage_ = PooledConnection::Stage::InPool;
  policy_.commit(connection.ticket_, connection, runtime_.loop.now(), jitter);
}

void ConnectionPool::settle() {
  for (;;) {
    if (algo::PoolEntry* entry = policy_.pop_closed()) {
      PooledConnection& connection = connection_of(*entry);
      if (connection.stage_ != PooledConnection::Stage::Leaving) {
        const algo::CloseReason reason = entry->reason();
        let_go(connection, &reason);
      }
      continue;
    }
    if (algo::PoolWaiter* ready = policy_.pop_ready()) {
      auto& waiter = static_cast<PoolWaiter&>(*ready);
      const algo::LeaseResult result = waiter.result();
      if (result.kind == Kind::Leased) {
        ClientSession& session = *connection_of(*result.entry).session;
        session.reserve();
        waiter.on_session(session, session.messages() > 0);
      } else if (result.kind == Kind::Allocate) {
        auto& key = static_cast<ConnectionKey&>(policy_.key_of(result.ticket));
        waiter.on_session(*open(&key, result.ticket, waiter.opener, options_.session).session, false);
      } else {
        waiter.on_pool_failed(result.code == ErrorCode::QueueTimeout
                                  ? Error{ErrorCode::QueueTimeout, Side::Engine, "no connection became free"}
                              : result.code == ErrorCode::Draining
                                  ? Error{ErrorCode::Draining, Side::Engine, {}}
                                  : Error{result.code, Side::Upstream, open_error_.detail});
      }
      continue;
    }
    if (const auto ticket = policy_.pop_granted()) {
      open(&static_cast<ConnectionKey&>(policy_.key_of(*ticket)), *ticket, nullptr, options_.session);
      continue;
    }
    algo::PoolKey* vacant = policy_.pop_vacant();
    if (!vacant) break;
    auto& key = static_cast<ConnectionKey&>(*vacant);
    if (key.connections > 0) continue;  // they are leaving, and the last one takes it along
    if (key.value.object()) --weak_keys_;
    keys_.erase(Value(key.value));
  }
  arm_timer();
}

void ConnectionPool::let_go(PooledConnection& connection, const algo::CloseReason* reason) {
  connection.stage_ = PooledConnection::Stage::Leaving;
  if (observer_) observer_->on_closed(connection, reason);
  const Ref<ClientSession> session = connection.session;
  session->drain();
}

void ConnectionPool::connection_over(PooledConnection& connection) {
  using Stage = PooledConnection::Stage;
  const Stage stage = std::exchange(connection.stage_, Stage::Leaving);
  ConnectionKey* key = connection.key_;
  --connection_count_;
  connections_.erase(connections_.iterator_to(connection));
  if (key) {
    --key->connections;
    if (!key->shared.empty()) std::erase(key->shared, &connection);
    if (stage == Stage::Opening || !connection.is_open_reported_) {
      const Error* error = connection.session->early_error();
      open_error_ = error ? *error : Error{ErrorCode::Closed, Side::Upstream, {}};
      if (observer_ && !std::exchange(connection.is_open_reported_, true))
        observer_->on_opened(*key, runtime_.loop.now() - connection.opened_at_, &open_error_);
    }
    if (stage == Stage::Opening) {
      policy_.abort(connection.ticket_, open_error_.code, runtime_.loop.now());
    } else if (stage == Stage::InPool) {
      if (observer_) observer_->on_closed(connection, nullptr);
      policy_.discard(connection, runtime_.loop.now());
    } else if (key->connections == 0 && !key->is_attached()) {
      if (key->value.object()) --weak_keys_;
      keys_.erase(Value(key->value));
    }
  }
  runtime_.loop.release_later(Ref<Object>(&connection));
  connection.drop_reference();
  settle();
}

void ConnectionPool::drain_key(ConnectionKey& key) {
  policy_.drain(key, algo::Drain::Refuse, runtime_.loop.now());
  settle();
}

void ConnectionPool::renew_key(ConnectionKey& key) {
  policy_.drain(key, algo::Drain::Existing, runtime_.loop.now());
  settle();
}

void ConnectionPool::adopt(flow::PipelinePlan& plan, const ConnectionPoolOptions& options) {
  plan_ = &plan;
  options_ = options;
  set_rules(options.rules);
}

void ConnectionPool::retire() {
  algo::PoolRules rules = policy_.rules();
  rules.idle_max = 0;
  policy_.set_rules(rules, runtime_.loop.now());
  settle();
}

void ConnectionPool::drain() {
  is_draining_ = true;
  std::vector<Ref<ClientSession>> sessions;
  for (PooledConnection& connection : connections_) {
    sessions.push_back(connection.session);
    if (connection.stage_ == PooledConnection::Stage::Opening)
      connection.stage_ = PooledConnection::Stage::Leaving;
  }
  policy_.shut_down(runtime_.loop.now());
  settle();
  for (const auto& session : sessions) session->drain();
}

void ConnectionPool::set_rules(const algo::PoolRules& rules) {
  policy_.set_rules(rules, runtime_.loop.now());
  settle();
}

void ConnectionPool::on_token(ConnectionKey& key) {
  policy_.on_token(key, runtime_.loop.now());
  settle();
}

void ConnectionPool::set_key_rules(ConnectionKey& key, const algo::PoolKeyRules& rules) {
  policy_.set_key_rules(key, rules, runtime_.loop.now());
  settle();
}

void ConnectionPool::cut_key(const ConnectionKey& key, const Error& error) {
  std::vector<Ref<ClientSession>> sessions;
  for (const PooledConnection& connection : connections_)
    if (connection.key_ == &key) sessions.push_back(connection.session);
  for (const auto& session : sessions) session->cut(error);
}

bool ConnectionPool::evict_idle(ConnectionKey* key) {
  const bool is_evicted = policy_.evict_idle(key, runtime_.loop.now());
  settle();
  return is_evicted;
}

void ConnectionPool::evict_idle(ConnectionKey& key, size_t count) {
  while (count-- > 0 && policy_.evict_idle(&key, runtime_.loop.now())) continue;
  settle();
}

void ConnectionPool::arm_timer() {
  const Instant due = policy_.next_due();
  if (due == Instant::max()) return;
  if (!timer_.is_armed() || timer_.deadline() > due) runtime_.loop.timers().arm(timer_, due);
}

void ConnectionPool::on_timer() {
  policy_.advance(runtime_.loop.now());
  settle();
}

void ConnectionPool::close_forgotten_keys() {
  std::vector<ConnectionKey*> forgotten;
  for (const auto& [value, entry] : keys_) {
    // Ours in the map and in the entry, and those of its connections' contexts: nobody else knows the key.
    const Object* object = value.object();
    if (object && object->reference_count() <= 2 + entry->connections) forgotten.push_back(entry.get());
  }
  // Pointers in a hash table have no order that a seed repeats; the order of attaching has.
  std::sort(forgotten.begin(), forgotten.end(), [](auto* a, auto* b) { return a->number() < b->number(); });
  for (ConnectionKey* key : forgotten) policy_.drain(*key, algo::Drain::Existing, runtime_.loop.now());
  settle();
  if (weak_keys_ > 0) runtime_.loop.arm(weak_timer_, weak_key_check);
}

}  // namespace perilune::upstream
