#include <cmath>

#include "algo/shared_dictionary.hpp"
#include "script/interpreter.hpp"
#include "script/library.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

using algo::SharedDictionary;

// As lua/shared.lua counts kinds; stored as a number too.
constexpr uint8_t boolean_kind = 3;

// Stack index 1 of all but shared_open; lua/shared.lua gives nothing else.
SharedDictionary& dictionary(lua_State* L) { return *static_cast<SharedDictionary*>(lua_touserdata(L, 1)); }

Instant now(lua_State* L) { return Interpreter::of(L).loop().now(); }

Duration span_at(lua_State* L, int index) {
  const double seconds = lua_tonumber(L, index);
  return seconds == HUGE_VAL ? Duration::max() : from_seconds(seconds);
}

algo::SharedTimes times_at(lua_State* L, int index) { return {span_at(L, index), span_at(L, index + 1)}; }

// (name, bytes or nil) → handle
int open(lua_State* L) {
  Interpreter& interpreter = Interpreter::of(L);
  const std::string name(string_at(L, 1).value_or(""));
  std::optional<size_t> size;
  if (!lua_isnil(L, 2)) size = static_cast<size_t>(std::min(lua_tonumber(L, 2), 1e9));
  lua_pushlightuserdata(L, &interpreter.open_dictionary(name, size));
  return 1;
}

// (handle, key) → kind, number or bytes, seconds that it is fresh; nothing where there is none
int get(lua_State* L) {
  const auto found = dictionary(L).get(*string_at(L, 2), now(L));
  if (!found) return 0;
  lua_pushinteger(L, found->value.kind);
  if (found->value.kind == SharedDictionary::number_kind || found->value.kind == boolean_kind)
    lua_pushnumber(L, found->value.number);
  else push_text(L, found->value.bytes);
  lua_pushnumber(L, found->fresh_for == Duration::max() ? HUGE_VAL : to_seconds(found->fresh_for));
  return 3;
}

// (handle, key, kind, number or bytes, only where none is, ttl, stale) → true or false; or nil, error
int put(lua_State* L) {
  algo::SharedValue value{static_cast<uint8_t>(lua_tointeger(L, 3)), 0, {}};
  if (lua_type(L, 4) == LUA_TNUMBER) value.number = lua_tonumber(L, 4);
  else value.bytes = *string_at(L, 4);
  const std::string_view key = *string_at(L, 2);
  const auto times = times_at(L, 6);
  const auto outcome = lua_toboolean(L, 5) ? dictionary(L).add(key, std::move(value), times, now(L))
                                           : dictionary(L).set(key, std::move(value), times, now(L));
  if (outcome == SharedDictionary::Outcome::TooLarge) {
    lua_pushnil(L);
    push_error(
        L, {ErrorCode::Overflow, Side::Script, "the value takes more than a sixteenth of the dictionary"});
    return 2;
  }
  lua_pushboolean(L, outcome == SharedDictionary::Outcome::Done);
  return 1;
}

// (handle, key, by, ttl, stale) → sum, or nil where the value is no number
int count(lua_State* L) {
  double sum = 0;
  const auto outcome =
      dictionary(L).increment(*string_at(L, 2), lua_tonumber(L, 3), times_at(L, 4), now(L), sum);
  if (outcome != SharedDictionary::Outcome::Done) return 0;
  lua_pushnumber(L, sum);
  return 1;
}

// (handle, key) → whether it was there
int remove(lua_State* L) {
  lua_pushboolean(L, dictionary(L).remove(*string_at(L, 2), now(L)));
  return 1;
}

// (handle, at most) → list
int keys(lua_State* L) {
  const auto keys = dictionary(L).keys(static_cast<size_t>(lua_tonumber(L, 2)), now(L));
  lua_createtable(L, static_cast<int>(keys.size()), 0);
  for (size_t i = 0; i < keys.size(); ++i) {
    push_text(L, keys[i]);
    lua_rawseti(L, -2, static_cast<int>(i) + 1);
  }
  return 1;
}

int is_message(lua_State* L) {
  lua_pushboolean(L, to_message(L, 1) ? 1 : 0);
  return 1;
}

}  // namespace

void bind_shared(lua_State* L) {
  constexpr luaL_Reg functions[] = {
      {"shared_open", open},     {"shared_get", get},   {"shared_put", put},        {"shared_count", count},
      {"shared_remove", remove}, {"shared_keys", keys}, {"is_message", is_message}, {nullptr, nullptr}};
  for (const luaL_Reg* function = functions; function->name; ++function) {
    lua_pushcfunction(L, function->func);
    lua_setfield(L, -2, function->name);
  }
  lua_pushnumber(L, static_cast<double>(limits::shared_bytes_min));
  lua_setfield(L, -2, "shared_bytes_min");
  lua_pushnumber(L, static_cast<double>(limits::shared_bytes_max));
  lua_setfield(L, -2, "shared_bytes_max");
}

}  // namespace perilune::script
