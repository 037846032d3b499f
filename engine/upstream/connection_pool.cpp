#include "upstream/connection_pool.hpp"

#include <algorithm>

namespace perilune::upstream {
namespace {

// Keys that are tables of the script are held weakly: how often the pool looks whether their owner still lives.
constexpr Duration weak_key_check = 1s;

}  // namespace

/// One key: its connections, those that are idle with the last released on top, and who waits.
struct PoolKey {
  Value key;
  std::vector<PooledConnection*> connections;
  std::vector<PooledConnection*> idle;
  ConnectionPool::Waiters waiters;
  size_t waiting = 0;
  bool is_in_use = false;  // a lease looks at it: not to be forgotten meanwhile
};

PooledConnection::PooledConnection(ConnectionPool& pool, PoolKey* pool_key, const ClientSessionOptions& options)
    : key(pool_key), session(make_ref<ClientSession>(pool.runtime_, *this, options)), pool_(pool) {}

void PooledConnection::start(flow::Context* opener) {
  const Instant now = pool_.runtime_.loop.now();
  auto context = opener ? flow::Context::make_child(*opener, now) : flow::Context::make_detached(now);
  if (key) context->set_key(key->key);
  pipeline_ = flow::Pipeline::create(
      pool_.plan_, context,
      {session->wire_input(), session->wire_output(), *session, flow::Role::Connection});
  session->attach(*pipeline_, *context);
  pipeline_->start();
}

void PooledConnection::on_session_available(ClientSession&) {
  idle_since = pool_.runtime_.loop.now();
  if (key && session->is_idle() && !is_in_idle_stack) {
    key->idle.push_back(this);
    is_in_idle_stack = true;
  }
  if (key) pool_.serve(*key);
  if (!session->is_idle()) return;
  if (!key) session->drain();
  else if (pool_.options_.idle_timeout != Duration::max()) pool_.arm_timer(idle_since + pool_.options_.idle_timeout);
}

void PooledConnection::on_session_finished(ClientSession&) {
  const Ref<PooledConnection> self(this);
  pipeline_->context().let_go_of_parent();
  pipeline_->end(nullptr);
  pool_.connection_over(*this);
}

bool PooledConnection::may_move_requests(const ClientSession&) const {
  return key && (!key->idle.empty() || pool_.may_open(*key));
}

ConnectionPool::ConnectionPool(flow::Runtime& runtime, flow::PipelinePlan& plan,
                               const ConnectionPoolOptions& options)
    : runtime_(runtime), plan_(plan), options_(options) {}

ConnectionPool::~ConnectionPool() {
  drain();
  PERILUNE_EXPECT(connections_.empty(), "a pool ends after the exchanges on its connections");
}

PoolKey& ConnectionPool::key_entry(const Value& key) {
  auto& entry = keys_[key];
  if (!entry) {
    entry = std::make_unique<PoolKey>();
    entry->key = key;
    if (key.object()) arm_timer(runtime_.loop.now() + weak_key_check);
  }
  return *entry;
}

bool ConnectionPool::may_open(const PoolKey& key) const {
  return !is_draining_ && (options_.sessions_max == 0 || key.connections.size() < options_.sessions_max);
}

PooledConnection* ConnectionPool::find_available(PoolKey& key, const PoolWaiter& waiter) {
  if (waiter.needs_fresh) return nullptr;
  while (!key.idle.empty()) {
    PooledConnection* candidate = key.idle.back();
    key.idle.pop_back();
    candidate->is_in_idle_stack = false;
    if (candidate->session->is_idle() && candidate->session->accepts(waiter.is_idempotent)) return candidate;
  }
  if (options_.session.pipelining <= 1) return nullptr;
  PooledConnection* least_busy = nullptr;
  for (PooledConnection* candidate : key.connections) {
    if (!candidate->session->accepts(waiter.is_idempotent)) continue;
    if (!least_busy || candidate->session->active() < least_busy->session->active()) least_busy = candidate;
  }
  return least_busy;
}

bool ConnectionPool::close_oldest_idle(PoolKey& key) {
  PooledConnection* oldest = nullptr;
  for (PooledConnection* candidate : key.connections)
    if (candidate->session->is_idle() && (!oldest || candidate->idle_since < oldest->idle_since)) oldest = candidate;
  if (!oldest) return false;
  oldest->session->drain();
  return true;
}

PooledConnection* ConnectionPool::open(PoolKey* key, PoolWaiter& waiter,
                                                 const ClientSessionOptions& options) {
  auto connection = make_ref<PooledConnection>(*this, key, options);
  connection->add_reference();  // the list's
  connection->order = next_order_++;
  connections_.push_back(*connection);
  if (key) key->connections.push_back(connection.get());
  ++stats_.opened;
  ++stats_.connections;
  connection->start(waiter.opener);
  return connection.get();
}

Result<ClientSession*> ConnectionPool::lease(const Value& key, PoolWaiter& waiter, bool& is_reused) {
  if (is_draining_) return Error{ErrorCode::Draining, Side::Engine, {}};
  PoolKey& entry = key_entry(key);
  is_reused = false;
  // A newcomer never overtakes who waits already.
  if (entry.waiters.empty() || waiter.needs_fresh) {
    if (PooledConnection* connection = find_available(entry, waiter)) {
      ++stats_.reused;
      is_reused = true;
      return connection->session.get();
    }
    if (!may_open(entry) && waiter.needs_fresh) {
      entry.is_in_use = true;
      close_oldest_idle(entry);
      entry.is_in_use = false;
    }
    if (may_open(entry)) return open(&entry, waiter, options_.session)->session.get();
  }
  if (entry.waiting >= options_.queue_max) entry.waiting = entry.waiters.size();  // some left by themselves
  if (entry.waiting >= options_.queue_max) {
    ++stats_.queue_full;
    return Error{ErrorCode::QueueFull, Side::Engine,
                 std::to_string(entry.waiting) + " requests wait for a connection already"};
  }
  ++stats_.queued;
  ++entry.waiting;
  ++stats_.waiting;
  waiter.order_ = next_order_++;
  waiter.deadline_ = options_.queue_timeout == Duration::max() ? Instant::max()
                                                               : runtime_.loop.now() + options_.queue_timeout;
  entry.waiters.push_back(waiter);
  if (waiter.deadline_ != Instant::max()) arm_timer(waiter.deadline_);
  return nullptr;
}

ClientSession* ConnectionPool::lease_private(PoolWaiter& waiter) {
  ClientSessionOptions options;
  options.messages_max = 1;
  return open(nullptr, waiter, options)->session.get();
}

void ConnectionPool::serve(PoolKey& key) {
  // What a waiter begins may be over at once, and its connection with it.
  const bool was_in_use = std::exchange(key.is_in_use, true);
  while (!key.waiters.empty()) {
    PoolWaiter& waiter = key.waiters.front();
    PooledConnection* connection = find_available(key, waiter);
    const bool is_reused = connection != nullptr;
    if (!connection && !may_open(key)) {
      if (!waiter.needs_fresh || !close_oldest_idle(key)) break;
      continue;  // the one that closed made room, and somebody may have taken it
    }
    key.waiters.pop_front();
    if (!connection) connection = open(&key, waiter, options_.session);
    else ++stats_.reused;
    waiter.on_session(*connection->session, is_reused);
  }
  // Waiters leave by themselves too (auto-unlink), so the count is taken anew.
  stats_.waiting -= key.waiting;
  key.waiting = key.waiters.size();
  stats_.waiting += key.waiting;
  key.is_in_use = was_in_use;
  forget_if_empty(key);
}

void ConnectionPool::connection_over(PooledConnection& connection) {
  --stats_.connections;
  if (PoolKey* key = connection.key) {
    key->connections.erase(std::find(key->connections.begin(), key->connections.end(), &connection));
    if (connection.is_in_idle_stack) key->idle.erase(std::find(key->idle.begin(), key->idle.end(), &connection));
    connection.key = nullptr;
    serve(*key);
  }
  connections_.erase(connections_.iterator_to(connection));
  runtime_.loop.release_later(Ref<Object>(&connection));
  connection.drop_reference();
}

void ConnectionPool::forget_if_empty(PoolKey& key) {
  if (key.connections.empty() && key.waiters.empty() && !key.is_in_use) {
    stats_.waiting -= key.waiting;
    keys_.erase(Value(key.key));
  }
}

void ConnectionPool::arm_timer(Instant when) {
  if (!timer_.is_armed() || timer_.deadline() > when) runtime_.loop.timers().arm(timer_, when);
}

void ConnectionPool::on_timer() {
  const Instant now = runtime_.loop.now();
  Instant next = Instant::max();
  std::vector<PoolKey*> entries;
  for (const auto& [value, entry] : keys_) entries.push_back(entry.get());
  std::vector<PooledConnection*> expired;
  std::vector<PoolWaiter*> late;
  for (PoolKey* entry : entries) {
    for (PoolWaiter& waiter : entry->waiters) {
      if (waiter.deadline_ > now) {
        next = std::min(next, waiter.deadline_);
        break;  // first come, earliest deadline
      }
      late.push_back(&waiter);
    }
    const Object* object = entry->key.object();
    // Ours in the map and ours in the entry: nobody else knows the key any more.
    const bool is_forgotten = object && object->reference_count() <= 2 + entry->connections.size();
    if (object) next = std::min(next, now + weak_key_check);
    for (PooledConnection* connection : entry->connections) {
      if (!connection->session->is_idle()) continue;
      const Instant end = options_.idle_timeout == Duration::max() ? Instant::max()
                                                                   : connection->idle_since + options_.idle_timeout;
      if (end <= now || is_forgotten) expired.push_back(connection);
      else next = std::min(next, end);
    }
  }
  // Pointers in a hash table have no order that a seed repeats; the order of arrival has.
  std::sort(late.begin(), late.end(), [](auto* a, auto* b) { return a->order_ < b->order_; });
  for (PoolWaiter* waiter : late) {
    waiter->unlink();
    ++stats_.queue_timeouts;
    waiter->on_pool_failed(Error{ErrorCode::QueueTimeout, Side::Engine, "no connection became free"});
  }
  std::sort(expired.begin(), expired.end(), [](auto* a, auto* b) { return a->order < b->order; });
  for (PooledConnection* connection : expired) {
    ++stats_.closed_idle;
    connection->session->drain();
  }
  if (next != Instant::max()) arm_timer(next);
}

void ConnectionPool::drain() {
  is_draining_ = true;
  std::vector<Ref<ClientSession>> sessions;
  for (PooledConnection& connection : connections_) sessions.push_back(connection.session);
  // A waiter that fails may end the exchanges of others, and with their connections the entries of their keys.
  std::vector<PoolKey*> entries;
  for (const auto& [value, entry] : keys_) {
    entry->is_in_use = true;
    entries.push_back(entry.get());
  }
  for (PoolKey* entry : entries) {
    while (!entry->waiters.empty()) {
      PoolWaiter& waiter = entry->waiters.front();
      entry->waiters.pop_front();
      waiter.on_pool_failed(Error{ErrorCode::Draining, Side::Engine, {}});
    }
    entry->is_in_use = false;
    forget_if_empty(*entry);
  }
  for (const auto& session : sessions) session->drain();
}

}  // namespace perilune::upstream
