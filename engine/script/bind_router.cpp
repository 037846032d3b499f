#include <algorithm>
#include <vector>

#include "algo/url_router.hpp"
#include "script/bind_algo.hpp"

namespace perilune::script {
namespace {

constexpr const char* metatable = "URLRouter";

/// The userdata's environment holds at 2 n + 1 the value and at 2 n + 2 the pattern of route n.
struct RouterBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  algo::UrlRouter router;
  uint32_t added = 0;
};

RouterBox& self(lua_State* L) { return check_userdata<RouterBox>(L, 1, "a URLRouter"); }

/// Adds the value at the top of the stack, and pops it. `values` is where the environment is.
std::optional<std::string> add_route(lua_State* L, RouterBox& box, std::string_view pattern, int values) {
  const auto added = box.router.add(pattern, box.added);
  if (added.has_error()) return "algo.URLRouter: " + added.error().detail;
  const auto place = static_cast<int>(box.added++) * 2;
  lua_rawseti(L, values, place + 1);
  push_text(L, pattern);
  lua_rawseti(L, values, place + 2);
  return std::nullopt;
}

Outcome make(lua_State* L) {
  lua_settop(L, 1);
  if (!lua_isnil(L, 1) && !lua_istable(L, 1)) return Outcome::error(argument_message(L, 1, "a table"));
  auto* box = new_userdata<RouterBox>(L, metatable);
  lua_newtable(L);
  if (lua_istable(L, 1)) {
    // In the order of patterns: which of two that clash is told of must not change from run to run.
    std::vector<std::string_view> patterns;
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
      lua_pop(L, 1);
      const auto pattern = string_at(L, -1);
      if (!pattern)
        return Outcome::error("algo.URLRouter: patterns are strings, got " + describe_value(L, -1));
      patterns.push_back(*pattern);
    }
    std::sort(patterns.begin(), patterns.end());
    for (const std::string_view pattern : patterns) {
      push_text(L, pattern);
      lua_rawget(L, 1);
      if (auto wrong = add_route(L, *box, pattern, 3)) return Outcome::error(std::move(*wrong));
    }
  }
  lua_setfenv(L, 2);
  return 1;
}

Outcome add(lua_State* L) {
  RouterBox& box = self(L);
  const auto pattern = string_at(L, 2);
  if (!pattern) return Outcome::error(argument_message(L, 2, "a string"));
  if (lua_isnoneornil(L, 3)) return Outcome::error(argument_message(L, 3, "a value"));
  lua_settop(L, 3);
  lua_getfenv(L, 1);
  lua_insert(L, 3);
  if (auto wrong = add_route(L, box, *pattern, 3)) return Outcome::error(std::move(*wrong));
  return 0;
}

int find(lua_State* L) {
  RouterBox& box = self(L);
  std::optional<std::string_view> host;
  if (!lua_isnil(L, 2)) {
    host = string_at(L, 2);
    if (!host) raise_argument(L, 2, "a string or nil");
  }
  const auto path = string_at(L, 3);
  if (!path) raise_argument(L, 3, "a string");
  const auto match = box.router.find(host, *path);
  if (!match) {
    lua_pushnil(L);
    return 1;
  }
  const auto place = static_cast<int>(match->value) * 2;
  lua_getfenv(L, 1);
  lua_rawgeti(L, -1, place + 1);
  push_text(L, match->rest);
  lua_rawgeti(L, -3, place + 2);
  return 3;
}

/// What lua/router.lua declares to FFI.
struct DirectMatch {
  const char* rest;
  size_t rest_size;
};

/// The number of the route, or -1. `host` may be null. For FFI: the caller has checked what it gives.
int find_route(RouterBox* box, const char* host, uint32_t host_size, const char* path, uint32_t path_size,
               DirectMatch* match) noexcept {
  const auto wanted = host ? std::optional(std::string_view(host, host_size)) : std::nullopt;
  const auto found = box->router.find(wanted, {path, path_size});
  if (!found) return -1;
  *match = {found->rest.data(), found->rest.size()};
  return static_cast<int>(found->value);
}

/// (router) → its routes' values and patterns; nil for what is no router.
int routes(lua_State* L) {
  if (test_userdata<RouterBox>(L, 1)) lua_getfenv(L, 1);
  else lua_pushnil(L);
  return 1;
}

}  // namespace

void bind_router_access(lua_State* L) {
  lua_newtable(L);
  lua_pushlightuserdata(L, reinterpret_cast<void*>(&find_route));
  lua_setfield(L, -2, "find_route");
  luaL_getmetatable(L, metatable);
  lua_getfield(L, -1, "__index");
  lua_setfield(L, -3, "methods");
  lua_pop(L, 1);
  lua_pushcfunction(L, &routes);
  lua_setfield(L, -2, "routes");
  lua_setfield(L, -2, "router_access");
}

void bind_router(lua_State* L, BindingContext& context) {
  make_class(L, context, metatable,
             "router:", {{"add(pattern, value)", &outcome_function<add>}, {"find(host, path)", &find}},
             &destroy_userdata<RouterBox>);
  lua_pop(L, 1);
  add_functions(L, context, "algo.", {{"URLRouter(routes)", &outcome_function<make>}});
}

}  // namespace perilune::script
