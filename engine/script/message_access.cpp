#include "script/message_access.hpp"

#include <algorithm>
#include <cstddef>

#include "base/text.hpp"
#include "script/message_box.hpp"

namespace perilune::script {
namespace {

using message::Name;

// What lua/messages.lua declares to FFI.
struct Text {
  const char* bytes;
  size_t size;
};
static_assert(offsetof(MessageBox, message) == 8 && offsetof(MessageBox, slot) == 16 &&
              offsetof(MessageBox, generation) == 20);
enum Answer : int { elsewhere, found, absent };

// The numbers of fields, in lua/messages.lua too.
enum Field : int { method, path, pathname, scheme, original_path, host };

bool has_upper_case(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// Heads keep these outside of their fields.
bool may_be_kept_apart(std::string_view name) {
  const Name id = message::name_of(name);
  return id == Name::ContentLength || id == Name::Upgrade;
}

int give(std::string_view text, Text* out) {
  *out = {text.data(), text.size()};
  return found;
}

int read_field(const MessageBox* box, int field, Text* out) noexcept {
  const message::RequestHead* head = box->message ? box->message->request() : nullptr;
  if (!head) return elsewhere;
  switch (field) {
    case method: return give(head->method, out);
    case path: return give(head->path, out);
    case pathname: return give(pathname_of(head->path), out);
    case scheme: return give(head->scheme, out);
    case original_path:
      return give(box->message->original_path.empty() ? head->path : box->message->original_path, out);
    case host: return has_upper_case(head->host()) ? elsewhere : give(head->host(), out);
    default: return elsewhere;
  }
}

int read_status(const MessageBox* box) noexcept {
  const message::ResponseHead* head = box->message ? box->message->response() : nullptr;
  return head ? head->status : 0;
}

int read_header(const MessageBoxes* boxes, uint32_t slot, uint32_t generation, const char* name,
                uint32_t name_size, Text* out) noexcept {
  const flow::Message* message = boxes->find(slot, generation);
  if (!message) return elsewhere;
  const std::string_view wanted(name, name_size);
  if (const auto value = message->head->headers.find(wanted)) return give(*value, out);
  return may_be_kept_apart(wanted) ? elsewhere : absent;
}

int set_header(const MessageBoxes* boxes, uint32_t slot, uint32_t generation, const char* name,
               uint32_t name_size, const char* value, uint32_t value_size) noexcept {
  flow::Message* message = boxes->find(slot, generation);
  if (!message || message->is_read_only) return elsewhere;
  const std::string_view field(name, name_size);
  const std::string_view content = trim({value, value_size});
  const Name id = message::name_of(field);
  if (check_field(field, content, id)) return elsewhere;
  message->make_head_own();
  message->head->headers.set(field, content, id);
  return found;
}

/// (slot, generation) → the userdata of the headers, which can do all that headers can.
int headers_box(lua_State* L) {
  const BindingContext& context = context_of(L);
  const auto slot = static_cast<uint32_t>(lua_tonumber(L, 1));
  const auto generation = static_cast<uint32_t>(lua_tonumber(L, 2));
  context.messages->push_headers(L, context, slot, generation);
  return 1;
}

template <typename Function>
void set_address(lua_State* L, const char* name, Function* function) {
  lua_pushlightuserdata(L, reinterpret_cast<void*>(function));
  lua_setfield(L, -2, name);
}

}  // namespace

void bind_message_access(lua_State* L, BindingContext& context) {
  lua_newtable(L);
  add_functions(L, context, "", {{"headers_box(slot, generation)", &headers_box}});
  set_address(L, "read_field", &read_field);
  set_address(L, "read_status", &read_status);
  set_address(L, "read_header", &read_header);
  set_address(L, "set_header", &set_header);
  lua_pushlightuserdata(L, context.messages.get());
  lua_setfield(L, -2, "boxes");
  lua_rawgeti(L, LUA_REGISTRYINDEX, context.message_metatables.borrowed);
  lua_setfield(L, -2, "message_metatable");
  lua_rawgeti(L, LUA_REGISTRYINDEX, context.headers_metatables.borrowed);
  lua_getfield(L, -1, "__index");
  lua_getupvalue(L, -1, headers_methods_upvalue);
  lua_setfield(L, -4, "headers_methods");
  lua_pop(L, 1);
  lua_setfield(L, -2, "headers_metatable");
  lua_setfield(L, -2, "message_access");
}

}  // namespace perilune::script
