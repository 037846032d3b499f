#include "base/limits.hpp"
#include "base/text.hpp"
#include "script/stack.hpp"

namespace perilune::script {
namespace {

/// The option `limit` at stack index 2. None and a message when the options are wrong.
std::optional<size_t> limit_of(lua_State* L, std::string& wrong) {
  if (lua_isnoneornil(L, 2)) return limits::file_bytes_max;
  if (!lua_istable(L, 2)) {
    wrong = argument_message(L, 2, "a table");
    return std::nullopt;
  }
  std::optional<size_t> limit = limits::file_bytes_max;
  lua_pushnil(L);
  while (lua_next(L, 2) != 0) {
    if (string_at(L, -2) != "limit") {
      wrong = "file.read: unknown option " + describe_value(L, -2) + "; did you mean \"limit\"?";
      return std::nullopt;
    }
    limit.reset();
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 0 && lua_tonumber(L, -1) < 1e15) {
      limit = static_cast<size_t>(lua_tonumber(L, -1));
    } else if (const auto text = string_at(L, -1)) {
      if (const auto size = parse_size(*text)) limit = static_cast<size_t>(*size);
    }
    if (!limit) {
      wrong = "file.read: option \"limit\" expects bytes or \"16k\", got " + describe_value(L, -1);
      return std::nullopt;
    }
    lua_pop(L, 1);
  }
  return limit;
}

Outcome read(lua_State* L) {
  const auto path = string_at(L, 1);
  if (!path) return Outcome::error(argument_message(L, 1, "a string"));
  std::string wrong;
  const auto limit = limit_of(L, wrong);
  if (!limit) return Outcome::error(std::move(wrong));
  BindingHost& host = context_of(L).host;
  return push(L, host.read_file(host.resolve_path(L, *path), *limit));
}

}  // namespace

void bind_file(lua_State* L, BindingContext& context) {
  push_subtable(L, "file");
  add_functions(L, context, "file.", {{"read(path, options)", &outcome_function<read>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
