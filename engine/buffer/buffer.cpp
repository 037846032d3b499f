#include "buffer/buffer.hpp"

#include <algorithm>
#include <cstring>

namespace perilune::buffer {
namespace {

// Less room than this is not worth a read of its own: the next chunk begins.
constexpr size_t smallest_read = 2048;
// Up to here a text is better in one piece than filling the last bytes of a chunk.
constexpr size_t kept_together = 256;

// Copying these costs less than a second entry of a gather-write.
constexpr size_t joined_up_to = 512;

// Copying these costs less than the chunk that each may pin.
constexpr size_t copied_below = 2048;

}  // namespace

void Buffer::append(Slice slice) {
  if (slice.empty()) return;
  size_ += slice.size();
  if (first_ < slices_.size() && slices_.back().continues_with(slice)) {
    slices_.back().extend(slice.size());
    return;
  }
  if (first_ == slices_.size()) {
    slices_.clear();
    first_ = 0;
  } else if (first_ > 16 && first_ * 2 > slices_.size()) {
    slices_.erase(slices_.begin(), slices_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  slices_.push_back(std::move(slice));
}

void Buffer::append_joined(Slice slice) {
  if (empty() || slice.size() > joined_up_to || !is_last_extendable(slice.size())) append(std::move(slice));
  else extend_last(slice.view());
}

void Buffer::extend_last(std::string_view text) {
  Slice& last = slices_.back();
  std::memcpy(last.chunk_->free_begin(), text.data(), text.size());
  last.chunk_->used += static_cast<uint32_t>(text.size());
  last.extend(text.size());
  size_ += text.size();
}

void Buffer::append(Buffer&& other) {
  if (empty()) {
    *this = std::move(other);
    return;
  }
  for (size_t i = other.first_; i < other.slices_.size(); ++i) append(std::move(other.slices_[i]));
  other.clear();
}

void Buffer::append_compact(Slice slice, ChunkPool& pool) {
  if (empty() || slice.size() >= copied_below || slices_.back().continues_with(slice))
    return append(std::move(slice));
  std::string_view text = slice.view();
  while (!text.empty()) {
    // Room behind what is ours already, or else a chunk of its own: the one that all share would be pinned by
    // what others write to it.
    if (!is_last_extendable(1)) {
      Chunk* chunk = pool.take();
      slices_.push_back(Slice(chunk, 0, 0));
      drop(chunk);
      continue;
    }
    const size_t count = std::min(text.size(), slices_.back().chunk_->free_bytes());
    extend_last(text.substr(0, count));
    text.remove_prefix(count);
  }
}

Chunk* Buffer::writable(size_t bytes_min, ChunkPool& pool) {
  if (first_ < slices_.size()) {
    // A ReadArena may hold the same chunk; it asks for the free part anew before each read.
    if (is_last_extendable(bytes_min)) return slices_.back().chunk_;
  } else {
    slices_.clear();
    first_ = 0;
  }
  Chunk* chunk = pool.shared(bytes_min);
  slices_.push_back(Slice(chunk, chunk->used, 0));
  return chunk;
}

void Buffer::write(std::string_view text, ChunkPool& pool) {
  while (!text.empty()) {
    // A short text is kept together; a long one takes what room there is.
    const size_t wanted = text.size() <= kept_together ? std::min(text.size(), pool.chunk_bytes()) : 1;
    write_in_place(wanted, pool, [&](char* begin) {
      const size_t count = std::min(text.size(), slices_.back().chunk_->free_bytes());
      std::memcpy(begin, text.data(), count);
      text.remove_prefix(count);
      return begin + count;
    });
  }
}

Slice Buffer::take_slice() {
  Slice slice = std::move(slices_[first_++]);
  size_ -= slice.size();
  if (first_ == slices_.size()) {
    slices_.clear();
    first_ = 0;
  }
  return slice;
}

Buffer Buffer::take(size_t count) {
  Buffer front;
  count = std::min(count, size_);
  while (count > 0) {
    if (slices_[first_].size() <= count) {
      count -= slices_[first_].size();
      front.append(take_slice());
    } else {
      front.append(slices_[first_].take_front(count));
      size_ -= count;
      count = 0;
    }
  }
  return front;
}

void Buffer::drop_front(size_t count) {
  count = std::min(count, size_);
  while (count > 0) {
    Slice& slice = slices_[first_];
    if (slice.size() > count) {
      slice.drop_front(count);
      size_ -= count;
      return;
    }
    count -= slice.size();
    take_slice();
  }
}

void Buffer::clear() {
  slices_.clear();
  first_ = 0;
  size_ = 0;
}

void Buffer::release_memory() {
  clear();
  slices_.shrink_to_fit();
}

size_t Buffer::describe(std::span<iovec> entries) const {
  const size_t count = std::min(entries.size(), slices_.size() - first_);
  for (size_t i = 0; i < count; ++i) {
    const Slice& slice = slices_[first_ + i];
    entries[i] = {const_cast<char*>(slice.data()), slice.size()};
  }
  return count;
}

std::string Buffer::to_string() const {
  std::string text;
  text.reserve(size_);
  for (const Slice& slice : slices()) text.append(slice.view());
  return text;
}

Buffer buffer_of(std::string_view text, ChunkPool& pool) {
  Buffer result;
  result.write(text, pool);
  return result;
}

std::span<const iovec> ReadArena::prepare(size_t more_chunks) {
  // When nobody looks at the chunk any more it is filled from its begin again: it is in the cache.
  if (!chunks_.empty() && chunks_.front()->references == 1) chunks_.front()->used = 0;
  if (!chunks_.empty() && chunks_.front()->capacity - chunks_.front()->used < smallest_read &&
      chunks_.front()->used > 0) {
    drop(chunks_.front());
    chunks_.erase(chunks_.begin());
  }
  while (chunks_.size() < more_chunks + 1) chunks_.push_back(pool_.take());
  entries_.clear();
  for (size_t i = 0; i <= more_chunks; ++i)
    entries_.push_back({chunks_[i]->free_begin(), chunks_[i]->free_bytes()});
  return entries_;
}

Slice ReadArena::next_committed(size_t& count) {
  Chunk* chunk = chunks_.front();
  const size_t here = std::min(count, chunk->free_bytes());
  Slice slice(chunk, chunk->used, static_cast<uint32_t>(here));
  chunk->used += static_cast<uint32_t>(here);
  count -= here;
  if (chunk->free_bytes() == 0) {
    chunks_.erase(chunks_.begin());
    drop(chunk);
  }
  return slice;
}

void ReadArena::release_memory() {
  for (Chunk* chunk : chunks_) drop(chunk);
  chunks_.clear();
}

}  // namespace perilune::buffer
