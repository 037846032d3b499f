#include <array>
#include <cstring>

#include "base/text.hpp"
#include "script/data_box.hpp"
#include "script/json.hpp"
#include "script/message_box.hpp"

namespace perilune::script {
namespace {

using message::Name;

enum class Field : uint8_t {
  None,
  Method,
  Path,
  Pathname,
  Query,
  Cookies,
  Host,
  Authority,
  Scheme,
  Protocol,
  OriginalPath,
  Status,
  Reason,
  Error,
  Headers,
  Trailers,
  Body,
  Data,
  BodySize,
  // methods
  Json,
  SetCookie,
};
constexpr std::array<std::string_view, 20> field_names{
    "method",   "path",     "pathname",     "query",    "cookies", "host",     "authority",
    "scheme",   "protocol", "originalPath", "status",   "reason",  "error",    "headers",
    "trailers", "body",     "data",         "bodySize", "json",    "setCookie"};

/// A comparison of a known size: a few instructions, no call.
template <size_t N>
bool is(std::string_view name, const char (&known)[N]) {
  return std::memcmp(name.data(), known, N - 1) == 0;
}

/// By length first: reading a field is the most frequent thing that scripts do.
Field field_of(std::string_view name) {
  switch (name.size()) {
    case 4:
      if (is(name, "path")) return Field::Path;
      if (is(name, "body")) return Field::Body;
      if (is(name, "host")) return Field::Host;
      if (is(name, "data")) return Field::Data;
      return is(name, "json") ? Field::Json : Field::None;
    case 5: return is(name, "query") ? Field::Query : is(name, "error") ? Field::Error : Field::None;
    case 6:
      if (is(name, "method")) return Field::Method;
      if (is(name, "status")) return Field::Status;
      if (is(name, "scheme")) return Field::Scheme;
      return is(name, "reason") ? Field::Reason : Field::None;
    case 7: return is(name, "headers") ? Field::Headers : is(name, "cookies") ? Field::Cookies : Field::None;
    case 8:
      if (is(name, "pathname")) return Field::Pathname;
      if (is(name, "bodySize")) return Field::BodySize;
      if (is(name, "trailers")) return Field::Trailers;
      return is(name, "protocol") ? Field::Protocol : Field::None;
    case 9:
      return is(name, "authority")   ? Field::Authority
             : is(name, "setCookie") ? Field::SetCookie
                                     : Field::None;
    case 12: return is(name, "originalPath") ? Field::OriginalPath : Field::None;
    default: return Field::None;
  }
}

// Upvalues of __index and __newindex behind the two that every bound function has.
constexpr int json_upvalue = lua_upvalueindex(3);
constexpr int set_cookie_upvalue = lua_upvalueindex(4);

constexpr const char* not_collected =
    "this body was not collected, it streams past: use handleMessage or handleMessageBody";
constexpr const char* given_by_function = "this body is given by a function, piece by piece";

/// The host in lower case. Hosts are short; a longer one than fits is given as it is, which no server answers
/// to.
void push_host(lua_State* L, std::string_view host) {
  std::array<char, 256> lower;
  if (host.size() > lower.size()) {
    push_text(L, host);
    return;
  }
  for (size_t i = 0; i < host.size(); ++i) {
    lower[i] = host[i] >= 'A' && host[i] <= 'Z' ? static_cast<char>(host[i] + 32) : host[i];
  }
  push_text(L, {lower.data(), host.size()});
}

/// The body must be there; raises when it is not.
const buffer::Buffer& body_of(lua_State* L, const flow::Message& message) {
  if (message.body_source) raise(L, given_by_function);
  if (!message.has_body) raise(L, not_collected);
  return message.body;
}

void push_request_field(lua_State* L, const MessageBox& box, const message::RequestHead& head, Field field) {
  const flow::Message& message = *box.message;
  switch (field) {
    case Field::Method: return push_text(L, head.method);
    case Field::Path: return push_text(L, head.path);
    case Field::Pathname: return push_text(L, pathname_of(head.path));
    case Field::Query: return push_query(L, context_of(L), box);
    case Field::Host: return push_host(L, head.host());
    case Field::Authority: return push_text(L, head.headers.find(Name::Host).value_or(std::string_view()));
    case Field::Scheme: return push_text(L, head.scheme);
    case Field::OriginalPath:
      return push_text(L, message.original_path.empty() ? head.path : message.original_path);
    default: return lua_pushnil(L);
  }
}

void push_response_field(lua_State* L, const message::ResponseHead& head, Field field) {
  switch (field) {
    case Field::Status: return lua_pushinteger(L, head.status);
    case Field::Reason:
      return push_text(L, head.reason.empty() ? message::reason_phrase(head.status) : head.reason);
    case Field::Error: return head.error ? push_error(L, *head.error) : lua_pushnil(L);
    default: return lua_pushnil(L);
  }
}

void push_part(lua_State* L, const MessageBox& box, MessagePart part) {
  BindingContext& context = context_of(L);
  context.messages->push_part(L, context, box, part);
}

void push_field(lua_State* L, const MessageBox& box, Field field) {
  flow::Message& message = message_of(L, box);
  switch (field) {
    case Field::Headers: return push_part(L, box, MessagePart::Headers);
    case Field::Trailers: return message.trailers ? push_part(L, box, MessagePart::Trailers) : lua_pushnil(L);
    case Field::Body: return push_string(L, body_of(L, message));
    case Field::Data: return push_data(L, context_of(L), body_of(L, message));
    case Field::BodySize:
      return lua_pushnumber(L,
                            static_cast<double>(message.has_body ? message.body.size() : message.body_size));
    case Field::Cookies: return push_cookies(L, context_of(L), box);
    case Field::Json: return lua_pushvalue(L, json_upvalue);
    case Field::SetCookie: return lua_pushvalue(L, set_cookie_upvalue);
    case Field::Protocol:
      return push_text(L, message.head->version == message::Version::Http10 ? "HTTP/1.0" : "HTTP/1.1");
    default: break;
  }
  if (const auto* request = message.request()) push_request_field(L, box, *request, field);
  else if (const auto* response = message.response()) push_response_field(L, *response, field);
  else lua_pushnil(L);
}

const MessageBox& self(lua_State* L) {
  const auto* box = test_userdata<MessageBox>(L, 1);
  if (!box || box->part != MessagePart::Message) raise_argument(L, 1, "a Message");
  return *box;
}

std::string unknown_field(lua_State* L, const char* what) {
  const auto key = string_at(L, 2);
  if (!key) return "a Message has named fields, got " + describe_value(L, 2);
  return std::string(what) + " " + in_quotes(*key) + suggestion(*key, field_names);
}

int index(lua_State* L) {
  const auto name = string_at(L, 2);
  const Field field = name ? field_of(*name) : Field::None;
  if (field == Field::None) {
    push_text(L, unknown_field(L, "a Message has no field"));
    raise_top(L);
  }
  push_field(L, receiver<MessageBox>(L), field);
  return 1;
}

std::string no_such_field(const char* kind, std::string_view name) {
  return std::string(kind) + " has no " + std::string(name);
}

Outcome result_of(std::optional<std::string> wrong) {
  return wrong ? Outcome::error(std::move(*wrong)) : Outcome(0);
}

Outcome assign_request_field(lua_State* L, flow::Message& message, Field field) {
  message::RequestHead* head = message.request();
  const bool is_method = field == Field::Method;
  const char* name = is_method ? "method" : "path";
  if (!head) return Outcome::error(no_such_field("a response", name));
  const auto text = string_at(L, 3);
  if (!text) return Outcome::error(std::string(name) + " expects a string, got " + describe_value(L, 3));
  if (auto wrong = is_method ? check_method(*text) : check_path(*text))
    return Outcome::error(std::move(*wrong));
  if (is_method) {
    head->method.assign(*text);
    return 0;
  }
  if (message.original_path.empty()) message.original_path = head->path;
  head->path.assign(*text);
  return 0;
}

Outcome assign_response_field(lua_State* L, flow::Message& message, Field field) {
  message.make_head_own();
  message::ResponseHead* head = message.response();
  if (!head) return Outcome::error(no_such_field("a request", field == Field::Status ? "status" : "reason"));
  if (field == Field::Status) {
    if (auto wrong = check_status(L, 3)) return Outcome::error(std::move(*wrong));
    const auto status = static_cast<int>(lua_tointeger(L, 3));
    if (status != head->status) head->reason.clear();  // the old phrase belonged to the old status
    head->status = status;
    return 0;
  }
  const auto text = string_at(L, 3);
  if (!text) return Outcome::error("reason expects a string, got " + describe_value(L, 3));
  if (auto wrong = check_reason(*text)) return Outcome::error(std::move(*wrong));
  head->reason.assign(*text);
  return 0;
}

Outcome new_index(lua_State* L) {
  flow::Message& message = message_of(L, receiver<MessageBox>(L));
  if (const char* why = why_read_only(message)) return Outcome::error(why);
  const Field field = field_of(string_at(L, 2).value_or(std::string_view()));
  if (field == Field::None) return Outcome::error(unknown_field(L, "a Message has no assignable field"));
  switch (field) {
    case Field::Method:
    case Field::Path: return assign_request_field(L, message, field);
    case Field::Status:
    case Field::Reason: return assign_response_field(L, message, field);
    case Field::Body: return result_of(assign_body(L, context_of(L), 3, message));
    case Field::Headers: return Outcome::error("headers cannot be assigned as a whole: set its fields");
    case Field::Host: return Outcome::error("host cannot be assigned: set headers.host");
    case Field::Data: return Outcome::error("data cannot be assigned: assign body, it takes a Data too");
    case Field::Pathname:
    case Field::Query: return Outcome::error("pathname and query cannot be assigned: assign path");
    default: return Outcome::error("the field " + std::string(*string_at(L, 2)) + " can only be read");
  }
}

Outcome json_of(lua_State* L) {
  const flow::Message& message = message_of(L, self(L));
  if (message.body_source) return Outcome::error(given_by_function);
  if (!message.has_body) return Outcome::error(not_collected);
  const auto slices = message.body.slices();
  if (slices.size() == 1) return decode_json(L, slices[0].view());
  return decode_json(L, message.body.to_string());
}

Outcome to_text(lua_State* L) {
  const MessageBox& box = self(L);
  std::string text = "Message (over)";
  if (box.message) {
    if (const auto* request = box.message->request()) text = request->method + " " + request->path;
    else if (const auto* response = box.message->response())
      text = "response " + std::to_string(response->status);
  }
  push_text(L, text);
  return 1;
}

int equal(lua_State* L) {
  const auto* a = test_userdata<MessageBox>(L, 1);
  const auto* b = test_userdata<MessageBox>(L, 2);
  lua_pushboolean(L, a && b && a->message && a->message == b->message && a->part == b->part);
  return 1;
}

/// __index and __newindex share their upvalues.
void set_accessor(lua_State* L, BindingContext& context, const char* name, lua_CFunction function) {
  lua_pushlightuserdata(L, &context);
  lua_pushliteral(L, "Message");
  push_function(L, context, "message:json()", &outcome_function<json_of>);
  push_function(L, context, "message:setCookie(name, value, options)", &outcome_function<set_cookie>);
  lua_pushcclosure(L, function, 4);
  lua_setfield(L, -2, name);
}

}  // namespace

void bind_message(lua_State* L, BindingContext& context) {
  lua_newtable(L);
  set_accessor(L, context, "__index", &index);
  set_accessor(L, context, "__newindex", &outcome_function<new_index>);
  add_functions(L, context, "Message ",
                {{"__tostring(message)", &outcome_function<to_text>}, {"__eq(a, b)", &equal}});
  lua_pushliteral(L, "Message");
  lua_setfield(L, -2, "__metatable");
  context.message_metatables = ref_box_metatables(L, context, "Message ");
  bind_headers(L, context);
  add_functions(L, context, "", {{"Message(what)", &outcome_function<make_message>}});
}

}  // namespace perilune::script
