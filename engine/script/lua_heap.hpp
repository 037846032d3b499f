#pragma once

#include <array>
#include <cstddef>

#include "base/surplus.hpp"

namespace perilune::script {

/// The memory of one Lua state. Small blocks go into lists by size and are taken from there, in a few
/// instructions; the rest is the C library's. LuaJIT's own allocator is as quick, but keeps whole segments
/// for one object that lives on in them: after a busy time tens of megabytes for some hundred kilobytes.
class LuaHeap {
 public:
  LuaHeap() = default;
  LuaHeap(const LuaHeap&) = delete;
  LuaHeap& operator=(const LuaHeap&) = delete;
  ~LuaHeap();

  /// A lua_Alloc; `heap` is a LuaHeap.
  static void* allocate(void* heap, void* block, size_t old_bytes, size_t bytes);
  /// Gives small blocks back that nobody needed since the last call; returns their bytes.
  size_t give_back_surplus();

 private:
  struct Free {
    Free* next;
  };
  struct List {
    Free* first = nullptr;
    size_t count = 0;
    Surplus surplus;
  };
  static constexpr size_t small_bytes_max = 264;
  /// Sizes that the C library has without waste: 8 behind a multiple of 16.
  static constexpr size_t list_of(size_t bytes) { return (bytes + 7) / 16; }
  static constexpr size_t bytes_of(size_t list) { return 16 * list + 8; }

  void* take(size_t bytes);
  void give_back(void* block, size_t bytes);
  size_t drop(size_t list, size_t count);

  std::array<List, (small_bytes_max + 7) / 16 + 1> lists_;
};

}  // namespace perilune::script
