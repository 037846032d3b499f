#pragma once

#include <lua.hpp>

namespace perilune::script {

/// Gives the table at the top of the stack the metatable that says: an array, even when empty.
void mark_json_array(lua_State* L);
/// Whether the table at `index` has it.
bool is_json_array(lua_State* L, int index);

}  // namespace perilune::script
