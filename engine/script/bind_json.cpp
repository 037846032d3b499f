#include "base/limits.hpp"
#include "script/data_box.hpp"
#include "script/json.hpp"
#include "script/json_array.hpp"

namespace perilune::script {
namespace {

constexpr const char* array_metatable = "perilune.json.array";

Outcome encode(lua_State* L) {
  if (lua_isnone(L, 1)) return Outcome::error(argument_message(L, 1, "a value"));
  if (lua_isnil(L, 1)) return Outcome::error("json.encode: nil has no JSON form, json.null has");
  std::string text;
  if (auto wrong = encode_json(L, 1, text)) return Outcome::error(std::move(*wrong));
  push_text(L, text);
  return 1;
}

Outcome decode(lua_State* L) {
  const auto text = contiguous(L, 1);
  if (!text) return Outcome::error(argument_message(L, 1, "a string or Data"));
  return decode_json(L, *text);
}

Outcome load(lua_State* L) {
  const auto path = string_at(L, 1);
  if (!path) return Outcome::error(argument_message(L, 1, "a string"));
  BindingHost& host = context_of(L).host;
  const auto content = host.read_file(host.resolve_path(L, *path), limits::file_bytes_max);
  if (content.has_error()) {
    lua_pushnil(L);
    push_text(L, content.error().detail);
    return 2;
  }
  Outcome outcome = decode_json(L, content.value());
  if (outcome.results() == 2) {  // nil and where it broke: name the file too
    const std::string message = std::string(*path) + ": " + std::string(*string_at(L, -1));
    lua_pop(L, 1);
    push_text(L, message);
  }
  return outcome;
}

Outcome array(lua_State* L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  if (!lua_istable(L, 1)) return Outcome::error(argument_message(L, 1, "a table"));
  lua_settop(L, 1);
  mark_json_array(L);
  return 1;
}

}  // namespace

void mark_json_array(lua_State* L) {
  luaL_getmetatable(L, array_metatable);
  lua_setmetatable(L, -2);
}

bool is_json_array(lua_State* L, int index) {
  if (!lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, array_metatable);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 2);
  return same;
}

void bind_json(lua_State* L, BindingContext& context) {
  luaL_newmetatable(L, array_metatable);
  lua_pop(L, 1);
  push_subtable(L, "json");
  add_functions(L, context, "json.",
                {{"encode(value)", &outcome_function<encode>},
                 {"decode(text)", &outcome_function<decode>},
                 {"load(path)", &outcome_function<load>},
                 {"array(list)", &outcome_function<array>}});
  lua_pushlightuserdata(L, nullptr);
  lua_setfield(L, -2, "null");
  lua_pop(L, 1);
}

}  // namespace perilune::script
