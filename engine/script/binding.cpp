#include "script/binding.hpp"

#include "script/message_box.hpp"
#include "script/script_file.hpp"

namespace perilune::script {

Result<std::string> BindingHost::read_file(const std::string& path, size_t bytes_max) {
  return read_whole_file(path, bytes_max);
}

namespace {

constexpr const char* error_metatable = "perilune.error";

/// Appends the string field `key` of the error table at `index`.
void append_field(lua_State* L, int index, const char* key, std::string& text, const char* separator) {
  lua_pushstring(L, key);
  lua_rawget(L, index);
  const auto value = string_at(L, -1);
  if (value && !value->empty()) text.append(text.empty() ? "" : separator).append(*value);
  lua_pop(L, 1);
}

std::string sentence(lua_State* L, int index) {
  std::string text;
  append_field(L, index, "side", text, "");
  append_field(L, index, "code", text, " ");
  append_field(L, index, "endpoint", text, ": ");
  append_field(L, index, "detail", text, ": ");
  return text;
}

Outcome error_text(lua_State* L) {
  if (!lua_istable(L, 1)) return Outcome::error("an error's tostring was given " + describe_value(L, 1));
  push_text(L, sentence(L, 1));
  return 1;
}

Outcome error_concat(lua_State* L) {
  std::string text;
  for (int index = 1; index <= 2; ++index) {
    if (lua_istable(L, index)) {
      text += sentence(L, index);
    } else if (const auto part = string_at(L, index)) {
      text.append(*part);
    } else {
      text += describe_value(L, index);
    }
  }
  push_text(L, text);
  return 1;
}

}  // namespace

BindingContext::BindingContext(buffer::ChunkPool& chunk_pool, loop::Driver& loop_driver,
                               BindingHost& binding_host)
    : chunks(chunk_pool),
      driver(loop_driver),
      host(binding_host),
      messages(std::make_unique<MessageBoxes>()) {}

BindingContext::~BindingContext() = default;

void BindingContext::end_messages() { messages->end_all(); }

void push_error(lua_State* L, const Error& error, std::string_view endpoint) {
  lua_createtable(L, 0, 4);
  set_text(L, "code", code_name(error.code));
  set_text(L, "side", side_name(error.side));
  set_text(L, "detail", error.detail.empty() ? code_sentence(error.code) : std::string_view(error.detail));
  if (!endpoint.empty()) set_text(L, "endpoint", endpoint);
  if (luaL_newmetatable(L, error_metatable)) {
    lua_pushcfunction(L, &outcome_function<error_text>);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, &outcome_function<error_concat>);
    lua_setfield(L, -2, "__concat");
    lua_pushliteral(L, "error");
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
}

void bind_library(lua_State* L, BindingContext& context) {
  bind_data(L, context);
  bind_message(L, context);
  bind_json(L, context);
  bind_url(L, context);
  bind_codec(L, context);
  bind_time(L, context);
  bind_file(L, context);
  bind_log(L, context);
  bind_os(L, context);
  bind_algo(L, context);
  bind_stats(L, context);
}

}  // namespace perilune::script
