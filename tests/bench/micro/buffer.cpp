#include "buffer/buffer.hpp"

#include <array>

#include "measure.hpp"

namespace perilune::bench {
namespace {

using buffer::Buffer;
using buffer::Slice;

constexpr size_t gathered_max = 64;

/// `slices` pieces that do not lie together, so that each stays a slice of its own.
Buffer apart(size_t slices, buffer::ChunkPool& pool) {
  const Buffer text = buffer::buffer_of(std::string(2 * slices, 'x'), pool);
  Buffer pieces;
  for (size_t i = 0; i < slices; ++i) pieces.append(text.slices()[0].sub(2 * i, 1));
  return pieces;
}

void buffer_append_take(benchmark::State& state) {
  buffer::ChunkPool pool;
  const Buffer pieces = apart(static_cast<size_t>(state.range(0)), pool);
  Buffer queue;
  measure(state, [&] {
    for (const Slice& piece : pieces.slices()) queue.append(piece);
    while (!queue.empty()) benchmark::DoNotOptimize(queue.take_slice());
  });
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(buffer_append_take)->ArgName("slices")->Arg(1)->Arg(4)->Arg(64);

void buffer_append_joined(benchmark::State& state) {
  buffer::ChunkPool pool;
  const auto bytes = static_cast<size_t>(state.range(0));
  const Buffer body = buffer::buffer_of(std::string(bytes, 'x'), pool);
  const std::string head(200, 'h');
  Buffer out;
  measure(state, [&] {
    out.write(head, pool);
    out.append_joined(body.slices()[0]);
    benchmark::DoNotOptimize(out.slices().size());
    out.clear();
  });
}
BENCHMARK(buffer_append_joined)->ArgName("bytes")->Arg(16)->Arg(256)->Arg(8192);

void buffer_write(benchmark::State& state) {
  buffer::ChunkPool pool;
  const std::string text(static_cast<size_t>(state.range(0)), 'x');
  Buffer out;
  measure(state, [&] {
    out.write(text, pool);
    benchmark::DoNotOptimize(out.size());
    out.clear();
  });
  show_bytes(state, text.size());
}
BENCHMARK(buffer_write)->ArgName("bytes")->Arg(16)->Arg(256)->Arg(4096);

void buffer_describe(benchmark::State& state) {
  buffer::ChunkPool pool;
  const Buffer queue = apart(static_cast<size_t>(state.range(0)), pool);
  std::array<iovec, gathered_max> entries{};
  measure(state, [&] {
    benchmark::DoNotOptimize(queue.describe(entries));
    benchmark::ClobberMemory();
  });
}
BENCHMARK(buffer_describe)->ArgName("slices")->Arg(1)->Arg(4)->Arg(64);

}  // namespace
}  // namespace perilune::bench
