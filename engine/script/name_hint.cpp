#include "script/name_hint.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "script/lua_tokens.hpp"

namespace perilune::script {
namespace {

constexpr std::string_view globals_of_tests[] = {"test", "beforeEach", "afterEach", "expect", "describe"};

/// Whether the source defines pipeline("name"), anywhere.
bool defines_pipeline(std::string_view source, std::string_view name) {
  const auto tokens = lua_tokens(source);
  for (size_t i = 0; i + 2 < tokens.size(); ++i) {
    const size_t at = tokens[i + 1].is_symbol("(") ? i + 2 : i + 1;
    if (tokens[i].is_name("pipeline") && tokens[at].kind == LuaToken::Kind::Text && tokens[at].text == name)
      return true;
  }
  return false;
}

}  // namespace

std::string hint_of_name(std::string_view name, std::string_view source, bool is_test) {
  if (!is_test && std::ranges::find(globals_of_tests, name) != std::end(globals_of_tests))
    return "tests are run by perilune test, which takes files named test.lua or *_test.lua";
  return defines_pipeline(source, name) ? "a pipeline is given by its name in quotes: " + in_quotes(name)
                                        : std::string();
}

std::string_view hint_of_method(std::string_view error) {
  constexpr std::string_view elsewhere[] = {"set", "remove", "delete", "unset", "append", "has"};
  for (const std::string_view name : elsewhere)
    if (error.ends_with("attempt to call method '" + std::string(name) + "' (a nil value)"))
      return "; headers are written headers[\"name\"] = \"value\", removed by = nil, and added to by "
             "headers:add(name, value)";
  return {};
}

}  // namespace perilune::script
