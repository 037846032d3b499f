#pragma once

#include <lua.hpp>
#include <string>
#include <vector>

#include "base/place.hpp"
#include "script/stack.hpp"

namespace perilune::script {

/// Where the innermost function of a script stands that is running on `L`; empty when none does. Functions of
/// our own Lua library are looked through.
Place script_place(lua_State* L);

/// Where functions of scripts stand on `L`, the innermost first, at most ten: "proxy.lua:12".
std::vector<std::string> script_stack(lua_State* L);

/// The frames of the scripts that run on `L`, the innermost first, a line each that begins with a line end
/// and four spaces: "proxy.lua:3: in function 'name'". Empty when there are less than two (a message has the
/// place of one itself), or only files that require others. Of many those in the middle are left out.
std::string script_frames(lua_State* L);

/// Raises the string at the top of the stack with that place in front.
[[noreturn]] void raise_at_script(lua_State* L);
/// The same with a text as lua_pushfstring makes it.
[[noreturn]] void raise_at_script(lua_State* L, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

/// Makes a lua_CFunction of a function that gives an Outcome; its errors are raised at the script's place.
template <Outcome (*Function)(lua_State*)>
int script_function(lua_State* L) {
  {
    const Outcome outcome = Function(L);
    if (!outcome.failure()) return outcome.results();
    push_text(L, *outcome.failure());
  }
  raise_at_script(L);
}

}  // namespace perilune::script
