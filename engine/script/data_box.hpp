#pragma once

#include "script/stack.hpp"

namespace perilune::script {

/// What a `Data` userdata holds: immutable bytes. Most have one slice, which is kept without a heap block.
struct DataBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  buffer::Slice first;
  /// Everything when there are several slices; then `first` is empty.
  buffer::Buffer rest;

  explicit DataBox(buffer::Slice slice) : first(std::move(slice)) {}
  explicit DataBox(const buffer::Buffer& bytes) {
    if (bytes.slices().size() == 1) first = bytes.slices()[0];
    else rest = bytes;
  }

  size_t size() const { return first.size() + rest.size(); }
  /// Calls `visit(std::string_view)` for each run of bytes, in order.
  template <typename Visit>
  void each(Visit&& visit) const {
    if (!first.empty()) visit(first.view());
    for (const buffer::Slice& slice : rest.slices()) visit(slice.view());
  }
  void append_to(buffer::Buffer& bytes) const;
};

/// The bytes of a Data or string as one run. Those of a Data in several slices are joined in a string that is
/// pushed on the stack; otherwise nil is pushed, so that one value always stands there. None for other types.
std::optional<std::string_view> contiguous(lua_State* L, int index);

/// Pushes `bytes` as a Lua string.
void push_string(lua_State* L, const buffer::Buffer& bytes);

}  // namespace perilune::script
