#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/surplus.hpp"

namespace perilune::script {

/// The memory of one Lua state. Small blocks go into lists by size and are taken from there, in a few
/// instructions; the rest is the C library's. LuaJIT's own allocator is as quick, but keeps whole segments
/// for one object that lives on in them: after a busy time tens of megabytes for some hundred kilobytes.
///
/// The first blocks are cut from one piece that is kept for as long as the heap: a state begins with
/// thousands of objects that stay to its end, and none of these is asked from the C library, nor given back,
/// by itself.
class LuaHeap {
 public:
  explicit LuaHeap(size_t first_bytes = 0);
  LuaHeap(const LuaHeap&) = delete;
  LuaHeap& operator=(const LuaHeap&) = delete;
  ~LuaHeap();

  /// A lua_Alloc; `heap` is a LuaHeap.
  static void* allocate(void* heap, void* block, size_t old_bytes, size_t bytes);
  /// Gives small blocks back that nobody needed since the last call; returns their bytes.
  size_t give_back_surplus();
  /// To be told before the state is closed: what is freed from now on is not kept for reuse.
  void close() { is_closing_ = true; }

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
  /// From what is left of the first piece, or from the C library.
  void* make(size_t bytes);
  bool is_in_first(const void* block) const {
    return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(first_.get()) < first_bytes_;
  }
  void give_back(void* block, size_t bytes);
  /// Frees as many of a list; those of the first piece stay.
  size_t drop(size_t list, size_t count);

  std::array<List, (small_bytes_max + 7) / 16 + 1> lists_;
  size_t first_bytes_;
  size_t first_used_ = 0;
  std::unique_ptr<std::byte[]> first_;
  bool is_closing_ = false;
};

}  // namespace perilune::script
