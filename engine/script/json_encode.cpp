#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <charconv>
#include <cmath>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "script/json.hpp"
#include "script/json_array.hpp"

namespace perilune::script {
namespace {

void write_string(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, begin, i - begin);
    begin = i + 1;
    switch (byte) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: out.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
  }
  out.append(text, begin).append("\"");
}

/// The shortest form that reads back as the same number; whole numbers without an exponent up to 2^53.
void write_number(std::string& out, double number) {
  char text[32];
  const bool is_whole = std::floor(number) == number && std::fabs(number) <= 9007199254740992.0;
  const auto end = is_whole ? std::to_chars(text, text + sizeof text, static_cast<int64_t>(number)).ptr
                            : std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

/// Walks the value at the top of the stack. Allocates in Lua nowhere but for stack room, so nothing here
/// raises.
class Encoder {
 public:
  Encoder(lua_State* state, std::string& out) : L(state), out_(out) {}

  bool write() {
    switch (lua_type(L, -1)) {
      case LUA_TBOOLEAN: out_ += lua_toboolean(L, -1) ? "true" : "false"; return true;
      case LUA_TSTRING: write_string(out_, *string_at(L, -1)); return true;
      case LUA_TNUMBER:
        if (!std::isfinite(lua_tonumber(L, -1))) return fail("not a finite number");
        write_number(out_, lua_tonumber(L, -1));
        return true;
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, -1)) return fail(describe_value(L, -1));
        out_ += "null";
        return true;
      case LUA_TTABLE: return write_table();
      default: return fail(describe_value(L, -1));
    }
  }
  std::string wrong() const {
    return "json.encode: " + (path_.empty() ? "the value" : shown(path_, 200)) + " is " + wrong_;
  }

 private:
  bool fail(std::string what) {
    wrong_ = std::move(what);
    return false;
  }

  bool write_table() {
    if (++depth_ > limits::json_depth_max) {
      return fail("nested more than " + std::to_string(limits::json_depth_max) + " deep, or in itself");
    }
    if (!lua_checkstack(L, 4)) return fail("too deep for the stack");
    const auto length = static_cast<int>(lua_objlen(L, -1));
    const bool done = length > 0 || is_json_array(L, -1) ? write_array(length) : write_object();
    --depth_;
    return done;
  }

  bool write_array(int length) {
    out_ += '[';
    for (int i = 1; i <= length; ++i) {
      if (i > 1) out_ += ',';
      lua_rawgeti(L, -1, i);
      const size_t path_size = path_.size();
      path_.append("[").append(std::to_string(i)).append("]");
      if (lua_isnil(L, -1)) return fail("missing: an array has no holes (json.null fills them)");
      if (!write()) return false;
      path_.resize(path_size);
      lua_pop(L, 1);
    }
    out_ += ']';
    return has_only(length);
  }

  /// A table with a sequence has nothing else.
  bool has_only(int length) {
    int count = 0;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
      lua_pop(L, 1);
      ++count;
      if (lua_type(L, -1) == LUA_TNUMBER && count <= length) continue;
      if (lua_type(L, -1) != LUA_TNUMBER)
        return fail("a table with both a sequence and the key " + key_text());
      return fail("a sequence with holes");
    }
    return true;
  }
  std::string key_text() { return describe_value(L, -1); }

  bool write_object() {
    boost::container::small_vector<std::string_view, 16> names;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
      lua_pop(L, 1);
      const auto name = string_at(L, -1);
      if (!name) {
        return fail(lua_type(L, -1) == LUA_TNUMBER
                        ? "a sequence with holes, it has no [1] but has [" + key_text() + "]"
                        : "a table with a key that is " + key_text());
      }
      names.push_back(*name);
    }
    std::sort(names.begin(), names.end());
    out_ += '{';
    bool is_first = true;
    for (const std::string_view name : names) {
      if (!std::exchange(is_first, false)) out_ += ',';
      write_string(out_, name);
      out_ += ':';
      push_text(L, name);
      lua_rawget(L, -2);
      const size_t path_size = path_.size();
      path_.append(".").append(name);
      if (!write()) return false;
      path_.resize(path_size);
      lua_pop(L, 1);
    }
    out_ += '}';
    return true;
  }

  lua_State* const L;
  std::string& out_;
  std::string path_;
  std::string wrong_;
  size_t depth_ = 0;
};

}  // namespace

std::optional<std::string> encode_json(lua_State* L, int index, std::string& out) {
  const int top = lua_gettop(L);
  lua_pushvalue(L, index);
  Encoder encoder(L, out);
  const bool done = encoder.write();
  lua_settop(L, top);
  if (done) return std::nullopt;
  return encoder.wrong();
}

}  // namespace perilune::script
