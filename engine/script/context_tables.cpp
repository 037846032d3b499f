#include "script/context_tables.hpp"

#include "script/interpreter.hpp"
#include "upstream/cluster.hpp"

namespace perilune::script {
namespace {

ContextTables& tables(lua_State* L) { return Interpreter::of(L).contexts; }

int push_message_or_nil(lua_State* L, flow::Message* message) {
  if (message) push_message(L, Interpreter::of(L).bindings, *message);
  else lua_pushnil(L);
  return 1;
}

// The functions below take the table of a context, and give nil for what is not there, or when it is over.

int context_session(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  flow::Context* session = context ? context->session() : nullptr;
  if (session) tables(L).push(L, *session);
  else lua_pushnil(L);
  return 1;
}

int context_request(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  return push_message_or_nil(L, context ? context->request() : nullptr);
}

int context_response(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  return push_message_or_nil(L, context ? context->response() : nullptr);
}

int context_elapsed(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  if (!context) return 0;
  lua_pushnumber(L, to_seconds(Interpreter::of(L).loop().now() - context->started()));
  return 1;
}

int context_key(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  if (!context) return 0;
  const flow::UpstreamInfo* upstream = context->upstream();
  const std::string* text = context->key().string();
  // Of a cluster's connection it has parts that only the engine reads.
  if (text && upstream && !upstream->cluster.empty()) push_text(L, upstream::shown_key(*text));
  else Interpreter::of(L).objects.push_value(L, context->key());
  return 1;
}

int context_upstream(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  const flow::UpstreamInfo* upstream = context ? context->upstream() : nullptr;
  if (!upstream) return 0;
  lua_createtable(L, 0, 6);
  set_text(L, "endpoint", upstream->endpoint);
  if (!upstream->cluster.empty()) set_text(L, "cluster", upstream->cluster);
  lua_pushinteger(L, context->attempts());
  lua_setfield(L, -2, "attempts");
  lua_pushboolean(L, context->is_reused());
  lua_setfield(L, -2, "reused");
  lua_pushnumber(L, to_seconds(upstream->connect_time));
  lua_setfield(L, -2, "connectTime");
  lua_pushnumber(L, to_seconds(upstream->first_byte_time));
  lua_setfield(L, -2, "firstByteTime");
  return 1;
}

// The table that keeps what ctx.client is: of the exchange where a trusted proxy named the client, else the
// session's.
int context_client_owner(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  flow::Context* owner = context ? context->client_owner() : nullptr;
  if (owner) tables(L).push(L, *owner);
  else lua_pushnil(L);
  return 1;
}

// (ctx) → {id, ip, port, localIP, localPort, protocol}
int context_client(lua_State* L) {
  flow::Context* context = tables(L).find(L, 1);
  const flow::ClientInfo* client = context ? context->client() : nullptr;
  if (!client) return 0;
  lua_createtable(L, 0, 6);
  lua_pushnumber(L, static_cast<double>(client->id));
  lua_setfield(L, -2, "id");
  set_text(L, "ip", context->client_ip());
  // The port is the proxy's, not that client's.
  if (!context->client_owner()->has_forwarded_client()) {
    lua_pushinteger(L, client->port());
    lua_setfield(L, -2, "port");
  }
  set_text(L, "localIP", client->local_ip());
  lua_pushinteger(L, client->local_port());
  lua_setfield(L, -2, "localPort");
  set_text(L, "protocol", client->port() == 0 ? "unix" : "tcp");
  return 1;
}

int attach_cache(lua_State* L) {
  lua_settop(L, 1);
  tables(L).attach_cache(L);
  return 0;
}

int set_metatable(lua_State* L) {
  lua_settop(L, 1);
  tables(L).set_metatable(L);
  return 0;
}

int set_cache_closer(lua_State* L) {
  lua_settop(L, 1);
  tables(L).set_cache_closer(L);
  return 0;
}

}  // namespace

void ContextTables::bind(lua_State* L) {
  const luaL_Reg functions[] = {
      {"context_session", context_session},
      {"context_request", context_request},
      {"context_response", context_response},
      {"context_elapsed", context_elapsed},
      {"context_key", context_key},
      {"context_upstream", context_upstream},
      {"context_client", context_client},
      {"context_client_owner", context_client_owner},
      {"context_metatable", script::set_metatable},
      {"attach_cache", script::attach_cache},
      {"cache_closer", script::set_cache_closer},
      {nullptr, nullptr},
  };
  luaL_setfuncs(L, functions, 0);
}

flow::Context* ContextTables::find(lua_State* L, int index) const {
  if (!lua_istable(L, index)) return nullptr;
  lua_rawgeti(L, index, 0);
  const double number = lua_tonumber(L, -1);
  lua_pop(L, 1);
  if (!(number >= 1 && number < static_cast<double>(rows_.size()))) return nullptr;
  const auto reference = static_cast<int>(number);
  lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
  const bool is_its_own = lua_rawequal(L, -1, index) != 0;
  lua_pop(L, 1);
  return is_its_own ? rows_[static_cast<size_t>(reference)].context : nullptr;
}

void ContextTables::make(lua_State* L, flow::Context& context) {
  if (context.owner) context.owner->release_context(context);
  flow::Context* parent = context.parent();
  if (parent && parent->owner != this) {
    if (parent->owner) parent = nullptr;  // an exchange of another version
    else make(L, *parent), lua_pop(L, 1);
  }
  const int reference = take_reference(L);
  lua_createtable(L, 2, 4);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, reference);
  lua_pushinteger(L, reference);
  lua_rawseti(L, -2, 0);
  if (parent) lua_rawgeti(L, LUA_REGISTRYINDEX, parent->script_reference);
  else lua_pushboolean(L, false);
  lua_rawseti(L, -2, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, metatable_);
  lua_setmetatable(L, -2);

  rows_[static_cast<size_t>(reference)] = {&context, parent != nullptr};
  context.script_reference = reference;
  context.owner = this;
  ++alive_;
}

// References are kept for the next context: taking one from the registry and giving it back costs more than
// the table itself.
int ContextTables::take_reference(lua_State* L) {
  if (!free_references_.empty()) {
    const int reference = free_references_.back();
    free_references_.pop_back();
    return reference;
  }
  lua_pushboolean(L, true);
  const int reference = luaL_ref(L, LUA_REGISTRYINDEX);
  if (rows_.size() <= static_cast<size_t>(reference)) rows_.resize(static_cast<size_t>(reference) + 1);
  return reference;
}

// The table of a context whose parent was let go of, at the top of the stack.
void ContextTables::cut_off(lua_State* L, Row& row) {
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, 1);
  row.has_parent = false;
}

void ContextTables::release_context(flow::Context& context) {
  lua_State* L = interpreter_.main();
  Row& row = row_of(context);
  lua_rawgeti(L, LUA_REGISTRYINDEX, context.script_reference);
  lua_pushboolean(L, false);
  lua_rawseti(L, -2, 0);
  lua_pop(L, 1);
  lua_pushboolean(L, false);
  lua_rawseti(L, LUA_REGISTRYINDEX, context.script_reference);
  free_references_.push_back(context.script_reference);
  // Never inside this call: nobody knows what runs above it.
  if (row.caches != LUA_NOREF) {
    ended_caches_.push_back(row.caches);
    interpreter_.loop().defer(clear_task_);
  }
  row = {};
  --alive_;
  ++ended_;
  context.script_reference = 0;
  context.owner = nullptr;
}

void ContextTables::end_all() {
  for (Row& row : rows_) {
    if (!row.context) continue;
    row.context->script_reference = 0;
    row.context->owner = nullptr;
    row = {};
  }
  alive_ = 0;
}

void ContextTables::mark_task(flow::Context& context) {
  push(interpreter_.main(), context);
  lua_pop(interpreter_.main(), 1);
  row_of(context).is_task = true;
}

void ContextTables::attach_cache(lua_State* L) {
  const flow::HookCall* call = Coroutine::of(L).call;
  flow::Context* context = call ? call->context : nullptr;
  if (context && context->session()) context = context->session();
  while (context && context->parent()) context = context->parent();
  if (context) {
    push(L, *context);
    lua_pop(L, 1);
  }
  int& list = context && !row_of(*context).is_task ? row_of(*context).caches : own_caches_;
  if (list == LUA_NOREF) {
    lua_newtable(L);
    list = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, list);
  lua_insert(L, -2);
  lua_rawseti(L, -2, static_cast<int>(lua_objlen(L, -2)) + 1);
  lua_pop(L, 1);
}

void ContextTables::clear_list(int& list) {
  if (list == LUA_NOREF) return;
  lua_State* L = interpreter_.main();
  lua_rawgeti(L, LUA_REGISTRYINDEX, close_caches_);
  lua_rawgeti(L, LUA_REGISTRYINDEX, list);
  luaL_unref(L, LUA_REGISTRYINDEX, list);
  list = LUA_NOREF;
  interpreter_.call_now(L, 1, "a release callback may not wait");
}

void ContextTables::clear_ended() {
  std::vector<int> lists = std::move(ended_caches_);
  ended_caches_.clear();
  for (int& list : lists) clear_list(list);
}

void ContextTables::clear_caches() {
  clear_ended();
  for (Row& row : rows_) clear_list(row.caches);
  clear_list(own_caches_);
}

}  // namespace perilune::script
