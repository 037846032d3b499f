#pragma once

#include "script/stack.hpp"

namespace perilune::script {

// The parts of bind_algo, a file each; the table `algo` is at the top of the stack.
void bind_router(lua_State* L, BindingContext& context);
void bind_balancers(lua_State* L, BindingContext& context);
void bind_percentile(lua_State* L, BindingContext& context);

/// Adds what lua/router.lua stands on to the table at the top of the stack.
void bind_router_access(lua_State* L);

/// Leaves a metatable of that name at the top of the stack: its `__index` is a table with the methods, whose
/// misses raise with the nearest of them; `__gc` as given.
void make_class(lua_State* L, BindingContext& context, const char* metatable, const char* prefix,
                std::initializer_list<FunctionEntry> methods, lua_CFunction destroy);

}  // namespace perilune::script
