#pragma once

#include "script/stack.hpp"

namespace perilune::script {

/// Pushes a table of a query's parameters, decoded, "+" as a space; the first of several with one name
/// counts, one without "=" is an empty string. At most limits::url_parameters_max.
void push_query_table(lua_State* L, std::string_view query);

}  // namespace perilune::script
