#include "script/message_box.hpp"

#include <utility>

namespace perilune::script {

/// Anchors what is at the top of the stack, which stays there.
void MessageBoxes::anchor_top(lua_State* L, uint32_t slot, size_t place) {
  int& anchor = slots_[slot].anchors[place];
  lua_pushvalue(L, -1);
  if (anchor == LUA_NOREF) anchor = luaL_ref(L, LUA_REGISTRYINDEX);
  else lua_rawseti(L, LUA_REGISTRYINDEX, anchor);
}

void MessageBoxes::release_message(flow::Message& message) {
  const auto slot = static_cast<uint32_t>(message.script_reference - 1);
  message.script_reference = 0;
  message.script_owner = nullptr;
  Slot& mine = slots_[slot];
  mine.message = nullptr;
  ++mine.generation;
  for (MessageBox*& part : mine.parts) {
    if (part) part->message = nullptr;
    part = nullptr;
  }
  mine.is_kept[0] = mine.is_kept[1] = false;
  free_.push_back(slot);
  may_drop_ = true;
}

void MessageBoxes::drop_idle(lua_State* L) {
  if (!std::exchange(may_drop_, false)) return;
  for (const uint32_t slot : free_) {
    for (const int anchor : slots_[slot].anchors) {
      if (anchor == LUA_NOREF) continue;
      lua_pushboolean(L, false);
      lua_rawseti(L, LUA_REGISTRYINDEX, anchor);
    }
    for (std::string& source : slots_[slot].sources) source = std::string();
  }
}

void MessageBoxes::end_all() {
  for (Slot& slot : slots_)
    if (slot.message) release_message(*slot.message);
}

MessageBox* MessageBoxes::make(lua_State* L, const BindingContext& context, uint32_t slot, MessagePart part) {
  const auto& metatables =
      part == MessagePart::Message ? context.message_metatables : context.headers_metatables;
  auto* box = new_userdata<MessageBox>(L, metatables.borrowed, *slots_[slot].message, part, slot,
                                       slots_[slot].generation);
  anchor_top(L, slot, place_of(part));
  slots_[slot].parts[place_of(part)] = box;
  return box;
}

void MessageBoxes::push(lua_State* L, const BindingContext& context, flow::Message& message) {
  if (message.script_reference != 0) {
    PERILUNE_EXPECT(message.script_owner == this, "a message is shown to scripts by one worker");
    return push_anchored(L, static_cast<uint32_t>(message.script_reference - 1),
                         place_of(MessagePart::Message));
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

void MessageBoxes::push_headers(lua_State* L, const BindingContext& context, uint32_t slot,
                                uint32_t generation) {
  if (!find(slot, generation)) raise(L, message_is_over);
  push_part(L, context, *slots_[slot].parts[place_of(MessagePart::Message)], MessagePart::Headers);
}

void MessageBoxes::push_part(lua_State* L, const BindingContext& context, const MessageBox& box,
                             MessagePart part) {
  if (box.owns)
    new_userdata<MessageBox>(L, context.headers_metatables.owned, Ref<flow::Message>(box.message), part);
  else if (slots_[box.slot].parts[place_of(part)]) push_anchored(L, box.slot, place_of(part));
  else make(L, context, box.slot, part);
}

bool MessageBoxes::push_kept(lua_State* L, const MessageBox& box, Kept key, std::string_view source) {
  if (box.owns) return false;
  const auto index = static_cast<size_t>(key);
  const Slot& slot = slots_[box.slot];
  if (!slot.is_kept[index] || slot.sources[index] != source) return false;
  push_anchored(L, box.slot, place_of(key));
  return true;
}

void MessageBoxes::keep(lua_State* L, const MessageBox& box, Kept key, std::string_view source) {
  if (box.owns) return;
  const auto index = static_cast<size_t>(key);
  anchor_top(L, box.slot, place_of(key));
  slots_[box.slot].sources[index].assign(source);
  slots_[box.slot].is_kept[index] = true;
}

BindingContext::BoxMetatables ref_box_metatables(lua_State* L, BindingContext& context, const char* prefix) {
  lua_newtable(L);
  lua_pushnil(L);
  while (lua_next(L, -3) != 0) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  add_functions(L, context, prefix, {{"__gc(box)", &destroy_userdata<MessageBox>}});
  BindingContext::BoxMetatables metatables;
  metatables.owned = luaL_ref(L, LUA_REGISTRYINDEX);
  metatables.borrowed = luaL_ref(L, LUA_REGISTRYINDEX);
  return metatables;
}

message::Headers* section_of(const MessageBox& box) {
  if (box.part == MessagePart::Trailers)
    return box.message->trailers ? &box.message->trailers->headers : nullptr;
  return &box.message->head->headers;
}

const char* why_read_only(const flow::Message& message) {
  return message.is_read_only
             ? "this message is read-only: its head was sent already, its exchange is over, or "
               "it is the static Message of a filter; Message { … } makes another"
             : nullptr;
}

void push_message(lua_State* L, BindingContext& context, flow::Message& message) {
  context.messages->push(L, context, message);
}

void push_made_message(lua_State* L, BindingContext& context, Ref<flow::Message> message) {
  note_outside_bytes(L, context, 512 + message->body.size());
  new_userdata<MessageBox>(L, context.message_metatables.owned, std::move(message), MessagePart::Message);
}

Ref<flow::Message> to_message(lua_State* L, int index) {
  const auto* box = test_userdata<MessageBox>(L, index);
  if (!box || box->part != MessagePart::Message) return {};
  return Ref<flow::Message>(&message_of(L, *box));
}

}  // namespace perilune::script
