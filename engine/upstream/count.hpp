#pragma once

#include <atomic>
#include <cstdint>

namespace perilune::upstream {

/// A number that one worker writes and any thread may read.
class Count {
 public:
  void add(uint64_t amount = 1) { value_.store(get() + amount, std::memory_order_relaxed); }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace perilune::upstream
