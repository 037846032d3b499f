#include "script/lua_heap.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace perilune::script {

// make_unique_for_overwrite: pages that are never used stay the kernel's.
LuaHeap::LuaHeap(size_t first_bytes)
    : first_bytes_(first_bytes), first_(std::make_unique_for_overwrite<std::byte[]>(first_bytes)) {}

LuaHeap::~LuaHeap() {
  for (size_t list = 0; list < lists_.size(); ++list) drop(list, lists_[list].count);
}

void* LuaHeap::allocate(void* heap, void* block, size_t old_bytes, size_t bytes) {
  auto& self = *static_cast<LuaHeap*>(heap);
  if (!block) return bytes > 0 ? self.take(bytes) : nullptr;
  if (bytes == 0) {
    self.give_back(block, old_bytes);
    return nullptr;
  }
  if (std::min(old_bytes, bytes) > small_bytes_max && !self.is_in_first(block))
    return std::realloc(block, bytes);
  if (std::max(old_bytes, bytes) <= small_bytes_max && list_of(old_bytes) == list_of(bytes)) return block;
  void* moved = self.take(bytes);
  if (!moved) return nullptr;
  std::memcpy(moved, block, std::min(old_bytes, bytes));
  self.give_back(block, old_bytes);
  return moved;
}

void* LuaHeap::take(size_t bytes) {
  if (bytes > small_bytes_max) return make(bytes);
  List& list = lists_[list_of(bytes)];
  Free* const block = list.first;
  if (!block) return make(bytes_of(list_of(bytes)));
  list.first = block->next;
  list.surplus.note_taken(--list.count);
  return block;
}

void* LuaHeap::make(size_t bytes) {
  const size_t rounded = (bytes + 7) & ~size_t{7};
  if (first_bytes_ - first_used_ < rounded) return std::malloc(bytes);
  return first_.get() + std::exchange(first_used_, first_used_ + rounded);
}

void LuaHeap::give_back(void* block, size_t bytes) {
  if (bytes > small_bytes_max || is_closing_) {
    if (!is_in_first(block)) std::free(block);
    return;
  }
  List& list = lists_[list_of(bytes)];
  list.first = new (block) Free{list.first};
  ++list.count;
}

size_t LuaHeap::give_back_surplus() {
  size_t bytes = 0;
  for (size_t list = 0; list < lists_.size(); ++list)
    bytes += drop(list, lists_[list].surplus.take(lists_[list].count));
  return bytes;
}

size_t LuaHeap::drop(size_t index, size_t count) {
  List& list = lists_[index];
  size_t dropped = 0;
  for (Free** place = &list.first; *place && dropped < count;) {
    Free* const block = *place;
    if (is_in_first(block)) {
      place = &block->next;
      continue;
    }
    *place = block->next;
    std::free(block);
    ++dropped;
  }
  list.count -= dropped;
  return dropped * bytes_of(index);
}

}  // namespace perilune::script
