#include "script/codec.hpp"
#include "script/data_box.hpp"

namespace perilune::script {
namespace {

/// These take bytes: a string or a Data.
template <auto Function>
Outcome of_bytes(lua_State* L) {
  const auto bytes = contiguous(L, 1);
  if (!bytes) return Outcome::error(argument_message(L, 1, "a string or Data"));
  return push(L, Function(*bytes));
}

}  // namespace

void bind_codec(lua_State* L, BindingContext& context) {
  push_subtable(L, "base64");
  add_functions(L, context, "base64.",
                {{"encode(bytes)", &outcome_function<of_bytes<&base64_encode>>},
                 {"encodeURL(bytes)", &outcome_function<of_bytes<&base64_url_encode>>},
                 {"decode(text)", &outcome_function<of_bytes<&base64_decode>>}});
  lua_pop(L, 1);
  push_subtable(L, "hex");
  add_functions(L, context, "hex.",
                {{"encode(bytes)", &outcome_function<of_bytes<&hex_encode>>},
                 {"decode(text)", &outcome_function<of_bytes<&hex_decode>>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
