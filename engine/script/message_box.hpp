#pragma once

#include <string>
#include <vector>

#include "script/stack.hpp"

namespace perilune::script {

/// What a userdata shows of its message.
enum class MessagePart : uint8_t { Message, Headers, Trailers };

/// What the userdata of a message, of its headers and of its trailers hold. A message that a script made is
/// owned by each of its boxes; one of the engine is borrowed, and null once it is over.
struct MessageBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  flow::Message* message;
  /// Of a borrowed message: its place in MessageBoxes. None for one that is owned.
  uint32_t slot;
  /// Of a borrowed message: which user of its place it is.
  uint32_t generation;
  MessagePart part;
  bool owns;

  MessageBox(flow::Message& shown, MessagePart shown_part, uint32_t its_slot, uint32_t its_generation)
      : message(&shown), slot(its_slot), generation(its_generation), part(shown_part), owns(false) {}
  MessageBox(Ref<flow::Message> made, MessagePart shown_part)
      : message(made.detach()), slot(UINT32_MAX), generation(0), part(shown_part), owns(true) {}
  MessageBox(const MessageBox&) = delete;
  MessageBox& operator=(const MessageBox&) = delete;
  ~MessageBox() {
    if (owns && message) message->drop_reference();
  }
};

/// The engine's messages that scripts hold: finds the userdata again that stands for one, and cuts it off
/// when the message ends, without a call to Lua. The userdata are anchored in the registry, a few references
/// for each slot; a slot that is free keeps what it had until it is used again.
class MessageBoxes final : public flow::Message::ScriptOwner {
 public:
  ~MessageBoxes() { end_all(); }
  void release_message(flow::Message& message) override;
  /// For the end of the Lua state: all are over.
  void end_all();
  /// Leaves what free slots keep to Lua's collector.
  void drop_idle(lua_State* L);
  size_t alive() const { return slots_.size() - free_.size(); }

  void push(lua_State* L, const BindingContext& context, flow::Message& message);
  /// The message in a slot; null when that user of the slot is over.
  flow::Message* find(uint32_t slot, uint32_t generation) const {
    return slot < slots_.size() && slots_[slot].generation == generation ? slots_[slot].message : nullptr;
  }
  /// The headers of the message in a slot; raises when that user of the slot is over.
  void push_headers(lua_State* L, const BindingContext& context, uint32_t slot, uint32_t generation);
  /// Headers or trailers of a box.
  void push_part(lua_State* L, const BindingContext& context, const MessageBox& box, MessagePart part);
  /// Pushes the table made of `source` the last time under this key, or returns false: it must be made and
  /// kept. Only borrowed messages keep tables.
  enum class Kept : uint8_t { Query, Cookies };
  bool push_kept(lua_State* L, const MessageBox& box, Kept key, std::string_view source);
  /// Keeps the table at the top of the stack.
  void keep(lua_State* L, const MessageBox& box, Kept key, std::string_view source);

 private:
  struct Slot {
    flow::Message* message = nullptr;
    uint32_t generation = 0;
    MessageBox* parts[3] = {};
    int anchors[5] = {LUA_NOREF, LUA_NOREF, LUA_NOREF, LUA_NOREF,
                      LUA_NOREF};  // of the parts, and what is kept
    std::string sources[2];
    bool is_kept[2] = {};
  };
  static size_t place_of(MessagePart part) { return static_cast<size_t>(part); }
  static size_t place_of(Kept key) { return 3 + static_cast<size_t>(key); }
  void push_anchored(lua_State* L, uint32_t slot, size_t place) const {
    lua_rawgeti(L, LUA_REGISTRYINDEX, slots_[slot].anchors[place]);
  }
  void anchor_top(lua_State* L, uint32_t slot, size_t place);
  MessageBox* make(lua_State* L, const BindingContext& context, uint32_t slot, MessagePart part);

  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  bool may_drop_ = false;  // a slot became free since drop_idle()
};

constexpr const char* message_is_over = "this message is over: copy what you need while its exchange lasts";
/// The message of a box, for a bound function. Raises when it is over.
inline flow::Message& message_of(lua_State* L, const MessageBox& box) {
  if (!box.message) raise(L, message_is_over);
  return *box.message;
}
/// The section that a box of headers or trailers shows; null when the trailers are gone.
message::Headers* section_of(const MessageBox& box);
/// Of a request's path.
inline std::string_view pathname_of(std::string_view path) { return path.substr(0, path.find('?')); }
/// Why scripts may not change it; null when they may.
const char* why_read_only(const flow::Message& message);

/// Pushes a message that a script made.
void push_made_message(lua_State* L, BindingContext& context, Ref<flow::Message> message);

/// Takes the metatable of boxes from the top of the stack, and makes the one for boxes that own.
BindingContext::BoxMetatables ref_box_metatables(lua_State* L, BindingContext& context, const char* prefix);

/// Which upvalue of the headers' __index holds their methods.
constexpr int headers_methods_upvalue = 3;

// The parts of bind_message, a file each.
void bind_headers(lua_State* L, BindingContext& context);  // the metatable of headers
Outcome make_message(lua_State* L);                        // Message{…}
Outcome set_cookie(lua_State* L);                          // res:setCookie(name, value, options)
void push_query(lua_State* L, BindingContext& context, const MessageBox& box);
void push_cookies(lua_State* L, BindingContext& context, const MessageBox& box);

/// Fills `section` from the table at `index`: strings, numbers, or lists of them. Returns what is wrong.
std::optional<std::string> read_headers(lua_State* L, int index, message::Headers& section);
/// Checks a field that a script sets; `id` is its name's. Returns what is wrong.
std::optional<std::string> check_field(std::string_view name, std::string_view value, message::Name id);
/// Brings the value at `index` (string, Data, function, nil) in as the body. Returns what is wrong.
std::optional<std::string> assign_body(lua_State* L, BindingContext& context, int index,
                                       flow::Message& message);
std::optional<std::string> check_method(std::string_view method);
std::optional<std::string> check_path(std::string_view path);
std::optional<std::string> check_status(lua_State* L, int index);
std::optional<std::string> check_reason(std::string_view reason);

}  // namespace perilune::script
