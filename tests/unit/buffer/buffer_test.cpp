#include "buffer/buffer.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace perilune::buffer {
namespace {

Slice whole(std::string_view text, ChunkPool& pool) {
  Chunk* chunk = pool.take();
  std::memcpy(chunk->data(), text.data(), text.size());
  chunk->used = static_cast<uint32_t>(text.size());
  Slice slice(chunk, 0, chunk->used);
  drop(chunk);
  return slice;
}

TEST(ChunkPool, ReusesUpToItsBound) {
  ChunkPool pool(64, 2);
  Chunk* chunks[3] = {pool.take(), pool.take(), pool.take()};
  EXPECT_EQ(pool.alive(), 3u);
  for (Chunk* chunk : chunks) drop(chunk);
  EXPECT_EQ(pool.alive(), 0u);
  EXPECT_EQ(pool.idle(), 2u);
  Chunk* again = pool.take();
  EXPECT_EQ(again, chunks[1]);
  EXPECT_EQ(again->used, 0u);
  drop(again);
}

TEST(ChunkPoolDeathTest, EndsAfterItsChunks) {
  EXPECT_DEATH(
      {
        ChunkPool pool(64);
        pool.take();
      },
      "every chunk is back");
}

TEST(Slices, ShareAndSplit) {
  ChunkPool pool(64);
  {
    Slice all = whole("hello world", pool);
    const Slice copy = all;
    const Slice front = all.take_front(5);
    EXPECT_EQ(front.view(), "hello");
    EXPECT_EQ(all.view(), " world");
    EXPECT_TRUE(front.continues_with(all));
    EXPECT_FALSE(all.continues_with(front));
    EXPECT_EQ(copy.sub(6, 5).view(), "world");
    EXPECT_EQ(pool.alive(), 1u);
  }
  EXPECT_EQ(pool.alive(), 0u);
  EXPECT_TRUE(Slice().empty());
  EXPECT_EQ(Slice().view(), "");
}

TEST(Buffers, JoinSlicesThatLieTogether) {
  ChunkPool pool(64);
  Slice all = whole("hello world", pool);
  Buffer buffer;
  buffer.append(all.take_front(5));
  buffer.append(all);
  EXPECT_EQ(buffer.slices().size(), 1u);
  EXPECT_EQ(buffer.to_string(), "hello world");
  buffer.append(Slice());
  EXPECT_EQ(buffer.slices().size(), 1u);
}

TEST(Buffers, WriteExtendsOnlyWhatNobodySaw) {
  ChunkPool pool(64);
  Buffer first;
  first.write("abc", pool);
  Buffer second = first;
  second.write("def", pool);
  first.write("xyz", pool);
  EXPECT_EQ(first.to_string(), "abcxyz");
  EXPECT_EQ(second.to_string(), "abcdef");
}

TEST(Buffers, WritersShareAChunk) {
  ChunkPool pool(64);
  {
    Buffer buffers[8];
    for (Buffer& buffer : buffers) buffer.write("12345678", pool);
    EXPECT_EQ(pool.alive(), 1u);
    for (Buffer& buffer : buffers) EXPECT_EQ(buffer.to_string(), "12345678");
    buffers[0].write("9", pool);
    EXPECT_EQ(pool.alive(), 2u);
  }
  EXPECT_EQ(pool.alive(), 0u);
  // Once nothing shows it, its room is there again.
  for (int i = 0; i < 100; ++i) {
    Buffer buffer;
    buffer.write(std::string(50, 'x'), pool);
    EXPECT_EQ(pool.alive(), 1u);
  }
  EXPECT_LE(pool.idle(), 2u);
}

TEST(Buffers, WriteAcrossChunks) {
  ChunkPool pool(16);
  std::string text;
  for (int i = 0; i < 1000; ++i) text += static_cast<char>('a' + i % 26);
  Buffer buffer;
  buffer.write("0", pool);
  buffer.write(text, pool);
  EXPECT_EQ(buffer.to_string(), "0" + text);
  EXPECT_EQ(buffer.size(), 1001u);
}

TEST(Buffers, WriteInPlaceKeepsTogether) {
  ChunkPool pool(16);
  Buffer buffer;
  const auto put = [](std::string_view text) {
    return [text](char* begin) {
      std::memcpy(begin, text.data(), text.size());
      return begin + text.size();
    };
  };
  buffer.write_in_place(10, pool, put("0123456789"));
  buffer.write_in_place(6, pool, put("ab"));
  EXPECT_EQ(buffer.slices().size(), 1u);
  buffer.write_in_place(6, pool, put("cdefgh"));
  EXPECT_EQ(buffer.slices().size(), 2u);
  EXPECT_EQ(buffer.to_string(), "0123456789abcdefgh");
  EXPECT_EQ(buffer.size(), 18u);
}

TEST(Buffers, TakeSplitsWithoutCopying) {
  ChunkPool pool(64);
  Buffer buffer;
  buffer.append(whole("hello", pool));
  buffer.append(whole("world", pool));
  const char* const place = buffer.slices()[1].data();
  Buffer front = buffer.take(7);
  EXPECT_EQ(front.to_string(), "hellowo");
  EXPECT_EQ(buffer.to_string(), "rld");
  EXPECT_EQ(buffer.slices()[0].data(), place + 2);
  EXPECT_EQ(buffer.take(100).to_string(), "rld");
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(buffer.take(1).empty());
}

TEST(Buffers, MovedFromIsEmpty) {
  ChunkPool pool(64);
  Buffer first = buffer_of("abc", pool);
  Buffer second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
  first.append(whole("x", pool));
  first.append(std::move(second));
  EXPECT_EQ(first.to_string(), "xabc");
  EXPECT_TRUE(second.empty());  // NOLINT(bugprone-use-after-move)
  second = std::move(first);
  EXPECT_EQ(second.to_string(), "xabc");
}

TEST(Buffers, DescribeTheirFront) {
  ChunkPool pool(64);
  Buffer buffer;
  for (const char* text : {"a", "bc", "def"}) buffer.append(whole(text, pool));
  buffer.take_slice();
  iovec entries[4];
  ASSERT_EQ(buffer.describe(entries), 2u);
  EXPECT_EQ(std::string_view(static_cast<char*>(entries[0].iov_base), entries[0].iov_len), "bc");
  EXPECT_EQ(std::string_view(static_cast<char*>(entries[1].iov_base), entries[1].iov_len), "def");
  EXPECT_EQ(buffer.describe({entries, 1}), 1u);
}

/// Many random operations on a buffer and on a string that must stay the same.
TEST(Buffers, BehaveLikeAString) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    ChunkPool pool(32, 4);
    {
      Buffer buffer;
      std::string model;
      for (int step = 0; step < 200; ++step) {
        const std::string text(random() % 40, static_cast<char>('a' + random() % 26));
        const size_t count = random() % 50;
        switch (random() % 6) {
          case 0:
          case 1: buffer.write(text, pool); break;
          case 2: buffer.append(buffer_of(text, pool)); break;
          case 3:
            buffer.drop_front(count);
            model.erase(0, count);
            break;
          case 4:
            ASSERT_EQ(buffer.take(count).to_string(), model.substr(0, count));
            model.erase(0, count);
            break;
          default: {
            Buffer front = buffer.take(count);
            front.append(std::move(buffer));
            buffer = std::move(front);
          }
        }
        if (step >= 0 && model.size() < buffer.size()) model += text;
        ASSERT_EQ(buffer.to_string(), model) << "seed " << seed << " step " << step;
        ASSERT_EQ(buffer.size(), model.size());
      }
    }
    ASSERT_EQ(pool.alive(), 0u);
  }
}

void read_into(ReadArena& arena, Buffer& target, std::string_view text, size_t more_chunks = 0) {
  size_t copied = 0;
  for (const iovec& entry : arena.prepare(more_chunks)) {
    const size_t count = std::min(entry.iov_len, text.size() - copied);
    std::memcpy(entry.iov_base, text.data() + copied, count);
    copied += count;
  }
  ASSERT_EQ(copied, text.size());
  arena.commit(text.size(), [&](Slice slice) { target.append(std::move(slice)); });
}

TEST(ReadArenas, SmallReadsShareAChunk) {
  ChunkPool pool;
  {
    ReadArena arena(pool);
    Buffer first, second;
    for (int i = 0; i < 100; ++i) {
      read_into(arena, first, "abc");
      read_into(arena, second, "de");
    }
    EXPECT_EQ(pool.alive(), 1u);
    EXPECT_EQ(first.size(), 300u);
    EXPECT_TRUE(second.to_string().starts_with("dedede"));
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(ReadArenas, LargeReadsSpanChunks) {
  ChunkPool pool(4096);
  {
    ReadArena arena(pool);
    Buffer target;
    const std::string text = std::string(4096, 'a') + std::string(4096, 'b') + std::string(100, 'c');
    read_into(arena, target, text, 3);
    EXPECT_EQ(target.to_string(), text);
    read_into(arena, target, "next");
    EXPECT_EQ(target.to_string(), text + "next");
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(ReadArenas, AWriteBetweenReadsIsNotOverwritten) {
  ChunkPool pool;
  ReadArena arena(pool);
  Buffer target;
  read_into(arena, target, "read");
  target.write("written", pool);
  read_into(arena, target, "again");
  EXPECT_EQ(target.to_string(), "readwrittenagain");
}

TEST(ReadArenas, AnAnswerWrittenWhileTakingSpoilsNothing) {
  ChunkPool pool(4096);
  {
    ReadArena arena(pool);
    Buffer target;
    std::string text(8000, 'a');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 26);
    size_t copied = 0;
    for (const iovec& entry : arena.prepare(2)) {
      const size_t count = std::min(entry.iov_len, text.size() - copied);
      std::memcpy(entry.iov_base, text.data() + copied, count);
      copied += count;
    }
    std::string expected;
    size_t taken = 0;
    arena.commit(text.size(), [&](Slice slice) {
      expected += text.substr(taken, slice.size()) + "answer";
      taken += slice.size();
      target.append(std::move(slice));
      target.write("answer", pool);
    });
    EXPECT_EQ(target.to_string(), expected);
    read_into(arena, target, "more");
    EXPECT_EQ(target.to_string(), expected + "more");
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(ReadArenas, LittleRoomIsNotReadInto) {
  ChunkPool pool(4096);
  ReadArena arena(pool);
  Buffer target;
  read_into(arena, target, std::string(4000, 'x'));
  EXPECT_EQ(arena.prepare(0).front().iov_len, 4096u);
}

}  // namespace
}  // namespace perilune::buffer
