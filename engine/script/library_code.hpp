#pragma once

#include <lua.hpp>

#include "script/embedded.hpp"

namespace perilune::script {

/// Pushes a file of the library as a function; or, with a status of lua_load that is not 0, what is wrong
/// with it. A file is parsed once in a process: later states, of other threads as well, take what was
/// compiled then.
int push_library_file(lua_State* L, const EmbeddedFile& file);

}  // namespace perilune::script
