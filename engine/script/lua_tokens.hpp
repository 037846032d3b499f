#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace perilune::script {

/// A word of a Lua source. `Name` has keywords too; `Text` is what stands between the quotes, escapes as
/// written.
struct LuaToken {
  enum class Kind : uint8_t { Name, Text, Number, Symbol };
  Kind kind = Kind::Symbol;
  std::string_view text;  // of the source
  int line = 1;

  bool is_symbol(std::string_view symbol) const { return kind == Kind::Symbol && text == symbol; }
  bool is_name(std::string_view name) const { return kind == Kind::Name && text == name; }
};

/// The tokens of a source that Lua has compiled: comments are left out, and nothing is checked. The texts
/// point into `source`. Source of the forms: Lua 5.1 manual, section 2.1, with LuaJIT's `goto` labels and
/// number suffixes.
std::vector<LuaToken> lua_tokens(std::string_view source);

}  // namespace perilune::script
