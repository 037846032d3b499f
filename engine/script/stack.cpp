#include "script/stack.hpp"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/text.hpp"
#include "script/data_box.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"
#include "script/state.hpp"
#include "script/upstream_box.hpp"

namespace perilune::script {
namespace {

constexpr size_t described_bytes_max = 40;
constexpr int type_cdata = 10;  // of FFI: LuaJIT gives it no name outside

/// The name of the parameter at `position` (from 1) in "name(a, b)", empty when there is none.
std::string_view parameter_name(std::string_view signature, int position) {
  const size_t open = signature.find('(');
  if (open == std::string_view::npos) return {};
  std::string_view list = signature.substr(open + 1, signature.find(')') - open - 1);
  for (; position > 1; --position) {
    const size_t comma = list.find(',');
    if (comma == std::string_view::npos) return {};
    list.remove_prefix(comma + 1);
  }
  return trim(list.substr(0, list.find(',')));
}

/// "headers", those of a message in lua/messages.lua, or a number such as "1LL".
std::string text_of_cdata(lua_State* L, int index) {
  luaL_callmeta(L, index, "__tostring");
  std::string text(string_at(L, -1).value_or("a cdata"));
  lua_pop(L, 1);
  return text;
}

/// (methods, name): upvalue 1 is the class.
Outcome unknown_method(lua_State* L) {
  std::vector<std::string_view> known;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
    if (const auto name = string_at(L, -2)) known.push_back(*name);
  return Outcome::error("a " + std::string(string_at(L, lua_upvalueindex(1)).value_or("thing")) + " has no " +
                        describe_value(L, 2) + suggestion(string_at(L, 2).value_or(""), known));
}

}  // namespace

std::string_view signature_of(lua_State* L) {
  return string_at(L, lua_upvalueindex(2)).value_or(std::string_view());
}

std::string describe_value(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNONE: return "nothing";
    case LUA_TNIL: return "nil";
    case LUA_TBOOLEAN: return lua_toboolean(L, index) ? "true" : "false";
    case LUA_TNUMBER: {
      if (std::isnan(lua_tonumber(L, index))) return "nan";  // whichever its sign
      char text[40];
      std::snprintf(text, sizeof text, "%.14g", lua_tonumber(L, index));
      return text;
    }
    case LUA_TSTRING: return in_quotes(*string_at(L, index), described_bytes_max);
    case LUA_TTABLE: return "a table";
    case LUA_TFUNCTION: return "a function";
    case LUA_TTHREAD: return "a coroutine";
    case type_cdata: return text_of_cdata(L, index);
    case LUA_TLIGHTUSERDATA: return lua_touserdata(L, index) ? "a userdata" : "json.null";
    default:
      if (const auto* box = test_userdata<MessageBox>(L, index))
        return box->part == MessagePart::Message ? "a Message" : "headers";
      if (test_userdata<UpstreamBox>(L, index)) return "an upstream";
      return test_userdata<DataBox>(L, index) ? "a Data" : "a userdata";
  }
}

void raise_top(lua_State* L) { raise_at_script(L); }

void raise(lua_State* L, const char* message) {
  lua_pushstring(L, message);
  raise_at_script(L);
}

std::string argument_message(lua_State* L, int index, std::string_view expectation) {
  const std::string_view signature = signature_of(L);
  const std::string_view function = signature.substr(0, signature.find('('));
  const int position = function.find(':') == std::string_view::npos ? index : index - 1;
  std::string message(function);
  if (position == 0) {
    message += ": called with '.'? Use ':'; the receiver";
  } else {
    const std::string_view name = parameter_name(signature, position);
    const std::string number = "argument " + std::to_string(position);
    message += name.empty() ? ": " + number : ": " + std::string(name) + " (" + number + ")";
  }
  return message.append(" expects ").append(expectation) + ", got " + describe_value(L, index);
}

void raise_argument(lua_State* L, int index, std::string_view expectation) {
  push_text(L, argument_message(L, index, expectation));
  raise_top(L);
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view near = nearest(word, known);
  return near.empty() ? std::string() : "; did you mean " + in_quotes(near) + "?";
}

void push_function(lua_State* L, BindingContext& context, const char* signature, lua_CFunction function) {
  lua_pushlightuserdata(L, &context);
  lua_pushstring(L, signature);
  lua_pushcclosure(L, function, 2);
}

void add_functions(lua_State* L, BindingContext& context, const char* prefix,
                   std::initializer_list<FunctionEntry> functions) {
  for (const FunctionEntry& entry : functions) {
    lua_pushlstring(L, entry.signature, std::strcspn(entry.signature, "("));
    lua_pushlightuserdata(L, &context);
    lua_pushfstring(L, "%s%s", prefix, entry.signature);
    lua_pushcclosure(L, entry.function, 2);
    lua_rawset(L, -3);
  }
}

void refuse_unknown_methods(lua_State* L, const char* class_name) {
  lua_createtable(L, 0, 1);
  lua_pushstring(L, class_name);
  lua_pushcclosure(L, &outcome_function<unknown_method>, 1);
  lua_setfield(L, -2, "__index");
  lua_setmetatable(L, -2);
}

void push_subtable(lua_State* L, const char* name) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  if (lua_istable(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushstring(L, name);
  lua_pushvalue(L, -2);
  lua_rawset(L, -4);
}

namespace {

std::atomic<bool> are_runs_repeatable{false};

}  // namespace

void make_runs_repeatable() { are_runs_repeatable = true; }

bool collects_at_fixed_times() { return are_runs_repeatable.load(std::memory_order_relaxed); }

void collect_at_fixed_time(lua_State* L) {
  lua_gc(L, LUA_GCCOLLECT, 0);
  lua_gc(L, LUA_GCSTOP, 0);  // a collection begins the next one's count
}

void note_outside_bytes(lua_State* L, BindingContext& context, size_t bytes) {
  context.outside_bytes += bytes;
  if (context.outside_bytes < context.outside_bytes_max) return;
  const size_t kilobytes = std::min<size_t>(context.outside_bytes / 1024, 1 << 20);
  context.outside_bytes = 0;
  if (collects_at_fixed_times()) return collect_at_fixed_time(L);
  lua_gc(L, LUA_GCSTEP, static_cast<int>(kilobytes));
}

}  // namespace perilune::script
