#include "app/gathering.hpp"

#include <gtest/gtest.h>

namespace perilune::app {
namespace {

class VirtualDriver final : public loop::Driver {
 public:
  void wait(Instant) override {}
  void dispatch() override {}
  void wake() override {}
  Instant now() override { return now_; }
  double wall_seconds() override { return 0; }
  uint64_t random() override { return 4; }
  void advance(Duration span) { now_ += span; }

 private:
  Instant now_{100s};
};

class GatheringTest : public ::testing::Test {
 protected:
  std::unique_ptr<Gathering<int>> start(size_t workers) {
    return std::make_unique<Gathering<int>>(loop, workers, [this](Gathering<int>::Answers answers) {
      ++calls;
      got = std::move(answers);
    });
  }
  void turn(Duration after = Duration::zero()) {
    driver.advance(after);
    loop.run_turn(Instant::min());
  }

  VirtualDriver driver;
  loop::Loop loop{driver};
  Gathering<int>::Answers got;
  int calls = 0;
};

TEST_F(GatheringTest, IsOverWhenAllHaveAnswered) {
  auto gathering = start(2);
  gathering->take(1, 11);
  EXPECT_EQ(calls, 0);
  gathering->take(0, 10);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(got, (Gathering<int>::Answers{10, 11}));
  turn(2 * limits::admin_worker_timeout);
  EXPECT_EQ(calls, 1);
}

TEST_F(GatheringTest, WhoIsLateIsLeftOut) {
  const auto late = start(2);
  late->take(1, 11);
  turn(limits::admin_worker_timeout - 1ms);
  EXPECT_EQ(calls, 0);
  turn(1ms);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(got, (Gathering<int>::Answers{std::nullopt, 11}));
  late->take(0, 10);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace perilune::app
