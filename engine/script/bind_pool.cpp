#include <cmath>

#include "base/text.hpp"
#include "script/interpreter.hpp"
#include "script/library.hpp"
#include "script/script_pool.hpp"

namespace perilune::script {
namespace {

struct PoolBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  std::unique_ptr<ScriptPool> pool;
};

constexpr const char* was_changed = "ResourcePool: its fields are its own, and one of them was changed";

// Only lua/pool.lua calls these functions, so arguments are what they should be; but for the box and the
// numbers of keys and resources, which lie in tables that scripts hold.
ScriptPool& pool_at(lua_State* L) {
  auto* box = test_userdata<PoolBox>(L, 1);
  if (!box) raise(L, was_changed);
  return *box->pool;
}
uint32_t number_at(lua_State* L, int index) { return static_cast<uint32_t>(lua_tointeger(L, index)); }

template <typename IsThere>
uint32_t number_of(lua_State* L, int index, IsThere is_there) {
  const double given = lua_tonumber(L, index);
  const uint32_t number = given >= 1 && given < UINT32_MAX ? static_cast<uint32_t>(given) : 0;
  if (number == 0 || !is_there(number)) raise(L, was_changed);
  return number;
}
uint32_t key_at(lua_State* L, int index) {
  return number_of(L, index, [&pool = pool_at(L)](uint32_t number) { return pool.has_key(number); });
}
uint32_t resource_at(lua_State* L, int index) {
  return number_of(L, index, [&pool = pool_at(L)](uint32_t number) { return pool.has_resource(number); });
}

std::optional<double> field(lua_State* L, int table, const char* name) {
  lua_getfield(L, table, name);
  std::optional<double> number;
  if (lua_type(L, -1) == LUA_TNUMBER) number = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return number;
}

void read_count(lua_State* L, int table, const char* name, uint32_t& count) {
  if (const auto number = field(L, table, name))
    count = *number < algo::unlimited ? static_cast<uint32_t>(*number) : algo::unlimited;
}

void read_time(lua_State* L, int table, const char* name, Duration& span) {
  if (const auto seconds = field(L, table, name))
    span = *seconds == HUGE_VAL ? algo::forever : from_seconds(*seconds);
}

algo::PoolRules read_rules(lua_State* L, int table) {
  algo::PoolRules rules;
  read_count(L, table, "max", rules.key.max);
  read_count(L, table, "idleMax", rules.key.idle_max);
  read_count(L, table, "maxUses", rules.key.uses_max);
  read_time(L, table, "idleTimeout", rules.key.idle_timeout);
  read_time(L, table, "ttl", rules.key.ttl);
  read_count(L, table, "total", rules.total_max);
  read_count(L, table, "queue", rules.queue_max);
  read_time(L, table, "queueTimeout", rules.queue_timeout);
  lua_getfield(L, table, "order");
  if (string_at(L, -1) == "fifo") rules.key.order = algo::PoolOrder::Fifo;
  lua_getfield(L, table, "validates");
  if (lua_toboolean(L, -1)) rules.key.validate_after = Duration::zero();
  lua_pop(L, 2);
  return rules;
}

// (rules) → box, address; or nil, what is wrong. Upvalue 1 is the metatable.
int pool_make(lua_State* L) {
  const algo::PoolRules rules = read_rules(L, 1);
  if (const auto checked = algo::check_rules(rules); !checked) {
    lua_pushnil(L);
    push_text(L, checked.error().detail);
    return 2;
  }
  auto* box = new (lua_newuserdata(L, sizeof(PoolBox))) PoolBox();
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setmetatable(L, -2);
  box->pool = std::make_unique<ScriptPool>(Interpreter::of(L), rules);
  lua_pushlightuserdata(L, box->pool.get());
  return 2;
}

int pool_key(lua_State* L) {
  lua_pushinteger(L, pool_at(L).make_key());
  return 1;
}

// Any value tells tenants apart; that two share a turn by accident does no harm.
uint32_t tenant_at(lua_State* L, int index) {
  if (lua_isnoneornil(L, index)) return 0;
  size_t hash = 0;
  if (const auto text = string_at(L, index)) hash = std::hash<std::string_view>()(*text);
  else if (lua_type(L, index) == LUA_TNUMBER) hash = std::hash<double>()(lua_tonumber(L, index));
  else hash = std::hash<const void*>()(lua_topointer(L, index));
  return static_cast<uint32_t>(hash ^ hash >> 32) | 1;
}

// (box, key, tenant) → cancelled, outcome, number, has left
int pool_lease(lua_State* L) {
  ScriptPool& pool = pool_at(L);
  if (const auto lease = pool.lease(key_at(L, 2), tenant_at(L, 3))) {
    lua_pushboolean(L, false);
    return 1 + push_lease(L, *lease, pool);
  }
  Coroutine& coroutine = Coroutine::of(L);
  auto wait = std::make_unique<PoolWait>(coroutine, pool);
  if (!coroutine.may_wait(L)) {
    wait.reset();
    coroutine.require_wait(L, "ResourcePool:allocate");
  }
  return coroutine.suspend(L, std::move(wait));
}

// (box, resource) → outcome, number, has left
int pool_replace(lua_State* L) {
  ScriptPool& pool = pool_at(L);
  return push_lease(L, pool.replace(resource_at(L, 2)), pool);
}

// (box, resource, discard) → was leased, has left
int pool_release(lua_State* L) {
  ScriptPool& pool = pool_at(L);
  const auto verdict = lua_toboolean(L, 3) ? algo::Verdict::Discard : algo::Verdict::Keep;
  lua_pushboolean(L, pool.release(resource_at(L, 2), verdict));
  lua_pushboolean(L, pool.has_left());
  return 2;
}

// (box, ticket) → resource, has left
int pool_commit(lua_State* L) {
  ScriptPool& pool = pool_at(L);
  lua_pushinteger(L, pool.commit(number_at(L, 2)));
  lua_pushboolean(L, pool.has_left());
  return 2;
}

int push_has_left(lua_State* L, const ScriptPool& pool) {
  lua_pushboolean(L, pool.has_left());
  return 1;
}

int pool_abort(lua_State* L) {
  pool_at(L).abort(number_at(L, 2));
  return push_has_left(L, pool_at(L));
}

int pool_drain(lua_State* L) {
  if (lua_isnoneornil(L, 2)) pool_at(L).drain();
  else pool_at(L).drain_key(key_at(L, 2));
  return push_has_left(L, pool_at(L));
}

int pool_reopen(lua_State* L) {
  pool_at(L).reopen();
  return 0;
}

// (box, key, rules or nil) → has left, problem
int pool_set(lua_State* L) {
  ScriptPool& pool = pool_at(L);
  const uint32_t key = key_at(L, 2);
  std::optional<algo::PoolKeyRules> rules;
  if (lua_istable(L, 3)) rules = read_rules(L, 3).key;
  if (rules) {
    if (const auto checked = algo::check_rules(*rules); !checked) {
      lua_pushboolean(L, pool.has_left());
      push_text(L, checked.error().detail);
      return 2;
    }
  }
  pool.set_key_rules(key, rules);
  return push_has_left(L, pool);
}

// (box) → resource, key, reason; nothing when nothing has left
int pool_closed(lua_State* L) {
  const auto closed = pool_at(L).take_closed();
  if (!closed) return 0;
  lua_pushinteger(L, closed->resource);
  lua_pushinteger(L, closed->key);
  push_text(L, algo::reason_name(closed->reason));
  return 3;
}

int pool_vacant(lua_State* L) {
  const auto key = pool_at(L).take_vacant();
  if (!key) return 0;
  lua_pushinteger(L, *key);
  return 1;
}

int pool_uses(lua_State* L) {
  lua_pushinteger(L, pool_at(L).uses(resource_at(L, 2)));
  return 1;
}

// (box [, key])
int pool_stats(lua_State* L) {
  static const algo::PoolStats nothing;
  const algo::PoolStats* stats = &pool_at(L).stats();
  if (!lua_isnoneornil(L, 2)) stats = pool_at(L).key_stats(number_at(L, 2));
  if (!stats) stats = &nothing;
  const std::pair<const char*, double> numbers[] = {
      {"leased", stats->leased},
      {"idle", stats->idle},
      {"allocating", stats->pending},
      {"waiting", stats->waiting},
      {"allocated", static_cast<double>(stats->allocated)},
      {"failed", static_cast<double>(stats->allocate_failed)},
      {"reused", static_cast<double>(stats->reused)},
      {"queued", static_cast<double>(stats->queued)},
      {"queueFull", static_cast<double>(stats->queue_full)},
      {"queueTimeout", static_cast<double>(stats->queue_timeout)},
      {"cancelled", static_cast<double>(stats->cancelled)},
  };
  lua_createtable(L, 0, 12);
  for (const auto& [name, number] : numbers) {
    lua_pushnumber(L, number);
    lua_setfield(L, -2, name);
  }
  lua_createtable(L, 0, algo::close_reason_count);
  for (int i = 0; i < algo::close_reason_count; ++i) {
    const auto reason = static_cast<algo::CloseReason>(i);
    push_text(L, algo::reason_name(reason));
    lua_pushnumber(L, static_cast<double>(stats->closed_for(reason)));
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "closed");
  return 1;
}

// (ErrorCode) → err
int pool_error(lua_State* L) {
  push_error(L, Error{static_cast<ErrorCode>(lua_tointeger(L, 1)), Side::Engine, {}});
  return 1;
}

int pool_settler(lua_State* L) {
  lua_settop(L, 1);
  Interpreter::of(L).pool_settler = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

}  // namespace

void bind_pool(lua_State* L) {
  lua_createtable(L, 0, 2);
  set_destructor<PoolBox>(L, "ResourcePool");
  lua_pushcclosure(L, pool_make, 1);
  lua_setfield(L, -2, "pool_make");
  const luaL_Reg functions[] = {
      {"pool_key", pool_key},         {"pool_lease", pool_lease},
      {"pool_replace", pool_replace}, {"pool_release", pool_release},
      {"pool_commit", pool_commit},   {"pool_abort", pool_abort},
      {"pool_drain", pool_drain},     {"pool_reopen", pool_reopen},
      {"pool_set", pool_set},         {"pool_closed", pool_closed},
      {"pool_vacant", pool_vacant},   {"pool_uses", pool_uses},
      {"pool_stats", pool_stats},     {"pool_error", pool_error},
      {"pool_settler", pool_settler}, {nullptr, nullptr},
  };
  luaL_setfuncs(L, functions, 0);
}

}  // namespace perilune::script
