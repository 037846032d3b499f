#pragma once

#include <lua.hpp>

#include "script/binding.hpp"

namespace perilune::script {

/// The reads and writes of an exchange's messages that scripts do most, as functions that LuaJIT calls by
/// FFI: a hook that does them compiles as a whole. They know the plain cases only, and answer `elsewhere` for
/// the others, among them all that is an error: then lua/messages.lua asks bind_message and bind_headers.
///
/// Adds the table `message_access` to the one at the top of the stack: the functions' addresses, the address
/// of the state's MessageBoxes, and the metamethods that lua/messages.lua falls back on.
void bind_message_access(lua_State* L, BindingContext& context);

}  // namespace perilune::script
