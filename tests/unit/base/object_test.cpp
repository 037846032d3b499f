#include "base/object.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace perilune {
namespace {

class Counted : public Object {
 public:
  explicit Counted(int& alive) : alive_(alive) { ++alive_; }
  ~Counted() override { --alive_; }

 private:
  int& alive_;
};

class Special final : public Counted {
 public:
  using Counted::Counted;
};

TEST(Objects, LiveAsLongAsTheyAreReferenced) {
  int alive = 0;
  {
    auto first = make_ref<Special>(alive);
    Ref<Counted> second = first;
    EXPECT_EQ(first->reference_count(), 2u);
    EXPECT_TRUE(second == first.get());
    first.reset();
    EXPECT_EQ(alive, 1);
    second = second;
    EXPECT_EQ(second->reference_count(), 1u);
    Ref<Counted> third = std::move(second);
    EXPECT_FALSE(second);  // NOLINT(bugprone-use-after-move): that it is empty is what is tested
    EXPECT_EQ(third->reference_count(), 1u);
    Counted* held = third.detach();
    EXPECT_EQ(alive, 1);
    EXPECT_EQ(Ref<Counted>::attach(held)->reference_count(), 1u);
    EXPECT_EQ(alive, 0);
  }
  EXPECT_EQ(alive, 0);
}

#ifndef NDEBUG
TEST(ObjectsDeathTest, AreCountedByTheirThreadOnly) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        int alive = 0;
        auto object = make_ref<Counted>(alive);
        std::thread([&] { const Ref<Counted> stolen = object; }).join();
      },
      "by its own thread only");
}
#endif

}  // namespace
}  // namespace perilune
