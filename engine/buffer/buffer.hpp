#pragma once

#include <sys/uio.h>

#include <boost/container/small_vector.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "buffer/chunk.hpp"

namespace perilune::buffer {

/// A queue of slices. Appending, taking and splicing move references, never bytes; only `write` copies.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : slices_(std::move(other.slices_)),
        first_(std::exchange(other.first_, 0)),
        size_(std::exchange(other.size_, 0)) {
    other.slices_.clear();
  }
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      slices_ = std::move(other.slices_);
      other.slices_.clear();
      first_ = std::exchange(other.first_, 0);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  Buffer(const Buffer&) = default;
  Buffer& operator=(const Buffer&) = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Adds bytes at the end by reference.
  void append(Slice slice);
  /// Like append, but a few bytes are copied behind the last slice where there is room: a write of one piece
  /// is cheaper than one that gathers two.
  void append_joined(Slice slice);
  void append(Buffer&& other);
  /// Like append, for bytes that may lie here for long: small slices that follow others are copied together,
  /// so that a sender of single bytes does not pin a chunk, and cost a slice, for each.
  void append_compact(Slice slice, ChunkPool& pool);
  /// Adds a copy of `text`, in the free part of the last chunk where it is ours to extend.
  void write(std::string_view text, ChunkPool& pool);
  /// Lets `fill(char* begin)` write up to `bytes_max` bytes that lie together, at least one, and return where
  /// it ended. `bytes_max` is at most the pool's chunk size.
  template <typename Fill>
  void write_in_place(size_t bytes_max, ChunkPool& pool, Fill&& fill) {
    Chunk* chunk = writable(bytes_max, pool);
    const auto count = static_cast<size_t>(fill(chunk->free_begin()) - chunk->free_begin());
    chunk->used += static_cast<uint32_t>(count);
    slices_.back().extend(count);
    size_ += count;
  }

  /// Removes the first slice and returns it; the buffer must not be empty.
  Slice take_slice();
  /// Removes up to `count` bytes from the front and returns them.
  Buffer take(size_t count);
  void drop_front(size_t count);
  void clear();
  /// Gives the slice array back to the heap too: an idle connection keeps nothing.
  void release_memory();

  /// Describes the front of the buffer for a gather-write. Returns how many entries were filled.
  size_t describe(std::span<iovec> entries) const;

  std::string to_string() const;
  std::span<const Slice> slices() const { return {slices_.data() + first_, slices_.size() - first_}; }

 private:
  /// The last slice ends where its chunk's used part ends: nobody has seen what follows, so it is ours to
  /// extend.
  bool is_last_extendable(size_t bytes_min) const {
    const Slice& last = slices_.back();
    return last.offset_ + last.size_ == last.chunk_->used && last.chunk_->free_bytes() >= bytes_min;
  }
  /// Copies `text` behind the last slice, which is extendable by as much.
  void extend_last(std::string_view text);
  /// A chunk with `bytes_min` free bytes where the last slice, possibly a fresh empty one, may be extended.
  Chunk* writable(size_t bytes_min, ChunkPool& pool);

  boost::container::small_vector<Slice, 1> slices_;  // most are one slice
  size_t first_ = 0;
  size_t size_ = 0;
};

/// A buffer that holds a copy of `text`.
Buffer buffer_of(std::string_view text, ChunkPool& pool);

/// Where sockets read to: small reads of one worker share a chunk, one after the other, so that a trickle of
/// bytes does not pin a chunk per read.
class ReadArena {
 public:
  explicit ReadArena(ChunkPool& pool) : pool_(pool) {}
  ReadArena(const ReadArena&) = delete;
  ReadArena& operator=(const ReadArena&) = delete;
  ~ReadArena() { release_memory(); }

  /// Room for a read: the rest of the current chunk, and `more_chunks` whole ones for bulk.
  std::span<const iovec> prepare(size_t more_chunks);
  /// Gives the `count` bytes that the read stored to `take`, a slice at a time. `take` may do anything but
  /// read.
  template <typename Take>
  void commit(size_t count, Take&& take) {
    while (count > 0) take(next_committed(count));
  }
  void release_memory();

 private:
  /// The next slice of what was read; lowers `count` by its size.
  Slice next_committed(size_t& count);

  ChunkPool& pool_;
  std::vector<Chunk*> chunks_;
  std::vector<iovec> entries_;
};

}  // namespace perilune::buffer
