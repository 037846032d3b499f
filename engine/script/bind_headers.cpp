#include <algorithm>
#include <boost/container/small_vector.hpp>

#include "base/text.hpp"
#include "http/grammar.hpp"
#include "script/message_box.hpp"

namespace perilune::script {
namespace {

using message::Headers;
using message::Name;

/// Fields that say how a message is delimited or belong to one connection: heads keep them apart (head.hpp),
/// the encoders write them.
bool is_framing(Name name) { return name == Name::ContentLength || name == Name::TransferEncoding; }
bool is_hop_by_hop(Name name) {
  return name == Name::Connection || name == Name::KeepAlive || name == Name::ProxyConnection ||
         name == Name::Te || name == Name::Trailer || name == Name::Upgrade || name == Name::Http2Settings;
}

const MessageBox& self(lua_State* L) {
  const auto* box = test_userdata<MessageBox>(L, 1);
  if (!box || box->part == MessagePart::Message) raise_argument(L, 1, "headers");
  return *box;
}

Headers& section(lua_State* L, const MessageBox& box) {
  message_of(L, box);
  Headers* headers = section_of(box);
  if (!headers) raise(L, "these trailers are gone: the body was replaced");
  return *headers;
}

/// The section, to be changed.
Headers& own_section(lua_State* L, const MessageBox& box) {
  if (box.part == MessagePart::Headers) box.message->make_head_own();
  return section(L, box);
}

/// What heads keep outside their fields still reads like a field.
bool push_kept_apart(lua_State* L, const MessageBox& box, std::string_view name) {
  if (box.part != MessagePart::Headers) return false;
  const message::Head& head = *box.message->head;
  if (!head.upgrade.empty() && equal_ignoring_case(name, "upgrade")) {
    push_text(L, head.upgrade);
    return true;
  }
  if (head.body.kind != message::BodyKind::Length || !equal_ignoring_case(name, "content-length"))
    return false;
  char digits[24];
  const int size =
      std::snprintf(digits, sizeof digits, "%llu", static_cast<unsigned long long>(head.body.length));
  push_text(L, {digits, static_cast<size_t>(size)});
  return true;
}

int push_value(lua_State* L, const MessageBox& box, std::string_view name) {
  const auto value = section(L, box).find(name);
  if (value) push_text(L, *value);
  else if (!push_kept_apart(L, box, name)) lua_pushnil(L);
  return 1;
}

bool is_method(std::string_view name) {
  switch (name.size()) {
    case 3: return name == "get" || name == "all" || name == "add";
    case 4: return name == "each";
    default: return false;
  }
}

int index(lua_State* L) {
  const MessageBox& box = receiver<MessageBox>(L);
  const auto name = string_at(L, 2);
  if (!name) raise(L, "a header name is a string");
  if (is_method(*name)) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(headers_methods_upvalue));
    return 1;
  }
  return push_value(L, box, *name);
}

/// A field value at `index`: a string, or a number as Lua writes it. The view lives as long as the stack
/// slot.
std::optional<std::string_view> value_at(lua_State* L, int index) {
  const int type = lua_type(L, index);
  if (type != LUA_TSTRING && type != LUA_TNUMBER) return std::nullopt;
  size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return trim({text, size});
}

std::string wrong_value(lua_State* L, int index, std::string_view name) {
  return "headers: the value of " + in_quotes(name) + " expects a string, a number or a list of them, got " +
         describe_value(L, index);
}

/// Two of these, and two servers may read two different requests (RFC 9112 section 3.2).
bool is_single(std::string_view name) { return message::name_of(name) == Name::Host; }

std::string wrong_second(std::string_view name) {
  return "headers: a message has one " + in_quotes(name) + ": assign it";
}

std::optional<std::string> set_field(Headers& headers, std::string_view name, std::string_view value) {
  const Name id = message::name_of(name);
  auto wrong = check_field(name, value, id);
  if (!wrong) headers.set(name, value, id);
  return wrong;
}

/// Sets `name` to the value at `index`; all is checked before anything changes.
std::optional<std::string> assign_field(lua_State* L, Headers& headers, std::string_view name, int index) {
  if (const auto value = value_at(L, index)) return set_field(headers, name, *value);
  if (!lua_istable(L, index)) return wrong_value(L, index, name);
  const auto count = static_cast<int>(lua_objlen(L, index));
  if (count > 1 && is_single(name)) return wrong_second(name);
  for (int pass = 0; pass < 2; ++pass) {
    if (pass == 1) headers.remove(name);
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(L, index, i);
      const auto value = value_at(L, -1);
      if (!value) return wrong_value(L, -1, name);
      if (pass == 1) headers.add(name, *value);
      else if (auto wrong = check_field(name, *value, message::name_of(name))) return wrong;
      lua_pop(L, 1);
    }
  }
  return std::nullopt;
}

Outcome new_index(lua_State* L) {
  const MessageBox& box = receiver<MessageBox>(L);
  if (const char* why = why_read_only(message_of(L, box))) return Outcome::error(why);
  Headers& headers = own_section(L, box);
  const auto name = string_at(L, 2);
  if (!name) return Outcome::error("a header name is a string, got " + describe_value(L, 2));
  if (!lua_isnil(L, 3)) {
    auto wrong = assign_field(L, headers, *name, 3);
    return wrong ? Outcome::error(std::move(*wrong)) : Outcome(0);
  }
  const Name id = message::name_of(*name);
  if (id == Name::Upgrade && box.part == MessagePart::Headers) box.message->head->upgrade.clear();
  // The length of a body is not a script's to take away; encoders write it again.
  if (!is_framing(id)) headers.remove(*name);
  return 0;
}

int get(lua_State* L) {
  const MessageBox& box = self(L);
  const auto name = string_at(L, 2);
  if (!name) raise_argument(L, 2, "a string");
  return push_value(L, box, *name);
}

int all(lua_State* L) {
  const Headers& headers = section(L, self(L));
  const auto name = string_at(L, 2);
  if (!name) raise_argument(L, 2, "a string");
  lua_newtable(L);
  int count = 0;
  headers.each([&](std::string_view field, std::string_view value, Name) {
    if (!equal_ignoring_case(field, *name)) return;
    push_text(L, value);
    lua_rawseti(L, -2, ++count);
  });
  return 1;
}

Outcome add(lua_State* L) {
  const MessageBox& box = self(L);
  if (const char* why = why_read_only(message_of(L, box))) return Outcome::error(why);
  Headers& headers = own_section(L, box);
  const auto name = string_at(L, 2);
  if (!name) return Outcome::error(argument_message(L, 2, "a string"));
  const auto value = value_at(L, 3);
  if (!value) return Outcome::error(argument_message(L, 3, "a string or a number"));
  const Name id = message::name_of(*name);
  if (auto wrong = check_field(*name, *value, id)) return Outcome::error(std::move(*wrong));
  if (is_single(*name) && headers.has(id)) return Outcome::error(wrong_second(*name));
  headers.add(*name, *value, id);
  return 0;
}

/// The iterator of each(): upvalues 3 and 4 are the headers and the position.
int next_field(lua_State* L) {
  const auto* box = test_userdata<MessageBox>(L, lua_upvalueindex(3));
  const auto position = static_cast<size_t>(lua_tointeger(L, lua_upvalueindex(4)));
  const auto field = section(L, *box).at(position);
  if (!field) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushinteger(L, static_cast<lua_Integer>(position + 1));
  lua_replace(L, lua_upvalueindex(4));
  push_text(L, field->name);
  push_text(L, field->value);
  return 2;
}

int each(lua_State* L) {
  self(L);
  lua_pushlightuserdata(L, &context_of(L));
  lua_pushliteral(L, "headers:each()");
  lua_pushvalue(L, 1);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, &next_field, 4);
  return 1;
}

int to_text(lua_State* L) {
  self(L);
  lua_pushliteral(L, "headers");
  return 1;
}

int equal(lua_State* L) {
  const auto* a = test_userdata<MessageBox>(L, 1);
  const auto* b = test_userdata<MessageBox>(L, 2);
  lua_pushboolean(L, a && b && a->message && a->message == b->message && a->part == b->part);
  return 1;
}

}  // namespace

std::optional<std::string> check_field(std::string_view name, std::string_view value, Name id) {
  const auto shown = [&] { return in_quotes(name, 64); };
  if (id != Name::Other) {
    if (is_framing(id)) return "headers: " + shown() + " cannot be set: framing follows the body by itself";
    if (is_hop_by_hop(id)) {
      return "headers: " + shown() + " cannot be set: it belongs to one connection, and the engine writes it";
    }
  }
  if (id == Name::Host && !http::is_valid_host(value)) {
    return "headers: the value of " + shown() +
           " expects a host with or without a port, such as \"a.com:8080\"";
  }
  if (!message::is_valid_name(name)) {
    return name.empty() ? std::string("headers: a name is empty")
                        : std::string("headers: a name holds a character that names may not have");
  }
  if (!message::is_valid_value(value)) {
    return "headers: the value of " + shown() + " holds CR, LF, NUL or another control character";
  }
  return std::nullopt;
}

std::optional<std::string> read_headers(lua_State* L, int index, Headers& headers) {
  if (!lua_istable(L, index)) return "headers expects a table, got " + describe_value(L, index);
  struct Given {
    std::string_view name;
    std::optional<std::string_view> text;  // a string: the table keeps it alive
    bool operator<(const Given& other) const { return name < other.name; }
  };
  boost::container::small_vector<Given, 16> fields;
  for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
    const auto name = string_at(L, -2);
    if (!name) return "headers: a name is a string, got " + describe_value(L, -2);
    fields.push_back({*name, string_at(L, -1)});
  }
  // In the order of names: a table has none, and what is sent must not differ from run to run.
  if (fields.size() > 1) std::sort(fields.begin(), fields.end());
  for (const auto& [name, text] : fields) {
    if (text) {
      if (auto wrong = set_field(headers, name, trim(*text))) return wrong;
      continue;
    }
    push_text(L, name);
    lua_rawget(L, index);
    if (auto wrong = assign_field(L, headers, name, lua_gettop(L))) return wrong;
    lua_pop(L, 1);
  }
  return std::nullopt;
}

void bind_headers(lua_State* L, BindingContext& context) {
  lua_newtable(L);
  lua_pushlightuserdata(L, &context);
  lua_pushliteral(L, "headers");
  lua_newtable(L);
  add_functions(L, context, "headers:",
                {{"get(name)", &get},
                 {"all(name)", &all},
                 {"add(name, value)", &outcome_function<add>},
                 {"each()", &each}});
  lua_pushcclosure(L, &index, 3);
  lua_setfield(L, -2, "__index");
  add_functions(L, context, "headers ",
                {{"__newindex(name, value)", &outcome_function<new_index>},
                 {"__pairs(headers)", &each},
                 {"__tostring(headers)", &to_text},
                 {"__eq(a, b)", &equal}});
  lua_pushliteral(L, "headers");
  lua_setfield(L, -2, "__metatable");
  context.headers_metatables = ref_box_metatables(L, context, "headers ");
}

}  // namespace perilune::script
