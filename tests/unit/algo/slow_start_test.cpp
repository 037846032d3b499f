#include "algo/slow_start.hpp"

#include <gtest/gtest.h>

namespace perilune::algo {
namespace {

TEST(SlowStart, WeightGrowsOverTheWindow) {
  struct Case {
    uint32_t weight;
    Duration age;
    SlowStart rules;
    uint32_t expected;
  };
  const Case cases[] = {
      {100, 0s, {}, 100},  // off
      {100, 0s, {.window = 60s}, 10},
      {100, -5s, {.window = 60s}, 10},
      {100, 6s, {.window = 60s}, 10},
      {100, 30s, {.window = 60s}, 50},
      {100, 59'999ms, {.window = 60s}, 100},
      {100, 60s, {.window = 60s}, 100},
      {100, 1h, {.window = 60s}, 100},
      {100, 15s, {.window = 60s, .aggression = 2}, 50},
      {100, 30s, {.window = 60s, .aggression = 0.5}, 25},
      {100, 0s, {.window = 60s, .percent_min = 0}, 1},
      {100, 3s, {.window = 60s, .percent_min = 1}, 5},
      {100, 0s, {.window = 60s, .percent_min = 500}, 100},
      {1, 0s, {.window = 60s}, 1},
      {0, 30s, {.window = 60s}, 0},
      {UINT32_MAX, 60s, {.window = 61s, .percent_min = 100}, UINT32_MAX},
  };
  for (const auto& test : cases)
    EXPECT_EQ(slow_start_weight(test.weight, test.age, test.rules), test.expected)
        << test.weight << " at " << to_seconds(test.age);
}

TEST(SlowStart, IsOverAtTheEndOfTheWindow) {
  EXPECT_TRUE(is_starting_slowly(59s, {.window = 60s}));
  EXPECT_FALSE(is_starting_slowly(60s, {.window = 60s}));
  EXPECT_FALSE(is_starting_slowly(0s, {}));
}

}  // namespace
}  // namespace perilune::algo
