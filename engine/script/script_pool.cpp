#include "script/script_pool.hpp"

#include "script/interpreter.hpp"

namespace perilune::script {

using algo::LeaseResult;

ScriptPool::ScriptPool(Interpreter& interpreter, const algo::PoolRules& rules)
    : interpreter_(interpreter), policy_(rules) {}

ScriptPool::~ScriptPool() {
  // The collector took it: nobody waits, and nobody will ask for what it held.
  policy_.shut_down(now());
  while (policy_.pop_ready()) {
  }
  while (policy_.pop_closed()) {
  }
  resources_.clear();
  while (policy_.pop_vacant()) {
  }
  keys_.clear();
}

Instant ScriptPool::now() const { return interpreter_.loop().now(); }

uint32_t ScriptPool::make_key() {
  if (free_keys_.empty()) {
    keys_.emplace_back();
    free_keys_.push_back(static_cast<uint32_t>(keys_.size()));
  }
  const uint32_t number = free_keys_.back();
  free_keys_.pop_back();
  keys_[number - 1] = std::make_unique<Key>();
  keys_[number - 1]->number = number;
  return number;
}

ScriptPool::Lease ScriptPool::told(const LeaseResult& result) {
  switch (result.kind) {
    case LeaseResult::Kind::Leased:
      return {result.must_validate ? Outcome::Validate : Outcome::Leased,
              static_cast<Resource*>(result.entry)->number};
    case LeaseResult::Kind::Allocate:
      if (tickets_.size() <= result.ticket.index) tickets_.resize(result.ticket.index + 1);
      tickets_[result.ticket.index] = result.ticket;
      return {Outcome::Allocate, result.ticket.index + 1};
    default: return {Outcome::Failed, static_cast<uint32_t>(result.code)};
  }
}

std::optional<ScriptPool::Lease> ScriptPool::lease(uint32_t key, uint32_t tenant) {
  spare_->tenant = tenant;
  const LeaseResult result = policy_.lease(key_at(key), *spare_, now());
  settle();
  if (result.kind == LeaseResult::Kind::Queued) return std::nullopt;
  return told(result);
}

ScriptPool::Lease ScriptPool::replace(uint32_t resource) {
  const LeaseResult result = policy_.replace(*resource_at(resource), *spare_, now());
  settle();
  return told(result);
}

bool ScriptPool::release(uint32_t resource, algo::Verdict verdict) {
  if (!policy_.release(*resource_at(resource), verdict, now())) return false;
  settle();
  return true;
}

uint32_t ScriptPool::commit(uint32_t ticket) {
  if (free_resources_.empty()) {
    const auto before = static_cast<uint32_t>(resources_.size()) * block_size;
    resources_.push_back(std::make_unique<Block>());
    for (uint32_t number = before + block_size; number > before; --number) free_resources_.push_back(number);
  }
  const uint32_t number = free_resources_.back();
  free_resources_.pop_back();
  Resource& resource = resource_at(number).emplace();
  resource.number = number;
  policy_.commit(tickets_[ticket - 1], resource, now());
  settle();
  return number;
}

void ScriptPool::abort(uint32_t ticket) {
  policy_.abort(tickets_[ticket - 1], ErrorCode::Cancelled, now());
  settle();
}

void ScriptPool::drain_key(uint32_t key) {
  policy_.drain(key_at(key), algo::Drain::Refuse, now());
  settle();
}

void ScriptPool::drain() {
  policy_.drain(algo::Drain::Refuse, now());
  settle();
}

void ScriptPool::set_key_rules(uint32_t key, const std::optional<algo::PoolKeyRules>& rules) {
  policy_.set_key_rules(key_at(key), rules, now());
  settle();
}

const algo::PoolStats* ScriptPool::key_stats(uint32_t key) const {
  return key > 0 && key <= keys_.size() && keys_[key - 1] ? &keys_[key - 1]->stats() : nullptr;
}

void ScriptPool::settle() {
  while (algo::PoolEntry* entry = policy_.pop_closed())
    closed_.push_back(
        {static_cast<Resource*>(entry)->number, static_cast<Key*>(entry->key())->number, entry->reason()});
  while (algo::PoolWaiter* ready = policy_.pop_ready())
    static_cast<Waiter*>(ready)->wait->on_served(ready->result());
  while (algo::PoolKey* key = policy_.pop_vacant()) vacant_.push_back(static_cast<Key*>(key)->number);
  const Instant due = policy_.next_due();
  if (due != Instant::max() && (!timer_.is_armed() || timer_.deadline() > due))
    interpreter_.loop().timers().arm(timer_, due);
}

void ScriptPool::on_due() {
  policy_.advance(now());
  settle();
  settle_in_lua();
}

void ScriptPool::settle_in_lua() {
  if (!has_left()) return;
  lua_State* L = interpreter_.main();
  lua_rawgeti(L, LUA_REGISTRYINDEX, interpreter_.pool_settler);
  lua_pushlightuserdata(L, this);
  interpreter_.call_now(L, 1, "a destroy callback may not wait");
}

std::optional<ScriptPool::Closed> ScriptPool::take_closed() {
  if (closed_taken_ == closed_.size()) {
    closed_.clear();
    closed_taken_ = 0;
    return std::nullopt;
  }
  const Closed closed = closed_[closed_taken_++];
  resource_at(closed.resource).reset();
  free_resources_.push_back(closed.resource);
  return closed;
}

std::optional<uint32_t> ScriptPool::take_vacant() {
  while (!vacant_.empty()) {
    const uint32_t number = vacant_.back();
    vacant_.pop_back();
    if (!keys_[number - 1] || keys_[number - 1]->is_attached()) continue;  // leased again meanwhile
    keys_[number - 1].reset();
    free_keys_.push_back(number);
    return number;
  }
  return std::nullopt;
}

PoolWait::PoolWait(Coroutine& coroutine, ScriptPool& pool)
    : Wait(coroutine), pool_(pool), waiter_(std::move(pool.spare_)) {
  waiter_->wait = this;
  pool.spare_ = std::make_unique<ScriptPool::Waiter>();
}

PoolWait::~PoolWait() {
  if (!waiter_) return;
  if (!lease_) pool_.policy_.cancel(*waiter_, pool_.now());
  else if (lease_->outcome == ScriptPool::Outcome::Allocate) pool_.abort(lease_->number);
  else if (lease_->outcome != ScriptPool::Outcome::Failed) pool_.release(lease_->number, algo::Verdict::Keep);
  pool_.settle();
  // Scripts are called when this turn ends, not from here.
  if (pool_.has_left()) interpreter().loop().defer(pool_.settle_task_);
}

void PoolWait::on_served(const LeaseResult& result) {
  lease_ = pool_.told(result);
  wake();
}

int PoolWait::push_results(lua_State* L) {
  waiter_.reset();
  return push_lease(L, *lease_, pool_);
}

int push_lease(lua_State* L, ScriptPool::Lease lease, const ScriptPool& pool) {
  lua_pushinteger(L, static_cast<int>(lease.outcome));
  lua_pushinteger(L, static_cast<lua_Integer>(lease.number));
  lua_pushboolean(L, pool.has_left());
  return 3;
}

}  // namespace perilune::script
