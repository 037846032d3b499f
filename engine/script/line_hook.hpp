#pragma once

#include <lua.hpp>
#include <vector>

namespace perilune::script {

/// Lets `options.lines` of the state's interpreter watch what runs from now on. LuaJIT's hooks do not see
/// compiled code, so nothing is compiled any more.
void watch_lines(lua_State* L);

/// The lines on which the function at the top of the stack, and those inside it, have code, in order. The
/// stack is left as it was. The implicit return at an `end` is no code of anybody's.
std::vector<int> lines_with_code(lua_State* L);

}  // namespace perilune::script
