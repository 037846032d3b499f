#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace perilune::bench {

/// How often this program took memory by operator new. What Lua takes for its own values is not in it.
uint64_t allocation_count();

/// Repeats `work`, and shows how often each repetition took memory. The first few repetitions, which fill
/// pools and grow what is reused, are not measured.
template <typename Work>
void measure(benchmark::State& state, Work&& work) {
  constexpr int warm_ups = 1024;
  for (int i = 0; i < warm_ups; ++i) work();
  const uint64_t before = allocation_count();
  for (auto _ : state) work();
  state.counters["allocations"] = benchmark::Counter(static_cast<double>(allocation_count() - before),
                                                     benchmark::Counter::kAvgIterations);
}

/// For each repetition, how many bytes went through.
inline void show_bytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(bytes));
}

}  // namespace perilune::bench
