#include "script/message_box.hpp"

namespace perilune::script {

void MessageBoxes::create_anchors(lua_State* L) {
  lua_newtable(L);
  anchors_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void MessageBoxes::release_message(flow::Message& message) {
  const auto slot = static_cast<uint32_t>(message.script_reference - 1);
  message.script_reference = 0;
  message.script_owner = nullptr;
  Slot& mine = slots_[slot];
  mine.message = nullptr;
  for (MessageBox*& part : mine.parts) {
    if (part) part->message = nullptr;
    part = nullptr;
  }
  mine.is_kept[0] = mine.is_kept[1] = false;
  free_.push_back(slot);
}

void MessageBoxes::end_all() {
  for (Slot& slot : slots_)
    if (slot.message) release_message(*slot.message);
}

MessageBox* MessageBoxes::make(lua_State* L, const BindingContext& context, uint32_t slot, MessagePart part) {
  const int metatable = part == MessagePart::Message ? context.message_metatable : context.headers_metatable;
  auto* box = new_userdata<MessageBox>(L, metatable, *slots_[slot].message, part, slot);
  push_anchors(L);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, anchor(slot, static_cast<int>(part)));
  lua_pop(L, 1);
  slots_[slot].parts[static_cast<size_t>(part)] = box;
  return box;
}

void MessageBoxes::push(lua_State* L, const BindingContext& context, flow::Message& message) {
  if (message.script_reference != 0) {
    PERILUNE_EXPECT(message.script_owner == this, "a message is shown to scripts by one worker");
    push_anchors(L);
    lua_rawgeti(L, -1, anchor(static_cast<uint32_t>(message.script_reference - 1), 0));
    lua_remove(L, -2);
    return;
  }
  if (free_.empty()) {
    slots_.emplace_back();
    // Room for every slot, so that giving one back never allocates.
    free_.reserve(slots_.capacity());
    free_.push_back(static_cast<uint32_t>(slots_.size() - 1));
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  slots_[slot].message = &message;
  message.script_reference = static_cast<int>(slot) + 1;
  message.script_owner = this;
  make(L, context, slot, MessagePart::Message);
}

void MessageBoxes::push_part(lua_State* L, const BindingContext& context, const MessageBox& box,
                             MessagePart part, int anchors) {
  if (box.owns) new_userdata<MessageBox>(L, context.headers_metatable, Ref<flow::Message>(box.message), part);
  else if (slots_[box.slot].parts[static_cast<size_t>(part)])
    lua_rawgeti(L, anchors, anchor(box.slot, static_cast<int>(part)));
  else make(L, context, box.slot, part);
}

bool MessageBoxes::push_kept(lua_State* L, const MessageBox& box, Kept key, std::string_view source) {
  if (box.owns) return false;
  const auto place = static_cast<size_t>(key);
  const Slot& slot = slots_[box.slot];
  if (!slot.is_kept[place] || slot.sources[place] != source) return false;
  push_anchors(L);
  lua_rawgeti(L, -1, anchor(box.slot, 3 + static_cast<int>(place)));
  lua_remove(L, -2);
  return true;
}

void MessageBoxes::keep(lua_State* L, const MessageBox& box, Kept key, std::string_view source) {
  if (box.owns) return;
  const auto place = static_cast<size_t>(key);
  push_anchors(L);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, anchor(box.slot, 3 + static_cast<int>(place)));
  lua_pop(L, 1);
  slots_[box.slot].sources[place].assign(source);
  slots_[box.slot].is_kept[place] = true;
}

message::Headers* section_of(const MessageBox& box) {
  if (box.part == MessagePart::Trailers)
    return box.message->trailers ? &box.message->trailers->headers : nullptr;
  return &box.message->head->headers;
}

const char* why_read_only(const flow::Message& message) {
  return message.is_read_only
             ? "this message is read-only: its head was sent already, or it is the static Message of a filter"
             : nullptr;
}

void push_message(lua_State* L, BindingContext& context, flow::Message& message) {
  context.messages->push(L, context, message);
}

void push_made_message(lua_State* L, BindingContext& context, Ref<flow::Message> message) {
  note_outside_bytes(L, context, 512 + message->body.size());
  new_userdata<MessageBox>(L, context.message_metatable, std::move(message), MessagePart::Message);
}

Ref<flow::Message> to_message(lua_State* L, int index) {
  const auto* box = test_userdata<MessageBox>(L, index);
  if (!box || box->part != MessagePart::Message) return {};
  return Ref<flow::Message>(&message_of(L, *box));
}

}  // namespace perilune::script
