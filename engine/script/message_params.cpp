#include <array>
#include <cmath>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "script/bind_url.hpp"
#include "script/http_date.hpp"
#include "script/message_box.hpp"
#include "script/url_text.hpp"

namespace perilune::script {
namespace {

using message::Name;

constexpr std::array<std::string_view, 7> cookie_options{"path",   "domain",   "maxAge",  "expires",
                                                         "secure", "httpOnly", "sameSite"};

/// Sets `key` of the table at the top unless it is there: the first of several counts, as with headers.
void set_first(lua_State* L, std::string_view key, std::string_view value, std::string& scratch) {
  push_text(L, percent_decode(key, scratch, Plus::Kept));
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  const bool is_new = lua_isnil(L, -1);
  lua_pop(L, 1);
  if (!is_new) {
    lua_pop(L, 1);
    return;
  }
  push_text(L, percent_decode(value, scratch, Plus::Kept));
  lua_rawset(L, -3);
}

/// The pairs of a Cookie field (RFC 6265 section 4.2): name=value, separated by "; ".
void add_cookies(lua_State* L, std::string_view field, size_t& count, std::string& scratch) {
  while (!field.empty() && count < limits::url_parameters_max) {
    const size_t end = field.find(';');
    const std::string_view pair = trim(field.substr(0, end));
    field = end == std::string_view::npos ? std::string_view() : field.substr(end + 1);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    std::string_view value = trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    set_first(L, trim(pair.substr(0, equals)), value, scratch);
    ++count;
  }
}

/// What a cookie's value may hold as it is (RFC 6265 section 4.1.1), but for "%": it is decoded when read.
bool is_cookie_octet(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\' && c != '%';
}

/// A cookie being put together from the options table at stack index 4.
class Cookie {
 public:
  explicit Cookie(lua_State* state) : L(state) {}

  std::optional<std::string> build(std::string_view name, std::string_view value) {
    if (!message::is_valid_name(name))
      return "message:setCookie: name expects a token, got " + describe_value(L, 2);
    if (!message::is_valid_value(value)) {
      return "message:setCookie: value holds CR, LF, NUL or another control character";
    }
    text.append(name).append("=");
    percent_encode(value, &is_cookie_octet, text);
    if (lua_isnoneornil(L, 4)) return std::nullopt;
    if (!lua_istable(L, 4)) return argument_message(L, 4, "a table");
    if (auto wrong = check_keys()) return wrong;
    if (auto wrong = add_text("path", "; Path=")) return wrong;
    if (auto wrong = add_text("domain", "; Domain=")) return wrong;
    if (auto wrong = add_age()) return wrong;
    if (auto wrong = add_expires()) return wrong;
    if (auto wrong = add_flag("secure", "; Secure")) return wrong;
    if (auto wrong = add_flag("httpOnly", "; HttpOnly")) return wrong;
    return add_same_site();
  }

  std::string text;

 private:
  using Wrong = std::optional<std::string>;

  Wrong check_keys() {
    lua_pushnil(L);
    while (lua_next(L, 4) != 0) {
      lua_pop(L, 1);
      const auto key = string_at(L, -1).value_or(std::string_view());
      if (std::find(cookie_options.begin(), cookie_options.end(), key) == cookie_options.end()) {
        return "message:setCookie: unknown option " + describe_value(L, -1) + suggestion(key, cookie_options);
      }
    }
    return std::nullopt;
  }

  Wrong expects(const char* key, const char* expectation) {
    return std::string("message:setCookie: ") + key + " expects " + expectation + ", got " +
           describe_value(L, -1);
  }

  /// Pushes the option; false when it is absent.
  bool option(const char* key) {
    lua_getfield(L, 4, key);
    return !lua_isnil(L, -1);
  }

  Wrong add_text(const char* key, const char* attribute) {
    if (!option(key)) return std::nullopt;
    const auto given = string_at(L, -1);
    if (!given || !message::is_valid_value(*given) || given->find(';') != std::string_view::npos) {
      return expects(key, "a string without \";\" and control characters");
    }
    text.append(attribute).append(*given);
    return std::nullopt;
  }

  Wrong add_age() {
    if (!option("maxAge")) return std::nullopt;
    std::optional<double> seconds;
    if (lua_type(L, -1) == LUA_TNUMBER) seconds = lua_tonumber(L, -1);
    else if (const auto given = string_at(L, -1)) {
      if (const auto duration = parse_duration(*given)) seconds = to_seconds(*duration);
    }
    if (!seconds || !(std::fabs(*seconds) < 1e12)) return expects("maxAge", "a number of seconds or \"1h\"");
    text.append("; Max-Age=").append(std::to_string(static_cast<int64_t>(*seconds)));
    return std::nullopt;
  }

  Wrong add_expires() {
    if (!option("expires")) return std::nullopt;
    const double time = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
    const auto date = format_http_date(time);
    if (!date) return expects("expires", "a time in seconds, as time.now() gives it");
    text.append("; Expires=").append(*date);
    return std::nullopt;
  }

  Wrong add_flag(const char* key, const char* attribute) {
    if (!option(key)) return std::nullopt;
    if (!lua_isboolean(L, -1)) return expects(key, "true or false");
    if (lua_toboolean(L, -1)) text.append(attribute);
    return std::nullopt;
  }

  Wrong add_same_site() {
    if (!option("sameSite")) return std::nullopt;
    const auto given = string_at(L, -1).value_or(std::string_view());
    for (const std::string_view word : {"Strict", "Lax", "None"}) {
      if (!equal_ignoring_case(given, word)) continue;
      text.append("; SameSite=").append(word);
      return std::nullopt;
    }
    return expects("sameSite", "\"Strict\", \"Lax\" or \"None\"");
  }

  lua_State* const L;
};

}  // namespace

void push_query(lua_State* L, BindingContext& context, const MessageBox& box) {
  const std::string_view path = box.message->request()->path;
  const size_t mark = path.find('?');
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : path.substr(mark + 1);
  if (context.messages->push_kept(L, box, MessageBoxes::Kept::Query, query)) return;
  push_query_table(L, query);
  context.messages->keep(L, box, MessageBoxes::Kept::Query, query);
}

void push_cookies(lua_State* L, BindingContext& context, const MessageBox& box) {
  // Cookies are most often one field; where a proxy split it (HTTP/2), the pieces count as one.
  std::string joined;
  std::string_view source;
  int fields = 0;
  box.message->head->headers.each_of(Name::Cookie, [&](std::string_view value) {
    if (++fields == 1) {
      source = value;
      return;
    }
    if (fields == 2) joined.assign(source);
    joined.append("; ").append(value);
  });
  if (fields > 1) source = joined;
  if (context.messages->push_kept(L, box, MessageBoxes::Kept::Cookies, source)) return;
  lua_newtable(L);
  size_t count = 0;
  std::string scratch;
  add_cookies(L, source, count, scratch);
  context.messages->keep(L, box, MessageBoxes::Kept::Cookies, source);
}

Outcome set_cookie(lua_State* L) {
  const auto* box = test_userdata<MessageBox>(L, 1);
  if (!box || box->part != MessagePart::Message) return Outcome::error(argument_message(L, 1, "a Message"));
  flow::Message& message = message_of(L, *box);
  if (const char* why = why_read_only(message)) return Outcome::error(why);
  if (!message.response()) return Outcome::error("message:setCookie is for responses; this is a request");
  const auto name = string_at(L, 2);
  if (!name) return Outcome::error(argument_message(L, 2, "a string"));
  const auto value = string_at(L, 3);
  if (!value) return Outcome::error(argument_message(L, 3, "a string"));
  Cookie cookie(L);
  if (auto wrong = cookie.build(*name, *value)) return Outcome::error(std::move(*wrong));
  message.make_head_own();
  message.head->headers.add("Set-Cookie", cookie.text);
  return 0;
}

}  // namespace perilune::script
