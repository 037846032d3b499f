#include "script/bind_url.hpp"

#include <algorithm>
#include <boost/url/grammar/alnum_chars.hpp>
#include <boost/url/grammar/alpha_chars.hpp>
#include <boost/url/grammar/lut_chars.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/pchars.hpp>
#include <boost/url/url.hpp>
#include <cstdio>
#include <vector>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "script/url_text.hpp"

namespace perilune::script {
namespace {

namespace urls = boost::urls;

Error bad_url(std::string_view text, const std::string& why) {
  return {ErrorCode::ScriptError, Side::Script, "not a URL: " + in_quotes(text, 200) + ": " + why};
}

/// A scheme and one character that is of no path (RFC 3986, appendix A): Boost.URL 1.81 asserts that it is
/// one. "a:?" would be a URL, though none that anybody means.
bool is_scheme_and_stray(std::string_view text) {
  constexpr auto scheme_chars = urls::grammar::alnum_chars + urls::grammar::lut_chars("+-.");
  constexpr auto path_chars = urls::pchars + '/';
  const size_t colon = text.find(':');
  return colon != text.npos && colon > 0 && colon + 2 == text.size() &&
         urls::grammar::alpha_chars(text.front()) && !path_chars(text.back()) &&
         std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), scheme_chars);
}

Result<urls::url_view> parse_reference(std::string_view text) {
  if (is_scheme_and_stray(text)) return bad_url(text, "nothing behind the scheme");
  const auto parsed = urls::parse_uri_reference(text);
  if (!parsed) return bad_url(text, parsed.error().message());
  return *parsed;
}

Result<std::string> decode(std::string_view text) {
  if (!is_well_encoded(text)) {
    return Error{ErrorCode::ScriptError, Side::Script, "a \"%\" is not followed by two hex digits"};
  }
  std::string scratch;
  return std::string(percent_decode(text, scratch, Plus::Kept));
}

std::string encode(std::string_view text) {
  std::string result;
  percent_encode(text, &is_unreserved, result);
  return result;
}

Result<std::string> resolve(std::string_view base, std::string_view reference) {
  const auto from = parse_reference(base);
  if (!from || !from->has_scheme()) {
    return Error{ErrorCode::ScriptError, Side::Script,
                 "the base is not a whole URL with a scheme: " + in_quotes(base, 200)};
  }
  const auto to = parse_reference(reference);
  if (!to) return to.error();
  urls::url result;
  if (const auto done = urls::resolve(*from, *to, result); !done) {
    return bad_url(reference, done.error().message());
  }
  return std::string(result.buffer());
}

Result<std::string> normalize(std::string_view text) {
  const auto parsed = parse_reference(text);
  if (!parsed) return parsed.error();
  urls::url result(*parsed);
  result.normalize();
  return std::string(result.buffer());
}

/// The port that a scheme means when the URL names none.
int default_port(std::string_view scheme) {
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "https" || scheme == "wss") return 443;
  return 0;
}

void set_authority(lua_State* L, const urls::url_view& url, const std::string& scheme) {
  if (!url.has_authority()) return;
  set_text(L, "authority", url.encoded_host_and_port());
  std::string host(url.encoded_host());
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  set_text(L, "host", host);
  const int port = url.has_port() && url.port_number() != 0 ? url.port_number() : default_port(scheme);
  if (port != 0) {
    lua_pushinteger(L, port);
    lua_setfield(L, -2, "port");
  }
  if (!url.has_userinfo()) return;
  set_text(L, "user", url.user());
  if (url.has_password()) set_text(L, "password", url.password());
}

Outcome parse(lua_State* L) {
  const auto text = string_at(L, 1);
  if (!text) return Outcome::error(argument_message(L, 1, "a string"));
  const auto parsed = parse_reference(*text);
  if (!parsed) {
    lua_pushnil(L);
    push_text(L, parsed.error().detail);
    return 2;
  }
  const urls::url_view& url = *parsed;
  lua_newtable(L);
  std::string scheme(url.scheme());
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (url.has_scheme()) set_text(L, "scheme", scheme);
  set_authority(L, url, scheme);
  // As a request has it: the path with its query, byte for byte, and "/" where a host stands alone.
  std::string path(url.encoded_path());
  if (path.empty() && url.has_authority()) path = "/";
  set_text(L, "pathname", path);
  if (url.has_query()) path.append("?").append(url.encoded_query());
  set_text(L, "path", path);
  push_query_table(L, url.encoded_query());
  lua_setfield(L, -2, "query");
  if (url.has_fragment()) set_text(L, "fragment", url.fragment());
  return 1;
}

/// "a=1&b=2" of a table, names in byte order; a list gives one parameter for each of its elements.
class QueryWriter {
 public:
  explicit QueryWriter(lua_State* state) : L(state) {}
  std::string text;

  std::optional<std::string> write() {
    if (!lua_istable(L, 1)) return argument_message(L, 1, "a table");
    std::vector<std::string_view> names;
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
      lua_pop(L, 1);
      const auto name = string_at(L, -1);
      if (!name) return "url.query: names are strings, got " + describe_value(L, -1);
      names.push_back(*name);
    }
    std::sort(names.begin(), names.end());
    for (const std::string_view name : names) {
      push_text(L, name);
      lua_rawget(L, 1);
      if (auto wrong = write_values(name)) return wrong;
      lua_pop(L, 1);
    }
    return std::nullopt;
  }

 private:
  std::optional<std::string> write_values(std::string_view name) {
    if (!lua_istable(L, -1)) return write_value(name);
    const int list = lua_gettop(L);
    const auto count = static_cast<int>(lua_objlen(L, list));
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(L, list, i);
      if (auto wrong = write_value(name)) return wrong;
      lua_pop(L, 1);
    }
    return std::nullopt;
  }

  std::optional<std::string> write_value(std::string_view name) {
    const int type = lua_type(L, -1);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN) {
      return "url.query: " + in_quotes(name) +
             " expects a string, a number, a boolean or a list of them, got " + describe_value(L, -1);
    }
    if (!text.empty()) text += '&';
    percent_encode(name, &is_unreserved, text);
    text += '=';
    if (type == LUA_TBOOLEAN) {
      text += lua_toboolean(L, -1) ? "true" : "false";
      return std::nullopt;
    }
    size_t size = 0;
    const char* value = lua_tolstring(L, -1, &size);
    percent_encode({value, size}, &is_unreserved, text);
    return std::nullopt;
  }

  lua_State* const L;
};

Outcome query(lua_State* L) {
  QueryWriter writer(L);
  if (auto wrong = writer.write()) return Outcome::error(std::move(*wrong));
  push_text(L, writer.text);
  return 1;
}

}  // namespace

void push_query_table(lua_State* L, std::string_view query) {
  lua_newtable(L);
  std::string scratch;
  each_parameter(query, limits::url_parameters_max, [&](std::string_view name, std::string_view value) {
    push_text(L, percent_decode(name, scratch, Plus::IsSpace));
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    const bool is_new = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!is_new) {
      lua_pop(L, 1);
      return;
    }
    push_text(L, percent_decode(value, scratch, Plus::IsSpace));
    lua_rawset(L, -3);
  });
}

void bind_url(lua_State* L, BindingContext& context) {
  push_subtable(L, "url");
  add_functions(L, context, "url.",
                {{"parse(text)", &outcome_function<parse>},
                 {"query(parameters)", &outcome_function<query>},
                 {"encode(text)", &plain_function<&encode>},
                 {"decode(text)", &plain_function<&decode>},
                 {"resolve(base, reference)", &plain_function<&resolve>},
                 {"normalize(url)", &plain_function<&normalize>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
