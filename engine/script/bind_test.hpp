#pragma once

#include "script/interpreter.hpp"
#include "script/test_connection.hpp"

namespace perilune::script {

// The parts of bind_test, a file each: upstreams and connections.
void bind_test_servers(lua_State* L);
void bind_test_connections(lua_State* L);

/// Pushes a connection, for a test to use.
void push_connection(lua_State* L, Ref<TestConnection> connection);

}  // namespace perilune::script
