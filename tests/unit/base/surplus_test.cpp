#include "base/surplus.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/pooled.hpp"

namespace perilune {
namespace {

TEST(Surplus, IsWhatNobodyNeededSinceTheLastLook) {
  Surplus surplus;
  EXPECT_EQ(surplus.take(10), 0u) << "it came to be kept since";
  surplus.note_taken(6);
  surplus.note_taken(4);
  EXPECT_EQ(surplus.take(10), 4u);
  EXPECT_EQ(surplus.take(6), 6u) << "nothing was taken";
  EXPECT_EQ(surplus.take(0), 0u);
}

TEST(Surplus, IsNeverMoreThanWhatIsKept) {
  Surplus surplus;
  surplus.take(10);
  EXPECT_EQ(surplus.take(3), 3u);
}

struct Thing final : Pooled<Thing> {
  char bytes[100];
};

class CountedPool final : public ThreadPool {
 public:
  size_t held = 5;

 private:
  size_t kept() const override { return held; }
  void drop(size_t count) override { held -= count; }
};

TEST(ThreadPools, GiveBackAtTheSecondLook) {
  static CountedPool pool;  // as long as the thread
  ThreadPool::give_back_surplus();
  EXPECT_EQ(pool.held, 5u);
  ThreadPool::give_back_surplus();
  EXPECT_EQ(pool.held, 0u);
}

TEST(PooledMemory, SurvivesGivingBack) {
  std::vector<Thing*> things;
  for (int i = 0; i < 10; ++i) things.push_back(new Thing);
  for (Thing* thing : things) delete thing;
  ThreadPool::give_back_surplus();
  ThreadPool::give_back_surplus();
  delete new Thing;
}

}  // namespace
}  // namespace perilune
