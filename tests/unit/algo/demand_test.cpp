#include "algo/demand.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace perilune::algo {
namespace {

TEST(PoolDemand, S57_SteadyLoadClosesNone) {
  PoolDemand demand;
  for (int tick = 0; tick < 20; ++tick) {
    demand.on_used(10);
    EXPECT_EQ(demand.on_tick(3, 7), 0u);
  }
}

TEST(PoolDemand, S57_AfterABurstIdleOnesHalve) {
  PoolDemand demand;
  demand.on_used(100);
  uint32_t idle = 100;
  std::vector<uint32_t> counts;
  for (int tick = 0; tick < 12; ++tick) {
    idle -= demand.on_tick(0, idle);
    counts.push_back(idle);
  }
  EXPECT_EQ(counts, (std::vector<uint32_t>{100, 75, 50, 31, 18, 10, 5, 2, 1, 0, 0, 0}));
}

TEST(PoolDemand, S57_HalfOfWhatIsBeyondTheNeedCloses) {
  struct Case {
    uint32_t peak, used, idle, expected;
  };
  const Case cases[] = {
      {0, 0, 0, 0},  {0, 0, 1, 1},    {0, 0, 9, 5},   {10, 0, 10, 0}, {10, 0, 11, 1},
      {10, 2, 8, 0}, {10, 4, 26, 10}, {10, 20, 0, 0}, {0, 20, 5, 3},  {0, UINT32_MAX, UINT32_MAX, 1u << 31},
  };
  for (const auto& test : cases) {
    PoolDemand demand;
    demand.on_used(test.peak);
    EXPECT_EQ(demand.on_tick(test.used, test.idle), test.expected)
        << test.peak << " peak, " << test.used << " used, " << test.idle << " idle";
  }
}

TEST(PoolDemand, S57_ThePeakBeginsAnewAtWhatIsInUse) {
  PoolDemand demand;
  demand.on_used(100);
  demand.on_tick(40, 60);
  EXPECT_EQ(demand.estimate(), 100u);
  demand.on_tick(0, 100);
  EXPECT_EQ(demand.estimate(), 70u);  // (100 + 40) / 2
  demand.on_used(90);
  demand.on_tick(0, 100);
  EXPECT_EQ(demand.estimate(), 90u);  // never below the last peak
}

}  // namespace
}  // namespace perilune::algo
