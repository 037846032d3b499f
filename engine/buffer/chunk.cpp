#include "buffer/chunk.hpp"

#include <new>

#include "base/expect.hpp"

namespace perilune::buffer {

ChunkPool::~ChunkPool() {
  if (shared_) drop(shared_);
  PERILUNE_EXPECT(alive_ == 0, "every chunk is back when its pool ends");
  free_idle(idle_);
}

void ChunkPool::free_idle(size_t count) {
  for (; count > 0; --count, --idle_) ::operator delete(std::exchange(free_, free_->next_free));
}

Chunk* ChunkPool::take() {
  Chunk* chunk = free_;
  if (chunk) {
    free_ = chunk->next_free;
    surplus_.note_taken(--idle_);
  } else {
    chunk = new (::operator new(sizeof(Chunk) + chunk_bytes_)) Chunk{};
    chunk->pool = this;
    chunk->capacity = static_cast<uint32_t>(chunk_bytes_);
  }
  chunk->references = 1;
  chunk->used = 0;
  ++alive_;
  return chunk;
}

Chunk* ChunkPool::renew_shared(size_t bytes_min) {
  PERILUNE_EXPECT(bytes_min <= chunk_bytes_, "no more is asked for than a chunk holds");
  if (shared_ && shared_->references == 1) {
    // Nobody shows its bytes any more: its room is free again.
    shared_->used = 0;
    return shared_;
  }
  if (shared_) drop(shared_);
  shared_ = take();
  return shared_;
}

void ChunkPool::give_back(Chunk* chunk) {
  --alive_;
  if (idle_ >= idle_max_) {
    ::operator delete(chunk);
    return;
  }
  chunk->next_free = free_;
  free_ = chunk;
  ++idle_;
}

Slice Slice::take_front(size_t count) {
  Slice front = sub(0, count);
  drop_front(count);
  return front;
}

}  // namespace perilune::buffer
