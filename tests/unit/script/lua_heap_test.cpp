#include "script/lua_heap.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace perilune::script {
namespace {

struct Block {
  unsigned char* memory;
  size_t bytes;
  unsigned char mark;
};

// Without a first piece, with one that is full soon, and with one for all.
class LuaHeapFirstTest : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Bytes, LuaHeapFirstTest, testing::Values(0, 1000, 60000, 8 << 20));

TEST_P(LuaHeapFirstTest, BlocksKeepWhatIsInThemHoweverTheyGrowAndShrink) {
  LuaHeap heap(GetParam());
  std::mt19937 random(7);
  std::vector<Block> blocks;
  const auto check = [](const Block& block, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(block.memory[i], block.mark);
  };
  for (int i = 0; i < 20000; ++i) {
    const size_t bytes = 1 + random() % (random() % 4 == 0 ? 2000 : 300);
    if (blocks.size() < 50 || random() % 3 == 0) {
      auto* memory = static_cast<unsigned char*>(LuaHeap::allocate(&heap, nullptr, 0, bytes));
      blocks.push_back({memory, bytes, static_cast<unsigned char>(i)});
      std::memset(memory, blocks.back().mark, bytes);
      continue;
    }
    Block& block = blocks[random() % blocks.size()];
    if (random() % 2 == 0) {
      block.memory = static_cast<unsigned char*>(LuaHeap::allocate(&heap, block.memory, block.bytes, bytes));
      check(block, std::min(block.bytes, bytes));
      block.bytes = bytes;
      std::memset(block.memory, block.mark, bytes);
    } else {
      check(block, block.bytes);
      EXPECT_EQ(LuaHeap::allocate(&heap, block.memory, block.bytes, 0), nullptr);
      std::swap(block, blocks.back());
      blocks.pop_back();
    }
    if (i % 1000 == 0) heap.give_back_surplus();
    if (i == 19000) heap.close();
  }
  for (const Block& block : blocks) {
    check(block, block.bytes);
    LuaHeap::allocate(&heap, block.memory, block.bytes, 0);
  }
}

TEST(LuaHeapTest, WhatNobodyNeededGoesBackAtTheSecondLook) {
  LuaHeap heap;
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(LuaHeap::allocate(&heap, nullptr, 0, 40));
  for (void* block : blocks) LuaHeap::allocate(&heap, block, 40, 0);
  heap.give_back_surplus();
  EXPECT_EQ(heap.give_back_surplus(), 100u * 40);
  EXPECT_EQ(heap.give_back_surplus(), 0u);
}

TEST(LuaHeapTest, WhatIsOfTheFirstPieceStaysForReuse) {
  LuaHeap heap(40);
  void* const first = LuaHeap::allocate(&heap, nullptr, 0, 40);
  void* const other = LuaHeap::allocate(&heap, nullptr, 0, 40);
  for (void* block : {first, other}) LuaHeap::allocate(&heap, block, 40, 0);
  heap.give_back_surplus();
  EXPECT_EQ(heap.give_back_surplus(), 40u);
  EXPECT_EQ(LuaHeap::allocate(&heap, nullptr, 0, 40), first);
  LuaHeap::allocate(&heap, first, 40, 0);
}

TEST(LuaHeapTest, WhatIsOfTheFirstPieceDoesNotHideTheRest) {
  LuaHeap heap(400);
  std::vector<void*> blocks;
  const auto take = [&](size_t count) {
    while (blocks.size() < count) blocks.push_back(LuaHeap::allocate(&heap, nullptr, 0, 40));
  };
  const auto give_back = [&] {  // those of the first piece last, so that they are the first ones kept
    while (!blocks.empty()) {
      LuaHeap::allocate(&heap, blocks.back(), 40, 0);
      blocks.pop_back();
    }
  };
  take(20);
  give_back();
  heap.give_back_surplus();
  take(15);
  give_back();
  EXPECT_EQ(heap.give_back_surplus(), 5u * 40);
  EXPECT_EQ(heap.give_back_surplus(), 5u * 40);
}

TEST(LuaHeapTest, NothingForNothing) {
  LuaHeap heap;
  EXPECT_EQ(LuaHeap::allocate(&heap, nullptr, 0, 0), nullptr);
}

}  // namespace
}  // namespace perilune::script
