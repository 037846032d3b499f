#include "upstream/cluster.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "algo/hash.hpp"
#include "upstream/health_checker.hpp"
#include "upstream/member_feed.hpp"

namespace perilune::upstream {
namespace {

constexpr Duration upkeep_interval = 1s;

/// Where nobody knows how long a server keeps idle connections, what must not be sent twice takes none that
/// was idle for longer: the shortest timeouts in use are a second, and between our last look and the server's
/// lies its way.
constexpr Duration unsafe_idle_age = 500ms;

/// Between the address and what else tells connections apart: no address has it, also none of a unix socket.
constexpr char key_separator = '\0';

ConnectionPoolOptions pool_options(const ClusterOptions& options, std::string_view name) {
  ConnectionPoolOptions result;
  result.cluster = name;
  algo::PoolRules& rules = result.rules;
  // Limits of connections are the tokens', which all workers share.
  rules.idle_max = options.idle_max;
  rules.queue_max = rules.queue_total_max = options.queue_max;
  rules.queue_timeout = options.queue_timeout;
  rules.binding = algo::PoolBinding::First;
  rules.key.idle_timeout = options.idle_timeout;
  rules.key.ttl = options.ttl;
  rules.key.order = options.is_fifo ? algo::PoolOrder::Fifo : algo::PoolOrder::Lifo;
  result.session.pipelining = options.pipelining;
  result.session.messages_max = options.messages_max;
  return result;
}

/// A worker's part of what is asked for in all.
uint32_t share_of(uint32_t total, unsigned worker, unsigned workers) {
  return total / workers + (worker < total % workers ? 1 : 0);
}

algo::PickerOptions picker_options(const ClusterOptions& options, unsigned worker) {
  algo::PickerOptions result = options.balance;
  result.start = worker;
  return result;
}

/// The keys of an endpoint, one for each tag, in the order in which they were first leased.
std::vector<Value> keys_of(const ConnectionPool& pool, const Endpoint& endpoint) {
  std::vector<const ConnectionKey*> keys;
  pool.each_key([&](const ConnectionKey& key) {
    if (key.owner == &endpoint) keys.push_back(&key);
  });
  std::ranges::sort(keys, {}, [](const ConnectionKey* key) { return key->number(); });
  std::vector<Value> values;
  for (const ConnectionKey* key : keys) values.push_back(key->value);
  return values;
}

/// What is done to one key may be the end of another.
template <typename Function>
void each_key_of(const ConnectionPool& pool, const Endpoint& endpoint, Function&& function) {
  for (const Value& value : keys_of(pool, endpoint))
    if (ConnectionKey* key = pool.find_key(value)) function(*key);
}

}  // namespace

std::string_view target_of(std::string_view key) { return key.substr(0, key.find(key_separator)); }

std::string shown_key(std::string_view key) {
  const std::string_view target = target_of(key);
  const size_t tag = key.find(key_separator, std::min(target.size() + 1, key.size()));
  std::string text(target);
  if (tag != std::string_view::npos) text.append(" ").append(key.substr(tag + 1));
  return text;
}

/// The endpoints of one level as a picker sees them.
class Cluster::View final : public algo::PickerView {
 public:
  View(const Cluster& cluster, const Level& level, const Choice& choice)
      : cluster_(cluster), level_(level), choice_(choice) {}

  bool is_usable(uint32_t index) const override {
    const Endpoint* endpoint = level_.endpoints[index];
    const bool is_available = cluster_.availability_.is_available(
        {endpoint->record->priority.load(std::memory_order_relaxed), endpoint->record->is_available()});
    return is_available && std::ranges::find(choice_.tried, endpoint) == choice_.tried.end();
  }
  uint32_t active(uint32_t index) const override {
    return level_.endpoints[index]->record->active.load(std::memory_order_relaxed);
  }

 private:
  const Cluster& cluster_;
  const Level& level_;
  const Choice& choice_;
};

Cluster::Cluster(const Parts& parts, std::shared_ptr<ClusterRecord> record, ClusterOptions options)
    : parts_(parts),
      record_(std::move(record)),
      options_(std::move(options)),
      own_floor_(share_of(options_.floor, parts.worker, record_->workers())),
      pool_(parts.runtime, *parts.connections, pool_options(options_, record_->name), this),
      availability_(options_.availability),
      is_alive_(std::make_shared<bool>(true)),
      hook_runs_(parts.runtime) {
  pool_.set_observer(this);
}

Cluster::~Cluster() {
  record_->detach(*this);
  record_->limits.detach(*this);
  *is_alive_ = false;
}

void Cluster::start() {
  record_->limits.attach(*this);
  record_->attach(*this);
  record_->configure(options_, parts_.worker, loop().now());
  follow_record();
  is_started_ = true;
  begin();
}

void Cluster::begin() {
  if (parts_.worker == 0) {
    if (options_.health.kind != HealthOptions::Kind::None) {
      health_ = std::make_unique<HealthChecker>(
          HealthChecker::Parts{parts_.runtime, parts_.network, *parts_.connections}, record_,
          options_.health);
      health_->follow();
    } else {
      // Whoever was checked by an earlier script is not any more: nobody knows how it is.
      for (const EndpointRef& member : record_->members())
        record_->set_health(*member, algo::Health::Unknown, loop().now());
    }
    if (options_.discovery) {
      feed_ = std::make_unique<MemberFeed>(parts_.runtime.loop, parts_.network, record_, *options_.discovery);
      feed_->start();
    }
    on_restore();
  }
  for (const auto& endpoint : endpoints_) keep_floor(*endpoint);
}

void Cluster::adopt(Cluster& newer, bool keeps_connections) {
  std::swap(options_, newer.options_);
  std::swap(parts_.connections, newer.parts_.connections);
  health_.reset();
  feed_.reset();
  own_floor_ = newer.own_floor_;
  for (const auto& endpoint : endpoints_) endpoint->floor = algo::PreconnectFloor({own_floor_});
  pool_.adopt(*parts_.connections, pool_options(options_, record_->name));
  for (const auto& endpoint : endpoints_) {
    endpoint->applied_cutoff = Duration::max();
    if (!keeps_connections) each_key_of(pool_, *endpoint, [&](ConnectionKey& key) { pool_.renew_key(key); });
  }
  availability_ = algo::Availability(options_.availability);
  levels_.clear();
  record_->configure(options_, parts_.worker, loop().now());
  follow_record();
  begin();
  if (!upkeep_timer_.is_armed()) loop().arm(upkeep_timer_, upkeep_interval);
}

void Cluster::retire() {
  health_.reset();
  feed_.reset();
  own_floor_ = 0;
  options_.preconnect = 1.0;
  pool_.retire();
}

void Cluster::drain() {
  is_draining_ = true;
  health_.reset();
  feed_.reset();
  hook_runs_.stop();
  upkeep_timer_.disarm();
  restore_timer_.disarm();
  while (!members_waiters_.empty()) {
    MembersWaiter& waiter = members_waiters_.front();
    members_waiters_.pop_front();
    waiter.on_members();
  }
  pool_.drain();
}

// ── requests

Result<void> Cluster::admit() {
  if (is_draining_) return Error{ErrorCode::Draining, Side::Engine, {}};
  if (record_->requests.fetch_add(1, std::memory_order_relaxed) < options_.requests_max) return {};
  leave();
  record_->refused.fetch_add(1, std::memory_order_relaxed);
  return Error{
      ErrorCode::Overflow, Side::Engine,
      "upstream " + name() + " has " + std::to_string(options_.requests_max) + " requests under way already"};
}

bool Cluster::begin_retry() {
  const uint32_t retries = record_->retries.fetch_add(1, std::memory_order_relaxed);
  const uint32_t requests = record_->requests.load(std::memory_order_relaxed);
  if (options_.retry_budget.allows(retries, requests, 0)) return true;
  end_retry();
  return false;
}

Error Cluster::no_endpoint() const {
  const char* why = endpoints_.empty() ? " has no endpoints" : " has no endpoint that may be used now";
  return {ErrorCode::NoEndpoint, Side::Upstream, "upstream " + name() + why};
}

Endpoint* Cluster::choose(const Choice& choice) {
  if (record_->version() != seen_version_ || loop().now() >= weights_until_) follow_record();
  if (choice.identity) {
    Endpoint* wanted = find(*choice.identity);
    const bool is_usable = wanted && wanted->record->is_available() &&
                           std::ranges::find(choice.tried, wanted) == choice.tried.end();
    if (is_usable || choice.is_pinned) return wanted;
  }
  const uint64_t random = loop().driver().random();
  if (const auto priority = availability_.draw_priority(random)) {
    const auto level = std::ranges::find(levels_, *priority, &Level::priority);
    if (level != levels_.end())
      if (Endpoint* endpoint = pick_from(*level, choice, random)) return endpoint;
  }
  for (Level& level : levels_)
    if (Endpoint* endpoint = pick_from(level, choice, random)) return endpoint;
  if (choice.tried.empty()) return nullptr;
  // All were tried: once more is better than not at all.
  Choice again = choice;
  again.tried = {};
  return choose(again);
}

Endpoint* Cluster::pick_from(Level& level, const Choice& choice, uint64_t random) {
  const auto index = level.picker->pick(View(*this, level, choice), choice.key, random);
  return index ? level.endpoints[*index] : nullptr;
}

Result<ClientSession*> Cluster::lease(Endpoint& endpoint, std::string_view tag, PoolWaiter& waiter,
                                      bool& is_reused) {
  ConnectionKey& key = tag.empty() ? endpoint.key() : key_of(endpoint, tag);
  note_activity();
  const bool is_crowded = record_->waiting.load(std::memory_order_relaxed) >= options_.queue_max;
  if (is_crowded && !pool_.policy().has_room(key))
    return Error{ErrorCode::QueueFull, Side::Engine,
                 std::to_string(options_.queue_max) + " requests wait for a connection already"};
  if (!waiter.is_idempotent && endpoint.applied_cutoff == Duration::max()) {
    const algo::PoolEntry* idle = pool_.policy().next_idle(key);
    if (idle && loop().now() - idle->idle_since() >= unsafe_idle_age) waiter.needs_fresh = true;
  }
  auto session = pool_.lease(key, waiter, is_reused);
  if (options_.preconnect > 1) connect_ahead(endpoint);
  endpoint.demand.on_used(endpoint.key().stats().leased);
  return session;
}

void Cluster::note_activity() {
  was_active_ = true;
  if (!upkeep_timer_.is_armed()) loop().arm(upkeep_timer_, upkeep_interval);
}

void Cluster::note_idle_age(Endpoint& endpoint, Duration age, bool has_served) {
  if (!options_.learns_idle) return;
  if (has_served) {
    endpoint.cutoff.on_reused(age, loop().now());
    return;
  }
  endpoint.cutoff.on_stale(age, loop().now());
  apply_cutoff(endpoint);
}

void Cluster::note_answer_time(const Endpoint& endpoint, Duration took) {
  counts(endpoint).answer_time.observe(took);
  if (answer_times_) answer_times_->observe(took, loop().now());
}

// Times are watched from the first hedge on that goes by them.
Duration Cluster::hedge_after(const HedgeOptions& hedge) {
  if (hedge.percentile == 0) return hedge.after;
  if (!answer_times_) answer_times_ = std::make_unique<RollingPercentile>();
  return answer_times_->at(hedge.percentile);
}

Duration Cluster::hedge_connect_after(const HedgeOptions& hedge) {
  if (hedge.connect_percentile == 0) return hedge.connect_after;
  if (!connect_times_) connect_times_ = std::make_unique<RollingPercentile>();
  return connect_times_->at(hedge.connect_percentile);
}

// ── connections

ConnectionKey& Endpoint::key() {
  if (!known_key) known_key = &cluster.make_key(*this);
  return *known_key;
}

ConnectionKey& Cluster::make_key(Endpoint& endpoint) {
  ConnectionKey& key = key_of(endpoint, {});
  key.pin();
  return key;
}

ConnectionKey& Cluster::key_of(Endpoint& endpoint, std::string_view tag) {
  std::string text = endpoint.record->name;
  if (endpoint.record->serial > 0 || !tag.empty())
    text += key_separator + std::to_string(endpoint.record->serial);
  if (!tag.empty()) text.append(1, key_separator).append(tag);
  ConnectionKey& key = pool_.key_entry(Value(text));
  key.owner = &endpoint;
  return key;
}

void Cluster::apply_cutoff(Endpoint& endpoint) {
  if (!options_.learns_idle || endpoint.is_removed) return;
  const Duration cutoff = endpoint.cutoff.cutoff(loop().now());
  if (cutoff == endpoint.applied_cutoff) return;
  endpoint.applied_cutoff = cutoff;
  algo::PoolKeyRules rules = pool_.policy().rules().key;
  rules.idle_timeout = std::min(rules.idle_timeout, cutoff);
  pool_.set_key_rules(endpoint.key(), rules);
}

void Cluster::on_opened(ConnectionKey& key, Duration took, const Error* error) {
  auto& endpoint = *static_cast<Endpoint*>(key.owner);
  EndpointCounts& count = counts(endpoint);
  if (endpoint.is_removed) loop().defer(end_removed_task_);
  if (!error) {
    count.connections.add();
    count.connect_time.observe(took);
    if (connect_times_) connect_times_->observe(took, loop().now());
    endpoint.floor.on_connected();
  } else if (error->code == ErrorCode::ConnectTimeout) {
    count.connect_timeout.add();
    endpoint.floor.on_connect_failed();
  } else if (error->code != ErrorCode::Draining) {
    count.connect_failed.add();
    endpoint.floor.on_connect_failed();
    // Out of descriptors: what lies idle holds some.
    if (error->code == ErrorCode::Resources) loop().defer(make_room_task_);
  }
}

bool Cluster::holds_release(PooledConnection& connection) {
  return options_.on_release && hook_runs_.run_at_release(*options_.on_release, connection);
}

void Cluster::on_closed(PooledConnection& connection, const algo::CloseReason* reason) {
  auto& endpoint = *static_cast<Endpoint*>(connection.connection_key()->owner);
  EndpointCounts& count = counts(endpoint);
  if (reason) {
    count.closed[static_cast<size_t>(*reason)].add();
  } else if (connection.session->end() == ClientSession::End::ClosedIdle) {
    count.closed_idle.add();
    if (options_.learns_idle) {
      endpoint.cutoff.on_idle_close(loop().now() - connection.session->idle_since(), loop().now());
      apply_cutoff(endpoint);
    }
  } else if (connection.session->end() == ClientSession::End::UnexpectedData) {
    count.unexpected_data.add();
  }
  if (options_.on_evict) {
    constexpr std::string_view names[] = {"failed", "closed", "unexpected-data"};
    hook_runs_.run_at_end(
        *options_.on_evict, connection,
        reason ? algo::reason_name(*reason) : names[static_cast<size_t>(connection.session->end())]);
  }
  if (endpoint.is_removed) loop().defer(end_removed_task_);
  if (own_floor_ > 0) note_activity();
}

void Cluster::make_room() { pool_.evict_idle(nullptr); }

void Cluster::connect_ahead(Endpoint& endpoint) {
  if (is_draining_ || endpoint.is_removed || endpoint.opens_ahead) return;
  const algo::PoolStats& stats = endpoint.key().stats();
  const algo::ConnectDemand demand{uint64_t{stats.waiting} + stats.covered, stats.leased,
                                   uint64_t{stats.pending} + stats.idle};
  const bool is_healthy = endpoint.record->is_available();
  uint32_t wanted = is_healthy ? algo::connects_wanted(demand, options_.preconnect) : 0;
  endpoint.opens_ahead = true;
  while (wanted-- > 0 && pool_.open_ahead(endpoint.key())) continue;
  endpoint.opens_ahead = false;
}

void Cluster::keep_floor(Endpoint& endpoint) {
  if (own_floor_ == 0 || !is_started_ || endpoint.opens_ahead) return;
  const algo::PoolStats& stats = endpoint.key().stats();
  const uint32_t room =
      record_->limits.total_max() - std::min(record_->limits.used(), record_->limits.total_max());
  const auto wanted = endpoint.floor.wanted(
      {stats.used(), room, endpoint.record->is_available(), is_draining_ || endpoint.is_removed});
  counts(endpoint).floor_blocked.add(wanted.blocked);
  endpoint.opens_ahead = true;
  for (uint32_t i = 0; i < wanted.open && pool_.open_ahead(endpoint.key()); ++i) continue;
  endpoint.opens_ahead = false;
  if (!upkeep_timer_.is_armed()) loop().arm(upkeep_timer_, upkeep_interval);
}

void Cluster::on_upkeep() {
  publish();
  const Instant now = loop().now();
  const bool purges = now - purged_at_ >= options_.purge_interval;
  if (purges) purged_at_ = now;
  bool has_work = own_floor_ > 0 || weights_until_ != Instant::max();
  for (const auto& owned : endpoints_) {
    Endpoint& endpoint = *owned;
    apply_cutoff(endpoint);
    keep_floor(endpoint);
    if (!endpoint.known_key) continue;
    const algo::PoolStats& stats = endpoint.known_key->stats();
    if (purges) {
      const uint32_t unneeded = endpoint.demand.on_tick(stats.leased, stats.idle);
      // What the floor asks for would only be opened again.
      pool_.evict_idle(*endpoint.known_key,
                       std::min(unneeded, stats.used() - std::min(stats.used(), own_floor_)));
    }
    has_work = has_work || stats.used() > 0 || endpoint.applied_cutoff != Duration::max();
  }
  if (std::exchange(was_active_, false) || has_work) loop().arm(upkeep_timer_, upkeep_interval);
}

void Cluster::publish() {
  for (const auto& endpoint : endpoints_) {
    EndpointCounts* count = endpoint->record->known_counts(parts_.worker);
    if (count) count->leased.set(0), count->idle.set(0), count->connecting.set(0), count->waiting.set(0);
  }
  pool_.each_key([&](const ConnectionKey& key) {
    const algo::PoolStats& stats = key.stats();
    if (!key.is_attached()) return;
    EndpointCounts& count = counts(*static_cast<const Endpoint*>(key.owner));
    count.leased.add(stats.leased);
    count.idle.add(stats.idle);
    count.connecting.add(stats.pending);
    count.waiting.add(stats.waiting);
  });
}

void Cluster::drain_connections(std::string_view name) {
  for (const auto& endpoint : endpoints_)
    if (name.empty() || endpoint->record->name == name)
      each_key_of(pool_, *endpoint, [&](ConnectionKey& key) { pool_.renew_key(key); });
}

// ── members

Endpoint* Cluster::find(const EndpointRecord& record) const {
  const auto found =
      std::ranges::find_if(endpoints_, [&](const auto& each) { return each->record.get() == &record; });
  return found == endpoints_.end() ? nullptr : found->get();
}

Endpoint* Cluster::find(uint64_t identity) const {
  const auto found = std::ranges::find_if(
      endpoints_, [&](const auto& each) { return each->record->identity == identity && !each->is_removed; });
  return found == endpoints_.end() ? nullptr : found->get();
}

void Cluster::follow_record() {
  seen_version_ = record_->version();
  follow_members();
  for (const auto& owned : endpoints_) {
    Endpoint& endpoint = *owned;
    const algo::Health health = endpoint.record->health.load();
    const algo::Health before = std::exchange(endpoint.seen_health, health);
    // What is under way may end well, and what is idle would not be used.
    if (health == algo::Health::Unhealthy && before != health)
      each_key_of(pool_, endpoint, [&](ConnectionKey& key) { pool_.renew_key(key); });
    if (health != before) keep_floor(endpoint);
  }
  rebuild_levels();
  if (!awaits_members()) {
    while (!members_waiters_.empty()) {
      MembersWaiter& waiter = members_waiters_.front();
      members_waiters_.pop_front();
      waiter.on_members();
    }
  }
}

void Cluster::follow_members() {
  const ClusterRecord::Members members = record_->members();
  // Looked up only, never walked through: its order means nothing.
  std::unordered_map<const EndpointRecord*, size_t> places;
  for (const EndpointRef& record : members) places.emplace(record.get(), places.size());
  std::unordered_set<const EndpointRecord*> known;
  for (const auto& endpoint : endpoints_) known.insert(endpoint->record.get());
  for (const EndpointRef& record : members) {
    if (known.contains(record.get())) continue;
    endpoints_.push_back(std::make_unique<Endpoint>(*this, record, algo::FloorRules{own_floor_}));
    Endpoint& endpoint = *endpoints_.back();
    endpoint.seen_health = record->health.load();
    keep_floor(endpoint);
  }
  for (const auto& endpoint : endpoints_) {
    if (endpoint->is_removed || places.contains(endpoint->record.get())) continue;
    endpoint->is_removed = true;
    // Who waits for it is served yet; what is busy ends its request.
    each_key_of(pool_, *endpoint, [&](ConnectionKey& key) { pool_.drain_key(key); });
    loop().defer(end_removed_task_);
    endpoint->cut_at =
        options_.drain_timeout == Duration::max() ? Instant::max() : loop().now() + options_.drain_timeout;
  }
  // The order of the record's: turns follow the declaration.
  std::ranges::stable_sort(endpoints_, {}, [&](const auto& endpoint) {
    const auto place = places.find(endpoint->record.get());
    return place == places.end() ? members.size() : place->second;
  });
}

void Cluster::end_removed() {
  Instant next = Instant::max();
  for (const auto& endpoint : endpoints_) {
    if (!endpoint->is_removed) continue;
    const bool is_cut = loop().now() >= endpoint->cut_at;
    if (!is_cut) next = std::min(next, endpoint->cut_at);
    each_key_of(pool_, *endpoint, [&](ConnectionKey& key) {
      // A retry may have leased a tag anew.
      if (key.is_attached() && !key.is_draining()) pool_.drain_key(key);
    });
    if (!is_cut) continue;
    each_key_of(pool_, *endpoint, [&](ConnectionKey& key) {
      pool_.cut_key(key, Error{ErrorCode::Draining, Side::Engine, "the endpoint was removed"});
    });
  }
  // Connections of each tag know it.
  std::erase_if(endpoints_, [&](const auto& endpoint) {
    if (!endpoint->is_removed || endpoint->users > 0) return false;
    const size_t own_keys = endpoint->known_key ? 1 : 0;
    if (keys_of(pool_, *endpoint).size() > own_keys) return false;
    return !endpoint->known_key || pool_.drop_key(*endpoint->known_key);
  });
  if (next != Instant::max()) loop().timers().arm(cut_timer_, next);
}

uint32_t Cluster::weight_of(const Endpoint& endpoint) const {
  const uint32_t weight = endpoint.record->weight.load(std::memory_order_relaxed);
  if (options_.slow_start.window == Duration::zero()) return weight;
  const Duration age = loop().now() - Instant(std::chrono::nanoseconds(endpoint.record->joined.load()));
  return algo::slow_start_weight(weight * algo::slow_start_scale, age, options_.slow_start);
}

void Cluster::rebuild_levels() {
  std::vector<algo::AvailabilityEndpoint> inputs;
  for (Level& level : levels_) level.endpoints.clear();
  weights_until_ = Instant::max();
  for (const auto& endpoint : endpoints_) {
    if (endpoint->is_removed) continue;
    const EndpointRecord& record = *endpoint->record;
    inputs.push_back({record.priority, record.is_available()});
    auto level = std::ranges::find(levels_, record.priority.load(), &Level::priority);
    if (level == levels_.end())
      level = levels_.insert(
          level, {record.priority, {}, algo::make_picker(picker_options(options_, parts_.worker))});
    level->endpoints.push_back(endpoint.get());
    const Duration age = loop().now() - Instant(std::chrono::nanoseconds(record.joined.load()));
    if (options_.slow_start.window > Duration::zero() && algo::is_starting_slowly(age, options_.slow_start))
      weights_until_ = loop().now() + upkeep_interval;
  }
  std::erase_if(levels_, [](const Level& level) { return level.endpoints.empty(); });
  std::ranges::sort(levels_, {}, &Level::priority);
  std::vector<algo::PickerEndpoint> weights;
  for (Level& level : levels_) {
    weights.clear();
    for (const Endpoint* endpoint : level.endpoints)
      weights.push_back({endpoint->record->identity, weight_of(*endpoint)});
    level.picker->assign(weights);
  }
  availability_.assign(inputs);
}

// ── from other threads, and for them

template <typename Function>
void Cluster::post(Function function) {
  parts_.runtime.loop.post([is_alive = is_alive_, function = std::move(function)] { function(*is_alive); });
}

void Cluster::post_changed() {
  post([this](bool is_alive) {
    if (is_alive && record_->version() != seen_version_) {
      follow_record();
      if (health_) health_->follow();
      on_restore();
    }
  });
}

void Cluster::on_restore() {
  if (parts_.worker != 0 || !is_started_ || is_draining_) return;
  const Instant next = record_->watch_outliers(loop().now());
  if (next != Instant::max()) loop().timers().arm(restore_timer_, next);
}

void Cluster::post_drain(const std::string& endpoint) {
  post([this, endpoint](bool is_alive) {
    if (is_alive) drain_connections(endpoint);
  });
}

void Cluster::post_token(const EndpointRef& endpoint, const std::string& key) {
  post([this, endpoint, key, record = record_](bool is_alive) {
    if (is_alive) on_token(endpoint, key);
    else record->limits.give_back(*endpoint);
  });
}

void Cluster::on_token(const EndpointRef& endpoint, const std::string& key) {
  if (ConnectionKey* wanted = pool_.find_key(Value(key))) pool_.on_token(*wanted);
  else record_->limits.give_back(*endpoint);
}

void Cluster::post_reclaim(const EndpointRef& endpoint) {
  post([this, endpoint](bool is_alive) {
    if (is_alive) on_reclaim(endpoint);
  });
}

void Cluster::on_reclaim(const EndpointRef& record) {
  Endpoint* endpoint = record ? find(*record) : nullptr;
  if (record && !endpoint) return;
  // Another worker may have given one meanwhile.
  const bool is_wanted =
      record ? record->wanted_since.load() != INT64_MAX : record_->limits.is_total_wanted();
  if (!is_wanted) return;
  if (!endpoint) {
    pool_.evict_idle(nullptr);
    return;
  }
  const PooledConnection* eldest = nullptr;
  pool_.each_connection([&](const PooledConnection& connection) {
    const ConnectionKey* key = connection.connection_key();
    if (!key || key->owner != endpoint || connection.state() != algo::PoolEntry::State::Idle) return;
    if (!eldest || connection.idle_since() < eldest->idle_since()) eldest = &connection;
  });
  if (eldest) pool_.evict_idle(eldest->connection_key());
}

algo::PoolTokens::Answer Cluster::take(algo::PoolKey& key) {
  const auto& endpoint = *static_cast<Endpoint*>(static_cast<ConnectionKey&>(key).owner);
  switch (record_->limits.take(*endpoint.record)) {
    case ConnectionLimits::Answer::Taken: return Answer::Taken;
    case ConnectionLimits::Answer::EndpointFull: return Answer::KeyFull;
    case ConnectionLimits::Answer::TotalFull: return Answer::TotalFull;
  }
  return Answer::TotalFull;
}

void Cluster::take_beyond(algo::PoolKey& key) {
  record_->limits.take_beyond(*static_cast<Endpoint*>(static_cast<ConnectionKey&>(key).owner)->record);
}

void Cluster::give_back(algo::PoolKey& key) {
  record_->limits.give_back(*static_cast<Endpoint*>(static_cast<ConnectionKey&>(key).owner)->record);
}

void Cluster::want(algo::PoolKey& key, Instant since) {
  auto& connection_key = static_cast<ConnectionKey&>(key);
  record_->limits.want(*this, static_cast<Endpoint*>(connection_key.owner)->record,
                       *connection_key.value.string(), since);
}

Instant Cluster::wanted_since(const algo::PoolKey& key) const {
  return record_->limits.wanted_since(
      *static_cast<Endpoint*>(static_cast<const ConnectionKey&>(key).owner)->record);
}

}  // namespace perilune::upstream
