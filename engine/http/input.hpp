#pragma once

#include <utility>

#include "buffer/buffer.hpp"

namespace perilune::http {

/// Bytes fed and not yet read. The slice that is read next stands by itself, so that the usual case, one
/// slice fed and read at once, needs no array.
class Input {
 public:
  void feed(buffer::Slice bytes) {
    if (bytes.empty()) return;
    if (rest_.empty() && front_.empty()) front_ = std::move(bytes);
    else if (rest_.empty() && front_.continues_with(bytes)) front_.extend(bytes.size());
    else rest_.append(std::move(bytes));
  }

  /// Makes front() the next bytes; false when there are none.
  bool refill() {
    if (!front_.empty()) return true;
    if (rest_.empty()) return false;
    front_ = rest_.take_slice();
    return true;
  }
  const buffer::Slice& front() const { return front_; }

  /// Takes up to `count` bytes that lie together; only after refill().
  buffer::Slice take(uint64_t count) {
    if (count >= front_.size()) return std::exchange(front_, {});
    return front_.take_front(static_cast<size_t>(count));
  }
  void drop(size_t count) {
    if (count >= front_.size()) front_ = {};
    else front_.drop_front(count);
  }

  size_t size() const { return front_.size() + rest_.size(); }
  bool empty() const { return size() == 0; }
  buffer::Buffer take_all() {
    buffer::Buffer all;
    all.append(std::exchange(front_, {}));
    all.append(std::exchange(rest_, {}));
    return all;
  }
  void release_memory() {
    if (empty()) rest_.release_memory();
  }

 private:
  buffer::Slice front_;
  buffer::Buffer rest_;
};

}  // namespace perilune::http
