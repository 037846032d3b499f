#pragma once

#include <algorithm>
#include <cstddef>

namespace perilune {

/// Counts how much of what a pool keeps for reuse nobody asked for, from one look to the next: the pool may
/// give that back, and a steady load never pays for it.
class Surplus {
 public:
  /// To be told whenever something is taken: `left` are kept still.
  void note_taken(size_t left) {
    if (left < least_) least_ = left;
  }
  /// Of the `kept` there are, as many as nobody needed since the last call. The caller gives them back.
  size_t take(size_t kept) {
    const size_t surplus = std::min(least_, kept);
    least_ = kept - surplus;
    return surplus;
  }

 private:
  size_t least_ = 0;
};

/// A free list of one thread that lives as long as the thread. All of a thread are known to
/// give_back_surplus().
class ThreadPool {
 public:
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// Gives back what this thread's free lists did not need since the last call.
  static void give_back_surplus() {
    for (ThreadPool* pool = first(); pool; pool = pool->next_) pool->drop(pool->surplus_.take(pool->kept()));
  }

 protected:
  ThreadPool() : next_(first()) { first() = this; }
  ~ThreadPool() = default;
  virtual size_t kept() const = 0;
  /// Frees `count` of those kept.
  virtual void drop(size_t count) = 0;

  Surplus surplus_;

 private:
  // Threads end after their last call of give_back_surplus(), so nothing has to leave the chain.
  static ThreadPool*& first() {
    thread_local ThreadPool* pool = nullptr;
    return pool;
  }
  ThreadPool* next_;
};

}  // namespace perilune
