#include <gtest/gtest.h>

#include <string>

#include "buffer/buffer.hpp"

namespace perilune::buffer {
namespace {

Slice slice_of(std::string_view text, ChunkPool& pool) { return buffer_of(text, pool).take_slice(); }

TEST(AppendCompact, CopiesSmallSlicesIntoOneChunk) {
  ChunkPool pool(64);
  {
    Buffer buffer;
    std::string expected;
    for (int i = 0; i < 100; ++i) {
      const std::string text(1, static_cast<char>('a' + i % 26));
      Chunk* const own = pool.take();
      own->data()[0] = text[0];
      own->used = 64;  // full for others: nobody may write behind the slice
      buffer.append_compact(Slice(own, 0, 1), pool);
      drop(own);
      expected += text;
    }
    EXPECT_EQ(buffer.to_string(), expected);
    EXPECT_EQ(buffer.size(), 100u);
    // The first slice is kept by reference, 99 bytes lie in chunks of 64.
    EXPECT_EQ(buffer.slices().size(), 3u);
    EXPECT_EQ(pool.alive(), 3u);
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(AppendCompact, DoesNotWriteIntoAChunkThatOthersHold) {
  ChunkPool pool(64);
  {
    Buffer buffer;
    buffer.append_compact(slice_of("first", pool), pool);
    buffer.append_compact(slice_of("x", pool), pool);
    const Slice other = slice_of("other", pool);
    buffer.append_compact(slice_of("y", pool), pool);
    EXPECT_EQ(buffer.to_string(), "firstxy");
    EXPECT_EQ(other.view(), "other");
    const Buffer copy = buffer;
    buffer.append_compact(slice_of("z", pool), pool);
    EXPECT_EQ(buffer.to_string(), "firstxyz");
    EXPECT_EQ(copy.to_string(), "firstxy");
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(AppendCompact, KeepsLargeSlicesByReference) {
  ChunkPool pool(8192);
  {
    Buffer buffer;
    buffer.append_compact(slice_of("a", pool), pool);
    const Slice large = slice_of(std::string(4000, 'b'), pool);
    buffer.append_compact(large, pool);
    EXPECT_EQ(buffer.size(), 4001u);
    EXPECT_EQ(buffer.slices().back().data() + buffer.slices().back().size(), large.data() + large.size());
  }
  EXPECT_EQ(pool.alive(), 0u);
}

}  // namespace
}  // namespace perilune::buffer
