#pragma once

#include "script/stack.hpp"

namespace perilune::script {

/// JSON (RFC 8259) and Lua values:
///   null is `json.null` (a light userdata), so that it keeps its place in arrays and objects;
///   an array is a table with the metatable that `json.array` gives, which decoded arrays have; any other
///   table whose keys are 1 to n is one too; an empty table without that metatable is an object; numbers are
///   doubles: integers are exact to 2^53, NaN and infinities have no JSON form; strings must be UTF-8 when
///   decoded; when encoded, bytes go out as they are, control characters escaped.

/// Pushes the value, or nil and a sentence with line and column. Depth is bounded (limits::json_depth_max).
Outcome decode_json(lua_State* L, std::string_view text);

/// Writes the value at `index` (positive) to `out`. Returns what is wrong and where: "json.encode: .a.b[3] is
/// a function". Keys of objects are written in byte order, so that equal tables give equal texts.
std::optional<std::string> encode_json(lua_State* L, int index, std::string& out);

}  // namespace perilune::script
