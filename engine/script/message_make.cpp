#include <array>
#include <cmath>

#include "script/data_box.hpp"
#include "script/json.hpp"
#include "script/message_box.hpp"

namespace perilune::script {
namespace {

using Wrong = std::optional<std::string>;

constexpr std::array<std::string_view, 9> known_keys{"method", "path",    "scheme", "status",  "reason",
                                                     "body",   "headers", "json",   "trailers"};

bool has_control_or_space(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return true;
  }
  return false;
}

/// The table of `Message{…}`, at stack index 1.
class MessageTable {
 public:
  explicit MessageTable(lua_State* state) : L(state) {}

  Wrong read(Ref<flow::Message>& result) {
    if (auto wrong = check_keys()) return wrong;
    const bool is_request = has("method") || has("path");
    if (is_request && has("status")) {
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
  Wrong check_keys() {
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
      lua_pop(L, 1);
      const auto key = string_at(L, -1);
      if (!key) return "Message: keys are strings, got " + describe_value(L, -1);
      if (std::find(known_keys.begin(), known_keys.end(), *key) == known_keys.end()) {
        return "Message: unknown key \"" + std::string(*key) + "\"" + suggestion(*key, known_keys);
      }
    }
    return std::nullopt;
  }

  bool has(const char* key) {
    lua_getfield(L, 1, key);
    const bool is_there = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return is_there;
  }

  /// Leaves the value on the stack, so that its text stays alive. None when it is absent.
  Wrong text(const char* key, std::optional<std::string_view>& result) {
    lua_getfield(L, 1, key);
    if (lua_isnil(L, -1)) return std::nullopt;
    result = string_at(L, -1);
    if (result) return std::nullopt;
    return std::string("Message: ") + key + " expects a string, got " + describe_value(L, -1);
  }

  Wrong read_request() {
    auto head = message::RequestHead::make();
    std::optional<std::string_view> method, path, scheme;
    for (auto wrong : {text("method", method), text("path", path), text("scheme", scheme)})
      if (wrong) return wrong;
    head->method.assign(method.value_or("GET"));
    head->path.assign(path.value_or("/"));
    if (auto wrong = check_method(head->method)) return "Message: " + *wrong;
    if (auto wrong = check_path(head->path)) return "Message: " + *wrong;
    if (scheme && *scheme != "http" && *scheme != "https") {
      return "Message: scheme expects \"http\" or \"https\", got " + describe_value(L, -1);
    }
    if (scheme == "https") head->scheme = "https";
    if (has("reason")) return "Message: a request has no reason";
    message_->head = std::move(head);
    return std::nullopt;
  }

  Wrong read_response() {
    auto head = message::ResponseHead::make();
    lua_getfield(L, 1, "status");
    if (!lua_isnil(L, -1)) {
      if (auto wrong = check_status(L, lua_gettop(L))) return "Message: " + *wrong;
      head->status = static_cast<int>(lua_tointeger(L, -1));
    }
    std::optional<std::string_view> reason;
    if (auto wrong = text("reason", reason)) return wrong;
    if (reason) {
      if (auto wrong = check_reason(*reason)) return "Message: " + *wrong;
      head->reason.assign(*reason);
    }
    if (has("scheme")) return "Message: a response has no scheme";
    head->body = {message::BodyKind::Length, 0};
    message_->head = std::move(head);
    return std::nullopt;
  }

  Wrong read_body() {
    lua_getfield(L, 1, "json");
    const bool has_json = !lua_isnil(L, -1);
    lua_getfield(L, 1, "body");
    if (lua_isnil(L, -1) && !has_json) return std::nullopt;
    if (!has_json) {
      auto wrong = assign_body(L, context_of(L), lua_gettop(L), *message_);
      return wrong ? "Message: " + *wrong : wrong;
    }
    if (!lua_isnil(L, -1)) return "Message: json is the body; this has a body too";
    std::string encoded;
    if (auto wrong = encode_json(L, lua_gettop(L) - 1, encoded)) return "Message: " + *wrong;
    message_->set_body(buffer::buffer_of(encoded, context_of(L).chunks));
    message_->head->headers.add("content-type", "application/json");
    return std::nullopt;
  }

  Wrong read_fields() {
    lua_getfield(L, 1, "headers");
    if (!lua_isnil(L, -1)) {
      // Fields that are given replace the content-type that json set.
      if (auto wrong = read_headers(L, lua_gettop(L), message_->head->headers)) return "Message: " + *wrong;
    }
    lua_getfield(L, 1, "trailers");
    if (lua_isnil(L, -1)) return std::nullopt;
    auto trailers = make_ref<message::Trailers>();
    if (auto wrong = read_headers(L, lua_gettop(L), trailers->headers)) return "Message: trailers: " + *wrong;
    message_->trailers = std::move(trailers);
    return std::nullopt;
  }

  lua_State* const L;
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
  if (has_control_or_space(path)) {
    return "path holds a space, CR, LF, NUL or another control character: encode it (url.encode)";
  }
  if (path.front() == '/' || path == "*" || path.find(':') != std::string_view::npos) return std::nullopt;
  return "path begins with \"/\" (or is \"*\", a whole URL, or host:port for CONNECT)";
}

Wrong check_status(lua_State* L, int index) {
  const double status = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : 0;
  if (status >= 200 && status <= 999 && status == std::floor(status)) return std::nullopt;
  return "status expects a whole number from 200 to 999, got " + describe_value(L, index);
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

Outcome make_message(lua_State* L) {
  BindingContext& context = context_of(L);
  Ref<flow::Message> message;
  if (lua_istable(L, 1)) {
    lua_settop(L, 1);
    if (auto wrong = MessageTable(L).read(message)) return Outcome::error(std::move(*wrong));
  } else {
    buffer::Buffer body;
    if (!lua_isnoneornil(L, 1) && !to_bytes(L, context, 1, body)) {
      return Outcome::error(argument_message(L, 1, "a table, a string or a Data"));
    }
    message = flow::Message::of(message::ResponseHead::make());
    message->set_body(std::move(body));
  }
  push_made_message(L, context, std::move(message));
  return 1;
}

}  // namespace perilune::script
