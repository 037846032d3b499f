#include <algorithm>
#include <array>

#include "base/log.hpp"
#include "script/json.hpp"

namespace perilune::script {
namespace {

constexpr int fields_max = 32;  // of one record: more is a table that was meant for json.encode

/// Pushes the table at the top as JSON; false where it has no such form. Raises nothing.
bool push_json(lua_State* L) {
  std::string text;
  if (encode_json(L, lua_gettop(L), text)) return false;
  push_text(L, text);
  return true;
}

/// Replaces the value at the top by its text: a table by its JSON, all others as tostring would give them.
/// May raise: nothing of C++ is held here.
void make_text(lua_State* L) {
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: return;
    case LUA_TNUMBER: lua_tolstring(L, -1, nullptr); return;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false"); break;
    default:
      if (luaL_callmeta(L, -1, "__tostring")) {
        if (lua_type(L, -1) == LUA_TSTRING) break;
        lua_pop(L, 1);
      }
      if (!lua_istable(L, -1) || !push_json(L)) lua_pushfstring(L, "(%s)", luaL_typename(L, -1));
  }
  lua_replace(L, -2);
}

/// Pushes the fields of the table at index 2 as names and texts, two stack slots each; returns how many.
int push_fields(lua_State* L) {
  if (lua_isnoneornil(L, 2)) return 0;
  if (!lua_istable(L, 2)) raise_argument(L, 2, "a table");
  luaL_checkstack(L, fields_max * 2 + 8, "log");
  int count = 0;
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    if (lua_type(L, -2) != LUA_TSTRING) raise(L, "log: names of fields are strings");
    if (++count > fields_max) raise(L, "log: more than 32 fields");
    make_text(L);
    lua_pushvalue(L, -2);  // the key stays below its text, and on top for lua_next
  }
  return count;
}

template <log::Level level>
int write(lua_State* L) {
  if (!log::is_enabled(level)) return 0;
  if (lua_isnone(L, 1)) raise_argument(L, 1, "a text");
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  make_text(L);
  lua_replace(L, 1);
  const int first = lua_gettop(L) + 1;
  const int count = push_fields(L);
  std::array<log::Field, fields_max> fields;
  for (int i = 0; i < count; ++i) {
    fields[static_cast<size_t>(i)] = {*string_at(L, first + 2 * i), *string_at(L, first + 2 * i + 1)};
  }
  // A table has no order; records have, so that they can be compared.
  std::sort(fields.begin(), fields.begin() + count,
            [](const log::Field& a, const log::Field& b) { return a.name < b.name; });
  log::write(level, *string_at(L, 1), std::span(fields.data(), static_cast<size_t>(count)));
  return 0;
}

}  // namespace

void bind_log(lua_State* L, BindingContext& context) {
  push_subtable(L, "log");
  add_functions(L, context, "log.",
                {{"debug(text, fields)", &write<log::Level::Debug>},
                 {"info(text, fields)", &write<log::Level::Info>},
                 {"warn(text, fields)", &write<log::Level::Warn>},
                 {"error(text, fields)", &write<log::Level::Error>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
