#pragma once

#include <lua.hpp>
#include <string>
#include <vector>

namespace perilune::script {

// What LuaJIT has made of a function of a script. They look at the function at the top of the stack and leave
// the stack as it was.

/// The lines on which it, and the functions inside it, have code, in order. The implicit return at an `end`
/// is no code of anybody's.
std::vector<int> lines_with_code(lua_State* L);

/// The lines on which it, and not a function inside it, ends by a call: `return f()`. Such a call takes the
/// place of the function, so nothing else tells where it was.
std::vector<int> tail_call_lines(lua_State* L);

/// Where a function reads or writes a global.
struct GlobalUse {
  std::string name;
  int line = 0;
  bool is_written = false;
  /// In a function inside the one that was asked about.
  bool is_inside = false;
  /// The field that is read of it, as in `json.encode`; empty where it is read itself.
  std::string field;
};

/// Those of it and of the functions inside it, in the order of their lines.
std::vector<GlobalUse> globals_used(lua_State* L);

}  // namespace perilune::script
