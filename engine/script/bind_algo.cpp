#include "script/bind_algo.hpp"

#include <bit>
#include <cstdio>

#include "algo/hash.hpp"

namespace perilune::script {
namespace {

int hash(lua_State* L) {
  if (const auto text = string_at(L, 1)) {
    lua_pushnumber(L, algo::hash_as_number(algo::hash(*text)));
    return 1;
  }
  if (lua_type(L, 1) != LUA_TNUMBER) raise_argument(L, 1, "a string or a number");
  lua_pushnumber(L, algo::hash_as_number(algo::hash(std::bit_cast<uint64_t>(lua_tonumber(L, 1)))));
  return 1;
}

/// A random UUID, version 4 (RFC 9562 section 5.4).
std::string uuid(BindingContext* context) {
  const uint64_t high = (context->driver.random() & ~uint64_t{0xf000}) | 0x4000;
  const uint64_t low = (context->driver.random() & (~uint64_t{0} >> 2)) | uint64_t{1} << 63;
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xffff),
                static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xffffffffffff));
  return text;
}

}  // namespace

void make_class(lua_State* L, BindingContext& context, const char* metatable, const char* prefix,
                std::initializer_list<FunctionEntry> methods, lua_CFunction destroy) {
  luaL_newmetatable(L, metatable);
  lua_newtable(L);
  add_functions(L, context, prefix, methods);
  refuse_unknown_methods(L, metatable);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, destroy);
  lua_setfield(L, -2, "__gc");
  lua_pushstring(L, metatable);
  lua_setfield(L, -2, "__metatable");
}

void bind_algo(lua_State* L, BindingContext& context) {
  push_subtable(L, "algo");
  bind_router(L, context);
  bind_balancers(L, context);
  bind_percentile(L, context);
  add_functions(L, context, "algo.", {{"hash(value)", &hash}, {"uuid()", &plain_function<&uuid>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
