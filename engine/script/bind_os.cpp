#include "script/stack.hpp"

namespace perilune::script {
namespace {

Outcome get(lua_State* L) {
  const auto name = string_at(L, 2);
  if (!name) return Outcome::error("os.env: a name is a string, got " + describe_value(L, 2));
  return push(L, context_of(L).host.environment(*name));
}

int set(lua_State* L) { raise(L, "os.env can only be read"); }

}  // namespace

void bind_os(lua_State* L, BindingContext& context) {
  push_subtable(L, "os");
  lua_newtable(L);
  lua_newtable(L);
  add_functions(L, context, "os.env ",
                {{"__index(name)", &outcome_function<get>}, {"__newindex(name)", &set}});
  lua_pushliteral(L, "os.env");
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "env");
  lua_pop(L, 1);
}

}  // namespace perilune::script
