#pragma once

#include <cstddef>
#include <new>
#include <vector>

#include "base/surplus.hpp"

namespace perilune {

/// Memory for objects of one size, kept by their thread for reuse: `operator new` and `delete` of a class
/// whose objects come and go with every request. At most `idle_max` are kept; more go back to the heap, and
/// so does what nobody needs for a while (ThreadPool).
template <typename T, size_t idle_max = 1024>
class PooledMemory {
 public:
  static void* take() {
    FreeList& free = list();
    if (free.blocks.empty()) return ::operator new(sizeof(T));
    void* block = free.blocks.back();
    free.blocks.pop_back();
    free.note_taken();
    return block;
  }
  static void give_back(void* block) {
    auto& free = list().blocks;
    if (free.size() >= idle_max) ::operator delete(block);
    else free.push_back(block);
  }

 private:
  struct FreeList final : ThreadPool {
    FreeList() { blocks.reserve(idle_max); }
    ~FreeList() { drop(blocks.size()); }
    void note_taken() { surplus_.note_taken(blocks.size()); }
    size_t kept() const override { return blocks.size(); }
    void drop(size_t count) override {
      for (; count > 0; --count) {
        ::operator delete(blocks.back());
        blocks.pop_back();
      }
    }
    std::vector<void*> blocks;
  };
  static FreeList& list() {
    thread_local FreeList free;
    return free;
  }
};

/// Gives a final class pooled operator new and delete.
template <typename T>
class Pooled {
 public:
  static void* operator new(size_t) { return PooledMemory<T>::take(); }
  static void operator delete(void* block) { PooledMemory<T>::give_back(block); }
};

}  // namespace perilune
