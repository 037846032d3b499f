#include <array>
#include <cmath>

#include "base/text.hpp"
#include "http/grammar.hpp"
#include "script/data_box.hpp"
#include "script/json.hpp"
#include "script/message_box.hpp"

namespace perilune::script {
namespace {

using Wrong = std::optional<std::string>;

/// The keys of `Message{…}`; the value of each is copied to the stack slot behind the table, at its place.
constexpr std::array<std::string_view, 9> known_keys{"method", "path",    "scheme", "status",  "reason",
                                                     "body",   "headers", "json",   "trailers"};
enum Slot : int { Method = 2, Path, Scheme, Status, Reason, Body, HeaderFields, Json, TrailerFields };

/// Keys that others have for the same, far from ours in letters.
constexpr std::pair<std::string_view, std::string_view> foreign_keys[] = {
    {"code", "status"}, {"statusCode", "status"}, {"status_code", "status"}, {"content", "body"},
    {"text", "body"},   {"data", "body"},         {"url", "path"},           {"uri", "path"}};

std::string unknown_key(std::string_view key) {
  const auto foreign = std::ranges::find(foreign_keys, key, [](const auto& pair) { return pair.first; });
  const std::string_view meant = foreign == std::end(foreign_keys) ? key : foreign->second;
  return "Message: unknown key " + in_quotes(key) + suggestion(meant, known_keys);
}

/// The table of `Message{…}`, at stack index 1.
class MessageTable {
 public:
  explicit MessageTable(lua_State* state) : L(state) {}

  Wrong read(Ref<flow::Message>& result) {
    if (auto wrong = take_values()) return wrong;
    const bool is_request = has(Method) || has(Path);
    if (is_request && has(Status)) {
      return "Message: method and path make a request, status makes a response; this has both";
    }
    message_ = make_ref<flow::Message>();
    message_->has_body = true;
    if (auto wrong = is_request ? read_request() : read_response()) return wrong;
    if (auto wrong = read_body()) return wrong;
    if (auto wrong = read_fields()) return wrong;
    result = std::move(message_);
    return std::nullopt;
  }

 private:
  Wrong take_values() {
    lua_settop(L, TrailerFields);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
      const auto key = string_at(L, -2);
      if (!key) return "Message: keys are strings, got " + describe_value(L, -2);
      const auto known = std::find(known_keys.begin(), known_keys.end(), *key);
      if (known == known_keys.end()) {
        return unknown_key(*key);
      }
      const int slot = Method + static_cast<int>(known - known_keys.begin());
      lua_replace(L, slot);
      given_ |= 1u << slot;
    }
    return std::nullopt;
  }

  bool has(Slot slot) const { return (given_ & 1u << slot) != 0; }

  Wrong expects_string(const char* key, Slot slot) {
    return std::string("Message: ") + key + " expects a string, got " + describe_value(L, slot);
  }

  Wrong read_request() {
    auto head = message::RequestHead::make();
    if (has(Method) && !string_at(L, Method)) return expects_string("method", Method);
    if (has(Path) && !string_at(L, Path)) return expects_string("path", Path);
    head->method.assign(string_at(L, Method).value_or("GET"));
    head->path.assign(string_at(L, Path).value_or("/"));
    if (auto wrong = check_method(head->method)) return "Message: " + *wrong;
    if (auto wrong = check_path(head->path)) return "Message: " + *wrong;
    if (has(Scheme)) {
      const auto scheme = string_at(L, Scheme);
      if (scheme != "http" && scheme != "https") {
        return "Message: scheme expects \"http\" or \"https\", got " + describe_value(L, Scheme);
      }
      head->scheme = scheme == "https" ? "https" : "http";
    }
    if (has(Reason)) return "Message: a request has no reason";
    message_->head = std::move(head);
    return std::nullopt;
  }

  Wrong read_response() {
    auto head = message::ResponseHead::make();
    if (has(Status)) {
      if (auto wrong = check_status(L, Status)) return "Message: " + *wrong;
      head->status = static_cast<int>(lua_tointeger(L, Status));
    }
    if (has(Reason)) {
      const auto reason = string_at(L, Reason);
      if (!reason) return expects_string("reason", Reason);
      if (auto wrong = check_reason(*reason)) return "Message: " + *wrong;
      head->reason.assign(*reason);
    }
    if (has(Scheme)) return "Message: a response has no scheme";
    head->body = {message::BodyKind::Length, 0};
    message_->head = std::move(head);
    return std::nullopt;
  }

  Wrong read_body() {
    if (!has(Json)) {
      if (!has(Body)) return std::nullopt;
      auto wrong = assign_body(L, context_of(L), Body, *message_);
      return wrong ? "Message: " + *wrong : wrong;
    }
    if (has(Body)) return "Message: json is the body; this has a body too";
    std::string encoded;
    if (auto wrong = encode_json(L, Json, encoded)) return "Message: " + *wrong;
    message_->set_body(buffer::buffer_of(encoded, context_of(L).chunks));
    message_->head->headers.add("content-type", "application/json");
    return std::nullopt;
  }

  Wrong read_fields() {
    if (has(HeaderFields)) {
      // Fields that are given replace the content-type that json set.
      if (auto wrong = read_headers(L, HeaderFields, message_->head->headers)) return "Message: " + *wrong;
    }
    if (!has(TrailerFields)) return std::nullopt;
    auto trailers = make_ref<message::Trailers>();
    if (auto wrong = read_headers(L, TrailerFields, trailers->headers)) return "Message: trailers: " + *wrong;
    message_->trailers = std::move(trailers);
    return std::nullopt;
  }

  lua_State* const L;
  uint32_t given_ = 0;  // a bit for each slot
  Ref<flow::Message> message_;
};

}  // namespace

Wrong check_method(std::string_view method) {
  if (message::is_valid_name(method)) return std::nullopt;
  return "method expects a token such as \"GET\", got " +
         (method.empty() ? std::string("an empty string") : "one with a space, control or other character");
}

Wrong check_path(std::string_view path) {
  if (path.empty()) return "path is empty: it begins with \"/\"";
  if (!http::are_all(http::TargetChar, path)) {
    return "path holds a space, \"#\", control character or byte above 0x7e: encode it (url.encode)";
  }
  if (http::is_valid_path(path) || http::parse_target("GET", path) || http::parse_target("CONNECT", path))
    return std::nullopt;
  return "path begins with \"/\" (or is \"*\", a whole URL, or host:port for CONNECT), got " +
         in_quotes(path);
}

Wrong check_status(lua_State* L, int index) {
  const double status = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0;
  if (status >= 200 && status <= 599 && status == std::floor(status)) return std::nullopt;
  return "status expects a whole number from 200 to 599, got " + describe_value(L, index);
}

Wrong check_reason(std::string_view reason) {
  if (message::is_valid_value(reason)) return std::nullopt;
  return "reason holds CR, LF, NUL or another control character";
}

Wrong assign_body(lua_State* L, BindingContext& context, int index, flow::Message& message) {
  if (lua_isfunction(L, index)) {
    Ref<flow::Hook> source = context.host.make_hook(L, index);
    message.set_body({});
    message.has_body = false;
    message.body_source = std::move(source);
    message.head->body = {message::BodyKind::Unknown, 0};
    return std::nullopt;
  }
  buffer::Buffer bytes;
  if (!lua_isnil(L, index) && !to_bytes(L, context, index, bytes)) {
    return "body expects a string, a Data or a function that gives pieces, got " + describe_value(L, index);
  }
  message.set_body(std::move(bytes));
  return std::nullopt;
}

namespace {

/// One value, or none. A nil is no empty body: it comes from what failed, and behind it is why.
Wrong check_arguments(lua_State* L) {
  const std::string why = lua_type(L, 2) == LUA_TSTRING ? ", and behind it " + describe_value(L, 2) : "";
  if (lua_isnil(L, 1))
    return "Message: a nil was given" + why +
           ": look at what made it (file.read gives nil and a reason when it cannot read); an empty body is "
           "Message()";
  if (lua_isnoneornil(L, 2)) return std::nullopt;
  if (lua_type(L, 2) == LUA_TNUMBER && !lua_istable(L, 1))
    return "Message takes one argument, got " + describe_value(L, 2) +
           " in addition; a status is written Message { status = 404, body = \"x\" }, and of several values, "
           "as text:gsub(…) gives them, another pair of brackets takes the first: Message((text:gsub(…)))";
  return "Message takes one argument, got " + describe_value(L, 2) +
         " in addition; write Message { status = 404, headers = { … }, body = \"x\" }";
}

}  // namespace

Outcome make_message(lua_State* L) {
  BindingContext& context = context_of(L);
  Ref<flow::Message> message;
  if (auto wrong = check_arguments(L)) return Outcome::error(std::move(*wrong));
  if (lua_istable(L, 1)) {
    lua_settop(L, 1);
    if (auto wrong = MessageTable(L).read(message)) return Outcome::error(std::move(*wrong));
  } else {
    buffer::Buffer body;
    if (!lua_isnone(L, 1) && !to_bytes(L, context, 1, body)) {
      const bool is_status = lua_type(L, 1) == LUA_TNUMBER && !check_status(L, 1);
      return Outcome::error(
          argument_message(L, 1, "a table, a string or a Data") +
          (is_status ? "; write Message { status = " + describe_value(L, 1) + " }" : std::string()));
    }
    message = flow::Message::of(message::ResponseHead::make());
    message->set_body(std::move(body));
  }
  push_made_message(L, context, std::move(message));
  return 1;
}

}  // namespace perilune::script
