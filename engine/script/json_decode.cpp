#include <algorithm>
#include <array>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>

#include "base/limits.hpp"
#include "script/json.hpp"
#include "script/json_array.hpp"

namespace perilune::script {
namespace {

namespace json = boost::json;

void push_value(lua_State* L, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return lua_pushlightuserdata(L, nullptr);
    case json::kind::bool_: return lua_pushboolean(L, value.get_bool());
    case json::kind::int64: return lua_pushnumber(L, static_cast<double>(value.get_int64()));
    case json::kind::uint64: return lua_pushnumber(L, static_cast<double>(value.get_uint64()));
    case json::kind::double_: return lua_pushnumber(L, value.get_double());
    case json::kind::string: return lua_pushlstring(L, value.get_string().data(), value.get_string().size());
    case json::kind::array: {
      const json::array& array = value.get_array();
      lua_createtable(L, static_cast<int>(array.size()), 0);
      mark_json_array(L);
      int position = 0;
      for (const json::value& element : array) {
        push_value(L, element);
        lua_rawseti(L, -2, ++position);
      }
      return;
    }
    case json::kind::object: {
      const json::object& object = value.get_object();
      lua_createtable(L, 0, static_cast<int>(object.size()));
      for (const auto& member : object) {
        lua_pushlstring(L, member.key().data(), member.key().size());
        push_value(L, member.value());
        lua_rawset(L, -3);
      }
      return;
    }
  }
}

/// "line 2, column 7: unexpected character"
std::string describe(std::string_view text, size_t position, const boost::system::error_code& error) {
  const std::string_view before = text.substr(0, position);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - line_begin + 1) +
         ": " + error.message();
}

}  // namespace

Outcome decode_json(lua_State* L, std::string_view text) {
  // The parsed value lives in one arena, the first part of it on the stack: most documents cost no heap
  // block.
  std::array<unsigned char, 8192> first_block;
  std::array<unsigned char, 1024> scratch;
  json::monotonic_resource arena(first_block.data(), first_block.size());
  json::parse_options options;
  options.max_depth = limits::json_depth_max;
  json::parser parser({}, options, scratch.data(), scratch.size());
  parser.reset(&arena);
  boost::system::error_code error;
  const size_t position = parser.write_some(text.data(), text.size(), error);
  if (!error && position < text.size()) error = json::make_error_code(json::error::extra_data);
  if (error) {
    lua_pushnil(L);
    push_text(L, describe(text, std::min(position, text.size()), error));
    return 2;
  }
  const json::value value = parser.release();
  // A container needs itself, a key and a value; the depth is bounded.
  if (!lua_checkstack(L, static_cast<int>(limits::json_depth_max) * 3))
    return Outcome::error("json: no stack left");
  push_value(L, value);
  return 1;
}

}  // namespace perilune::script
