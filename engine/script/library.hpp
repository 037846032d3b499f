#pragma once

#include <lua.hpp>

namespace perilune::script {

// The primitives under the Lua library, a file each: added to the table at the top of the stack, which only
// the files of lua/ see. Those that suspend give `cancelled` (a boolean) in front of their results.

/// sleep(seconds); event() and event_wait(event), event_set(event): one waits for another.
void bind_waits(lua_State* L);
/// http_send(message, target, timeout, limit, name) → response, or nil, err.
void bind_http(lua_State* L);
/// pool_…: a ResourcePool without its callbacks, see lua/pool.lua.
void bind_pool(lua_State* L);

/// shared_…: dictionaries of all workers, see lua/shared.lua.
void bind_shared(lua_State* L);
/// upstream_…: clusters, see lua/upstream.lua.
void bind_upstream(lua_State* L);

}  // namespace perilune::script
