#include <filesystem>

#include "base/limits.hpp"
#include "script/bind_test.hpp"
#include "script/library.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

TestHost& host_of(lua_State* L) { return Interpreter::of(L).tests->host; }

int chosen(lua_State* L) { return lua_pushnumber(L, static_cast<double>(host_of(L).chosen())), 1; }

// (name, seeds or nil)
int declare(lua_State* L) {
  host_of(L).declare(
      {std::string(*string_at(L, 1)), script_place(L), static_cast<uint32_t>(lua_tonumber(L, 2))});
  return 0;
}

/// The running function is the test.
int begin(lua_State* L) {
  TestDesk& desk = *Interpreter::of(L).tests;
  desk.thread = L;
  lua_pushthread(L);
  desk.thread_reference = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

// (message, place…)
int fail(lua_State* L) {
  TestFailure failure{std::string(*string_at(L, 1))};
  for (int i = 2; i <= lua_gettop(L); ++i) failure.places.emplace_back(*string_at(L, i));
  host_of(L).fail(std::move(failure));
  return 0;
}

int finish(lua_State* L) {
  TestDesk& desk = *Interpreter::of(L).tests;
  desk.thread = nullptr;
  luaL_unref(L, LUA_REGISTRYINDEX, desk.thread_reference);
  host_of(L).finish();
  return 0;
}

/// () → the places where functions of the file stand that run now, the innermost first.
int stack(lua_State* L) {
  luaL_checkstack(L, 20, "places");
  const auto places = script_stack(L);
  for (const std::string& place : places) push_text(L, place);
  return static_cast<int>(places.size());
}

// (error value) → a sentence
int describe_error(lua_State* L) {
  lua_settop(L, 1);
  push_text(L, Interpreter::of(L).describe_error(L));
  return 1;
}

/// Strings of the table at `index`, whose form lua/test.lua has checked.
std::map<std::string, std::string> strings_at(lua_State* L, int index) {
  std::map<std::string, std::string> strings;
  if (!lua_istable(L, index)) return strings;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
    strings[std::string(*string_at(L, -2))] = *string_at(L, -1);
  return strings;
}

// (path, workers, environment, files) → number
Outcome load(lua_State* L) {
  TestLoad what;
  what.path = Interpreter::of(L).loader.resolve(L, *string_at(L, 1));
  what.workers = static_cast<unsigned>(lua_tonumber(L, 2));
  what.environment = strings_at(L, 3);
  const auto folder = std::filesystem::path(what.path).parent_path();
  for (auto& [path, content] : strings_at(L, 4))
    what.files[(folder / path).lexically_normal().string()] = std::move(content);
  auto number = host_of(L).load(what);
  if (!number) return Outcome::error("test.load: " + number.error().detail);
  lua_pushnumber(L, static_cast<double>(*number));
  return 1;
}

size_t process_at(lua_State* L) { return static_cast<size_t>(lua_tonumber(L, 1)); }

int listens(lua_State* L) {
  const auto addresses = host_of(L).listens(process_at(L));
  lua_createtable(L, static_cast<int>(addresses.size()), 0);
  int place = 0;
  for (const net::Address& address : addresses) {
    push_text(L, address.to_string());
    lua_rawseti(L, -2, ++place);
  }
  return 1;
}

// (process, file or nil)
Outcome reload(lua_State* L) {
  std::string file;
  if (const auto given = string_at(L, 2)) file = Interpreter::of(L).loader.resolve(L, *given);
  const auto reloaded = host_of(L).reload(process_at(L), file);
  return reloaded ? Outcome(0) : Outcome::error("proxy:reload: " + reloaded.error().detail);
}

int sessions(lua_State* L) {
  return lua_pushnumber(L, static_cast<double>(host_of(L).sessions(process_at(L)))), 1;
}

int log_text(lua_State* L) { return push_text(L, host_of(L).log()), 1; }

int allow(lua_State* L) { return host_of(L).allow(from_seconds(lua_tonumber(L, 1))), 0; }

// (message) → a copy that lasts
Outcome copy(lua_State* L) {
  const auto* box = test_userdata<MessageBox>(L, 1);
  if (!box || !box->message) return Outcome::error("a Message is expected, got " + describe_value(L, 1));
  push_made_message(L, Interpreter::of(L).bindings, box->message->copy());
  return 1;
}

// (begins)
int chaos(lua_State* L) {
  TestDesk& desk = *Interpreter::of(L).tests;
  if (lua_toboolean(L, 1)) desk.begin_chaos();
  else desk.end_chaos();
  return 0;
}

// (most) → a whole number from 1 to that, of the world's seed
int random(lua_State* L) {
  const auto most = static_cast<uint64_t>(lua_tonumber(L, 1));
  return lua_pushnumber(L, static_cast<double>(1 + host_of(L).world().below(most))), 1;
}

// (requests, answered, cut)
int count(lua_State* L) {
  const auto number = [&](int index) { return static_cast<uint64_t>(lua_tonumber(L, index)); };
  host_of(L).count({number(1), number(2), number(3)});
  return 0;
}

// (latency, jitter, bytes a second, in pieces)
int network(lua_State* L) {
  sim::SimFaults faults = lua_toboolean(L, 4) ? sim::SimFaults::pieces() : sim::SimFaults();
  faults.latency = from_seconds(lua_tonumber(L, 1));
  if (!lua_isnil(L, 2)) faults.jitter = from_seconds(lua_tonumber(L, 2));
  faults.bytes_per_second = static_cast<uint64_t>(lua_tonumber(L, 3));
  host_of(L).world().set_faults(faults);
  return 0;
}

}  // namespace

void bind_test(lua_State* L) {
  const luaL_Reg functions[] = {{"test_chosen", chosen},
                                {"test_declare", declare},
                                {"test_begin", begin},
                                {"test_fail", fail},
                                {"test_finish", finish},
                                {"test_stack", stack},
                                {"test_describe_error", describe_error},
                                {"test_load", script_function<load>},
                                {"test_listens", listens},
                                {"test_reload", script_function<reload>},
                                {"test_sessions", sessions},
                                {"test_log", log_text},
                                {"test_allow", allow},
                                {"test_copy", script_function<copy>},
                                {"test_chaos", chaos},
                                {"test_random", random},
                                {"test_count", count},
                                {"test_network", network},
                                {nullptr, nullptr}};
  luaL_setfuncs(L, functions, 0);
  lua_pushnumber(L, limits::chaos_seeds);
  lua_setfield(L, -2, "chaos_seeds");
  lua_pushnumber(L, to_seconds(limits::chaos_patience));
  lua_setfield(L, -2, "chaos_patience");
  bind_test_servers(L);
  bind_test_connections(L);
}

}  // namespace perilune::script
