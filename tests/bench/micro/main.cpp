#include <cstdlib>
#include <new>

#include "measure.hpp"

namespace {
uint64_t allocations = 0;
}

uint64_t perilune::bench::allocation_count() { return allocations; }

// Not inlined: the compiler would see malloc and delete side by side and take it for a mistake.
__attribute__((noinline)) void* operator new(size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// std::stable_sort takes its memory so.
__attribute__((noinline)) void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

BENCHMARK_MAIN();
