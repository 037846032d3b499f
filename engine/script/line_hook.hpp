#pragma once

#include <lua.hpp>

namespace perilune::script {

/// Lets `options.lines` of the state's interpreter watch what runs from now on. LuaJIT's hooks do not see
/// compiled code, so nothing is compiled any more.
void watch_lines(lua_State* L);

}  // namespace perilune::script
