#pragma once

#include <lua.hpp>
#include <optional>
#include <string>

#include "script/stack.hpp"

namespace perilune::script {

class Interpreter;

/// What passes from one version of a script to the next (`reload.keep`), and what it does at its end
/// (`reload.onUnload`); the other half is lua/reload.lua.
class Survival {
 public:
  explicit Survival(Interpreter& interpreter) : interpreter_(interpreter) {}
  Survival(const Survival&) = delete;
  Survival& operator=(const Survival&) = delete;

  /// Adds its primitives to the table at the top of the stack.
  void bind(lua_State* L);
  /// The value that is kept under the name, as bytes. None: nothing is, or it is plain data no more, which is
  /// logged.
  std::optional<std::string> kept(std::string_view name);
  /// The script is over, once.
  void unload();

 private:
  static Outcome kept_before(lua_State* L);

  Interpreter& interpreter_;
  int kept_function_ = LUA_NOREF;
  int unload_function_ = LUA_NOREF;
};

}  // namespace perilune::script
