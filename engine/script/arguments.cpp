#include <algorithm>
#include <climits>

#include "base/text.hpp"
#include "script/builder.hpp"
#include "script/data_box.hpp"
#include "script/interpreter.hpp"

namespace perilune::script {
namespace {

using filter::Accepts;

std::string at_position(size_t position, std::string_view name) {
  return "argument " + std::to_string(position) + " (" + std::string(name) + ")";
}

/// `option "limit" expects a number`, `option "limit": "lots" is no size`.
std::string told_of(std::string what, const std::string& sentence) {
  return std::move(what) + (sentence.starts_with("expects") ? " " : ": ") + sentence;
}

}  // namespace

Error ArgumentReader::fail(std::string sentence) const {
  return {ErrorCode::ScriptError, Side::Script, std::string(function_) + ": " + std::move(sentence)};
}

Result<void> ArgumentReader::read(int first, std::span<const filter::ArgumentSpec> specs,
                                  std::span<const filter::OptionSpec> option_specs) {
  int index = first;
  const int top = lua_gettop(L_);
  for (size_t i = 0; i < specs.size(); ++i) {
    const filter::ArgumentSpec& spec = specs[i];
    arguments.emplace_back();
    if (!spec.is_required && index == top && is_options_table(index, option_specs)) continue;
    if (lua_isnoneornil(L_, index)) {
      if (spec.is_required) {
        std::string sentence = at_position(i + 1, spec.name) + " expects " + filter::describe(spec.accepts) +
                               ", got " + describe_value(L_, index);
        if (spec.accepts & Accepts::Function && lua_isnil(L_, index))
          sentence +=
              "; a value that is known only later needs a function, such as function(ctx) return ctx.target "
              "end";
        return fail(std::move(sentence));
      }
      ++index;
      continue;
    }
    auto argument = read_value(index, spec.accepts, {});
    if (!argument)
      return fail(told_of(at_position(i + 1, spec.name), argument.error().detail) +
                  (spec.hint.empty() ? "" : "; " + std::string(spec.hint)));
    look_at_parameters(index, spec.gives);
    arguments.back() = std::move(*argument);
    ++index;
  }
  if (index > top) return {};
  if (lua_istable(L_, index) && !option_specs.empty()) {
    if (auto read = read_options(index, option_specs); !read) return read.error();
    ++index;
  } else if (!option_specs.empty() && !lua_isnil(L_, index)) {
    return fail("options are a table, got " + describe_value(L_, index));
  }
  for (; index <= top; ++index) {
    if (lua_isnil(L_, index)) continue;
    const std::string count = specs.empty() ? "no arguments"
                                            : "at most " + std::to_string(specs.size()) +
                                                  (specs.size() == 1 ? " argument" : " arguments");
    return fail("takes " + count + (option_specs.empty() ? "" : " and a table of options") + ", got " +
                describe_value(L_, index) + " in addition");
  }
  return {};
}

// A table of nothing but names of options, for filters whose last argument may be left out.
bool ArgumentReader::is_options_table(int index, std::span<const filter::OptionSpec> specs) const {
  if (!lua_istable(L_, index) || specs.empty()) return false;
  bool has_names = false;
  bool has_others = false;
  for (lua_pushnil(L_); lua_next(L_, index); lua_pop(L_, 1))
    (lua_type(L_, -2) == LUA_TSTRING ? has_names : has_others) = true;
  return has_names && !has_others;
}

Result<void> ArgumentReader::read_options(int index, std::span<const filter::OptionSpec> specs,
                                          bool has_first, std::span<const std::string_view> others) {
  for (lua_pushnil(L_); lua_next(L_, index); lua_pop(L_, 1)) {
    const auto name = string_at(L_, -2);
    if (name && std::ranges::find(others, *name) != others.end()) continue;
    if (has_first && lua_type(L_, -2) == LUA_TNUMBER && lua_tonumber(L_, -2) == 1) continue;
    const filter::OptionSpec* found = nullptr;
    std::vector<std::string_view> known;
    for (const filter::OptionSpec& spec : specs) {
      known.push_back(spec.name);
      if (name == spec.name) found = &spec;
    }
    if (!name) return fail("options have names, got " + describe_value(L_, -1) + " without one");
    if (!found) {
      std::string sentence = "unknown option " + in_quotes(*name) + suggestion(*name, known);
      if (const std::string owners = filter::option_owners(*name); !owners.empty())
        sentence +=
            sentence.ends_with('?') ? " (it is one of " + owners + ")" : "; it is an option of " + owners;
      return fail(std::move(sentence));
    }
    if (lua_istable(L_, -1) && !found->members.empty()) {
      ArgumentReader inside(interpreter_, L_, function_);
      if (auto read = inside.read_options(lua_gettop(L_), found->members); !read)
        return fail("option " + in_quotes(*name) + ": " + read.error().detail.substr(function_.size() + 2));
      filter::Argument argument;
      argument.members = inside.options.all();
      options.set(found->name, std::move(argument));
      continue;
    }
    auto value = read_value(lua_gettop(L_), found->accepts, found->choices);
    if (!value) {
      const std::string hint = found->hint.empty() ? "" : "; " + std::string(found->hint);
      return fail(told_of("option " + in_quotes(*name), value.error().detail) + hint);
    }
    look_at_parameters(lua_gettop(L_), found->gives);
    options.set(found->name, std::move(*value));
  }
  return {};
}

Result<filter::Argument> ArgumentReader::read_value(int index, uint32_t accepts, std::string_view choices) {
  filter::Argument argument;
  const int type = lua_type(L_, index);
  if (type == LUA_TTABLE && (accepts & (Accepts::TextList | Accepts::MixedList)))
    return read_list(index, accepts);
  if (type == LUA_TTABLE && (accepts & Accepts::EndpointList)) return read_endpoints(index);
  if (type == LUA_TFUNCTION) argument.value = Ref<Object>(interpreter_.make_hook(L_, index));
  else argument.value = interpreter_.objects.to_value(L_, index);
  const bool is_name =
      type == LUA_TSTRING && (accepts & Accepts::PipelineObject) && !(accepts & Accepts::Text);
  if (is_name && scope_) {
    const auto name = string_at(L_, index);
    argument.value = Ref<Object>(scope_->refer(*name, *place_));
    return argument;
  }
  if (auto* message = argument.value.object_as<flow::Message>()) message->is_read_only = true;
  auto checked = filter::check_value(accepts, choices, std::move(argument.value));
  if (checked) {
    argument.value = std::move(*checked);
    return argument;
  }
  // Tables and the like are only "objects" to the rooms below.
  if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA)
    return Error{ErrorCode::ScriptError, Side::Script,
                 "expects " + filter::describe(accepts) + ", got " + describe_value(L_, index)};
  return checked.error();
}

namespace {

/// The parameters of a Lua function by name; empty for another one and where it takes any number.
std::vector<std::string> parameter_names(lua_State* L, int index, int count) {
  std::vector<std::string> names;
  lua_pushvalue(L, index);
  for (int i = 1; i <= count; ++i) {
    const char* name = lua_getlocal(L, nullptr, i);
    names.emplace_back(name ? name : "?");
  }
  lua_pop(L, 1);
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

bool is_name_of_message(std::string_view name) {
  constexpr std::string_view names[] = {"req", "res", "msg", "request", "response", "message"};
  return std::ranges::find(names, name) != std::end(names);
}

}  // namespace

void ArgumentReader::look_at_parameters(int index, std::string_view gives) {
  filter::Program* program = interpreter_.builder.program();
  if (!program || lua_type(L_, index) != LUA_TFUNCTION) return;
  const int count = interpreter_.parameters_of(L_, index);
  if (count == 0 || count == INT_MAX) return;
  const auto given = 1 + static_cast<int>(std::ranges::count(gives, ','));
  const std::vector<std::string> names = parameter_names(L_, index, count);
  const bool gets_context_first = gives.starts_with("ctx");
  const bool is_swapped = gets_context_first ? is_name_of_message(names[0]) : names[0] == "ctx";
  if (count <= given && !is_swapped) return;
  lua_Debug function;
  lua_pushvalue(L_, index);
  if (!lua_getinfo(L_, ">S", &function) || function.source[0] != '@') return;
  const std::string call = "(" + std::string(gives) + ")";
  program->warnings.push_back({{function.source + 1, function.linedefined},
                               std::string(function_) + ": this function takes (" + joined(names) +
                                   ") and is called with " + call + "; write function" + call});
}

namespace {

/// A list has the numbers 1 to n and no names.
struct ListShape {
  int count = 0;
  std::string name;  ///< a name that it has; empty: none
  std::string hole;  ///< what is said of an item that is nil before another one; empty: none is
};

ListShape shape_of(lua_State* L, int index) {
  ListShape shape;
  size_t items = 0;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TNUMBER) {
      ++items;
    } else if (shape.name.empty()) {
      lua_pushvalue(L, -2);
      shape.name = describe_value(L, -1);
      lua_pop(L, 1);
    }
  }
  shape.count = static_cast<int>(items);
  // Lua's own length may stop at a hole, and what is behind it would be lost without a word.
  for (int i = 1; i <= shape.count && shape.hole.empty(); ++i) {
    lua_rawgeti(L, index, i);
    if (lua_isnil(L, -1))
      shape.hole = "item " + std::to_string(i) +
                   " is nil, though there are items behind it: is a name misspelt or not set?";
    lua_pop(L, 1);
  }
  return shape;
}

}  // namespace

Result<filter::Argument> ArgumentReader::read_list(int index, uint32_t accepts) {
  const uint32_t kind = accepts & (Accepts::TextList | Accepts::MixedList);
  const auto wrong = [&](const std::string& what) {
    return Error{ErrorCode::ScriptError, Side::Script, "expects " + filter::describe(kind) + ", " + what};
  };
  filter::Argument argument;
  const ListShape shape = shape_of(L_, index);
  if (!shape.hole.empty()) return wrong("but its " + shape.hole);
  for (int i = 1; i <= shape.count; ++i) {
    lua_rawgeti(L_, index, i);
    Value item = interpreter_.objects.to_value(L_, -1);
    const bool fits = item.string() ||
                      ((accepts & Accepts::PipelineObject) && item.object_as<flow::PipelinePlan>()) ||
                      ((accepts & Accepts::MixedList) && item.number());
    if (!fits) return wrong("but its item " + std::to_string(i) + " is " + describe_value(L_, -1));
    argument.list.push_back(std::move(item));
    lua_pop(L_, 1);
  }
  if (!shape.name.empty()) return wrong("got a table with the name " + shape.name);
  if (shape.count == 0) return wrong("got an empty one");
  return argument;
}

Result<filter::Argument> ArgumentReader::read_endpoints(int index) {
  const auto wrong = [](std::string sentence) {
    return Error{ErrorCode::ScriptError, Side::Script, std::move(sentence)};
  };
  filter::Argument argument;
  const ListShape shape = shape_of(L_, index);
  if (!shape.hole.empty()) return wrong(shape.hole);
  for (int i = 1; i <= shape.count; ++i) {
    lua_rawgeti(L_, index, i);
    auto endpoint = read_endpoint();
    if (!endpoint) return wrong("item " + std::to_string(i) + ": " + endpoint.error().detail);
    argument.items.push_back(std::move(*endpoint));
    lua_pop(L_, 1);
  }
  if (!shape.name.empty())
    return wrong("expects a list of endpoints, got a table with the name " + shape.name +
                 "; write { \"10.0.0.1:8080\", { \"10.0.0.2:8080\", weight = 2 } }");
  return argument;
}

namespace {

/// " with host and weight": the names in a table, sorted; empty without any.
std::string keys_of(lua_State* L, int index) {
  if (!lua_istable(L, index)) return {};
  std::vector<std::string> names;
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
    if (const auto name = string_at(L, -2)) names.push_back(in_quotes(*name));
  std::ranges::sort(names);
  return names.empty() ? std::string() : " with " + joined(names) + " and no address in front";
}

}  // namespace

// The value at the top of the stack.
Result<filter::Argument> ArgumentReader::read_endpoint() {
  filter::Argument argument;
  const int index = lua_gettop(L_);
  // The form of api:endpoints(): what that says beside an endpoint's options is for reading.
  constexpr std::string_view said[] = {"address", "health", "ejected", "active"};
  std::optional<std::string_view> address;
  bool is_said = false;
  if (lua_istable(L_, index)) {
    lua_rawgeti(L_, index, 1);
    address = string_at(L_, -1);
    lua_pop(L_, 1);  // the table keeps it
    if (!address) {
      lua_pushliteral(L_, "address");
      lua_rawget(L_, index);
      address = string_at(L_, -1);
      is_said = address.has_value();
      lua_pop(L_, 1);
    }
  } else {
    address = string_at(L_, index);
  }
  if (!address)
    return Error{ErrorCode::ScriptError, Side::Script,
                 "an endpoint is \"host:port\" or { \"host:port\", weight = 2 }, got " +
                     describe_value(L_, index) + keys_of(L_, index)};
  argument.value = Value(*address);
  if (!lua_istable(L_, index)) return argument;
  ArgumentReader inside(interpreter_, L_, function_);
  const std::span<const std::string_view> others(said, is_said ? std::size(said) : 0);
  if (auto read = inside.read_options(index, filter::endpoint_options(), !is_said, others); !read)
    return Error{ErrorCode::ScriptError, Side::Script, read.error().detail.substr(function_.size() + 2)};
  argument.members = inside.options.all();
  return argument;
}

}  // namespace perilune::script
