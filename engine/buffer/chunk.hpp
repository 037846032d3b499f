#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/limits.hpp"
#include "base/surplus.hpp"

namespace perilune::buffer {

class ChunkPool;

/// A block of memory of one worker, shared by the slices that point into it and given back to its pool when
/// the last of them goes. `used` grows only: bytes that a slice shows are never written again.
struct Chunk {
  ChunkPool* pool;
  uint32_t references = 0;
  uint32_t used = 0;
  uint32_t capacity;
  Chunk* next_free = nullptr;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  char* free_begin() { return data() + used; }
  size_t free_bytes() const { return capacity - used; }
};

/// The chunks of one worker: a free list with an upper bound, and a count of what is alive.
class ChunkPool {
 public:
  explicit ChunkPool(size_t chunk_bytes = limits::chunk_bytes, size_t idle_max = limits::idle_chunks_max)
      : chunk_bytes_(chunk_bytes), idle_max_(idle_max) {}
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;
  ~ChunkPool();

  /// An empty chunk with one reference, the caller's.
  Chunk* take();
  /// A chunk with at least `bytes_min` free bytes (at most chunk_bytes()) that all writers of the worker fill
  /// one after the other, so that a few bytes written do not cost a chunk. The pool keeps the reference.
  Chunk* shared(size_t bytes_min) {
    return shared_ && shared_->free_bytes() >= bytes_min ? shared_ : renew_shared(bytes_min);
  }
  size_t chunk_bytes() const { return chunk_bytes_; }
  /// Chunks that someone holds; 0 when a worker has ended clean.
  size_t alive() const { return alive_ - (shared_ && shared_->references == 1 ? 1 : 0); }
  size_t idle() const { return idle_; }
  /// Gives idle chunks back to the heap that nobody needed since the last call.
  void give_back_surplus() { free_idle(surplus_.take(idle_)); }

 private:
  friend void drop(Chunk* chunk);
  void give_back(Chunk* chunk);
  void free_idle(size_t count);
  Chunk* renew_shared(size_t bytes_min);

  const size_t chunk_bytes_;
  const size_t idle_max_;
  Chunk* free_ = nullptr;
  Chunk* shared_ = nullptr;
  size_t idle_ = 0;
  Surplus surplus_;
  size_t alive_ = 0;
};

inline void drop(Chunk* chunk) {
  if (--chunk->references == 0) chunk->pool->give_back(chunk);
}

/// A run of bytes inside a chunk: holds the chunk, costs 16 bytes, copies in a few instructions.
class Slice {
 public:
  Slice() = default;
  Slice(Chunk* chunk, uint32_t offset, uint32_t size) : chunk_(chunk), offset_(offset), size_(size) {
    ++chunk_->references;
  }
  Slice(const Slice& other) : chunk_(other.chunk_), offset_(other.offset_), size_(other.size_) {
    if (chunk_) ++chunk_->references;
  }
  Slice(Slice&& other) noexcept
      : chunk_(std::exchange(other.chunk_, nullptr)),
        offset_(other.offset_),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(chunk_, other.chunk_);
    std::swap(offset_, other.offset_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Slice() {
    if (chunk_) drop(chunk_);
  }

  const char* data() const { return chunk_ ? chunk_->data() + offset_ : nullptr; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data(), size_}; }

  /// Cuts the first `count` bytes off and returns them.
  Slice take_front(size_t count);
  void drop_front(size_t count) {
    offset_ += static_cast<uint32_t>(count);
    size_ -= static_cast<uint32_t>(count);
  }
  Slice sub(size_t offset, size_t count) const {
    return {chunk_, offset_ + static_cast<uint32_t>(offset), static_cast<uint32_t>(count)};
  }
  /// True when `next` begins in memory where this one ends, so that one slice can show both.
  bool continues_with(const Slice& next) const {
    return chunk_ == next.chunk_ && offset_ + size_ == next.offset_;
  }
  void extend(size_t count) { size_ += static_cast<uint32_t>(count); }

 private:
  friend class Buffer;
  Chunk* chunk_ = nullptr;
  uint32_t offset_ = 0;
  uint32_t size_ = 0;
};

}  // namespace perilune::buffer
