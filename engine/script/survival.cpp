#include "script/survival.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "script/interpreter.hpp"
#include "script/place.hpp"

namespace perilune::script {

void Survival::bind(lua_State* L) {
  // LuaJIT's own serialization of plain data.
  lua_pushcfunction(L, luaopen_string_buffer);
  lua_call(L, 0, 1);
  for (const char* name : {"encode", "decode"}) {
    lua_getfield(L, -1, name);
    lua_setfield(L, -3, name);
  }
  lua_pop(L, 1);
  lua_pushinteger(L, static_cast<lua_Integer>(limits::kept_bytes_max));
  lua_setfield(L, -2, "kept_bytes_max");
  lua_pushcfunction(L, script_function<kept_before>);
  lua_setfield(L, -2, "kept_before");
  lua_pushcfunction(
      L, [](lua_State* called) -> int {  // (function that gives kept values, function to call at the end)
        Survival& self = Interpreter::of(called).survival;
        lua_settop(called, 2);
        self.unload_function_ = luaL_ref(called, LUA_REGISTRYINDEX);
        self.kept_function_ = luaL_ref(called, LUA_REGISTRYINDEX);
        return 0;
      });
  lua_setfield(L, -2, "reload_state");
}

// (name): what the version before kept, as bytes
Outcome Survival::kept_before(lua_State* L) {
  State* const before = Interpreter::of(L).options.before;
  const auto bytes = before ? before->kept(string_at(L, 1).value_or("")) : std::nullopt;
  if (!bytes) return 0;
  push_text(L, *bytes);
  return 1;
}

std::optional<std::string> Survival::kept(std::string_view name) {
  lua_State* L = interpreter_.main();
  lua_rawgeti(L, LUA_REGISTRYINDEX, kept_function_);
  push_text(L, name);
  std::optional<std::string> bytes;
  const bool has_failed = lua_pcall(L, 1, 1, 0) != 0;
  if (has_failed)
    log::error("reload.keep: " + in_quotes(name) + " is lost: " + interpreter_.describe_error(L));
  else if (const auto text = string_at(L, -1)) bytes = std::string(*text);
  lua_pop(L, 1);
  return bytes;
}

void Survival::unload() {
  lua_State* L = interpreter_.main();
  lua_rawgeti(L, LUA_REGISTRYINDEX, unload_function_);
  interpreter_.call_now(L, 0, "the function of reload.onUnload may not wait");
}

}  // namespace perilune::script
