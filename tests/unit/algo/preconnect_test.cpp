#include "algo/preconnect.hpp"

#include <gtest/gtest.h>

namespace perilune::algo {
namespace {

struct DemandCase {
  ConnectDemand demand;
  double ratio;
  uint32_t expected;
  uint64_t streams = 1;
};

void expect_connects(const std::vector<DemandCase>& cases) {
  for (const auto& [demand, ratio, expected, streams] : cases)
    EXPECT_EQ(connects_wanted(demand, ratio, streams), expected)
        << demand.pending << " pending, " << demand.active << " active, " << demand.capacity
        << " free, ratio " << ratio;
}

TEST(Preconnect, S83_RatioOneConnectsForDemandOnly) {
  expect_connects({
      {{.pending = 0}, 1, 0},
      {{.pending = 1}, 1, 1},
      {{.pending = 2}, 1, 2},
      {{.pending = 2, .capacity = 2}, 1, 0},
      {{.pending = 1, .active = 5}, 1, 1},
      {{.pending = 0, .active = 5}, 1, 0},
      {{.pending = 150}, 1, 2, 100},  // 100 streams a connection
  });
}

TEST(Preconnect, S84_RatioAboveOneKeepsSpareOnes) {
  expect_connects({
      {{.pending = 1}, 1.5, 2},                // the first request
      {{.active = 1, .capacity = 1}, 1.5, 0},  // attached: the spare is enough
      {{.active = 2, .capacity = 0}, 1.5, 1},  // the second request took the spare
      {{.active = 2, .capacity = 1}, 1.5, 0},  // and one replaces it
      {{.active = 3, .capacity = 1}, 1.5, 1},
      {{.active = 30, .capacity = 3}, 1.1, 0},  // exact, whatever doubles make of 33
      {{.pending = 0}, 3, 0},
  });
  EXPECT_TRUE(should_connect({.capacity = 0}, 1.1, Anticipate::Yes));
  EXPECT_TRUE(should_connect({.capacity = 1}, 1.1, Anticipate::Yes));
  EXPECT_FALSE(should_connect({.capacity = 2}, 1.1, Anticipate::Yes));
  EXPECT_FALSE(should_connect({}, 1.1, Anticipate::No));
}

TEST(Preconnect, S85_AnUnhealthyEndpointGetsNothingAhead) {
  EXPECT_EQ(connects_wanted_unhealthy({.pending = 0, .active = 9}), 0u);
  EXPECT_EQ(connects_wanted_unhealthy({.pending = 1}), 1u);
  EXPECT_EQ(connects_wanted_unhealthy({.pending = 1, .active = 9, .capacity = 1}), 0u);
  EXPECT_EQ(connects_wanted_unhealthy({.pending = 10}), 3u);
}

TEST(Preconnect, S86_AtMostThreeForOneEvent) {
  expect_connects({{{.pending = 10}, 1, 3}, {{.active = 100}, 3, 3}});
  EXPECT_EQ(limits::preconnects_max, 3u);
}

TEST(Preconnect, S33_AConnectingOneIsExcessWhenNobodyElseNeedsIt) {
  struct Case {
    ConnectDemand demand;
    uint64_t streams;
    double ratio;
    bool is_excess;
  };
  const Case cases[] = {
      {{.pending = 0, .capacity = 1}, 1, 1, true},
      {{.pending = 1, .capacity = 1}, 1, 1, false},
      {{.pending = 1, .capacity = 2}, 1, 1, true},
      {{.pending = 1, .capacity = 2}, 1, 1.5, false},  // the spare that the ratio asks for
      {{.pending = 0, .active = 1, .capacity = 1}, 1, 1.5, false},
      {{.pending = 0, .active = 1, .capacity = 1}, 1, 1, true},
      {{.pending = 50, .capacity = 200}, 100, 1, true},
      {{.pending = 150, .capacity = 200}, 100, 1, false},
      {{.pending = 0, .capacity = 0}, 1, 1, true},
  };
  for (const auto& test : cases)
    EXPECT_EQ(is_excess(test.demand, test.streams, test.ratio), test.is_excess)
        << test.demand.pending << " pending, " << test.demand.active << " active, " << test.demand.capacity;
}

TEST(Preconnect, S87_TheFloorIsFilledAndFilledAgain) {
  PreconnectFloor floor({.connections = 5});
  EXPECT_EQ(floor.wanted({.open = 0, .room = 100}).open, 3u);
  EXPECT_EQ(floor.wanted({.open = 3, .room = 100}).open, 2u);
  EXPECT_EQ(floor.wanted({.open = 5, .room = 100}).open, 0u);
  EXPECT_EQ(floor.wanted({.open = 4, .room = 100}).open, 1u);
  EXPECT_EQ(floor.wanted({.open = 9, .room = 100}).open, 0u);
  EXPECT_EQ(PreconnectFloor({}).wanted({.open = 0, .room = 100}).open, 0u);
}

TEST(Preconnect, S87_TheFloorStopsAfterFailuresInARowAndGoesOnAfterASuccess) {
  PreconnectFloor floor({.connections = 2});
  floor.on_connect_failed();
  floor.on_connect_failed();
  floor.on_connected();
  floor.on_connect_failed();
  floor.on_connect_failed();
  EXPECT_FALSE(floor.is_paused());
  EXPECT_EQ(floor.wanted({.room = 100}).open, 2u);
  floor.on_connect_failed();
  EXPECT_TRUE(floor.is_paused());
  EXPECT_EQ(floor.wanted({.room = 100}).open, 0u);
  for (int i = 0; i < 9; ++i) floor.on_connect_failed();
  floor.on_connected();
  EXPECT_EQ(floor.wanted({.room = 100}).open, 2u);
}

TEST(Preconnect, S88_NoFloorWhileClosingOrUnhealthyAndAFullBreakerIsCounted) {
  const PreconnectFloor floor({.connections = 3});
  EXPECT_EQ(floor.wanted({.room = 9, .is_closing = true}).open, 0u);
  EXPECT_EQ(floor.wanted({.room = 9, .is_healthy = false}).open, 0u);
  const auto partly = floor.wanted({.room = 1});
  EXPECT_EQ(partly.open, 1u);
  EXPECT_EQ(partly.blocked, 2u);
  EXPECT_EQ(floor.wanted({.room = 0}).blocked, 3u);
  EXPECT_EQ(floor.wanted({.room = 0, .is_closing = true}).blocked, 0u);
}

TEST(Preconnect, S89_UnusedOnesThatExpiredAreReplacedUpToTheFloorOnly) {
  const PreconnectFloor floor({.connections = 1});
  // Three were opened by the ratio; all of them expire.
  EXPECT_EQ(floor.wanted({.open = 2, .room = 9}).open, 0u);
  EXPECT_EQ(floor.wanted({.open = 0, .room = 9}).open, 1u);
}

}  // namespace
}  // namespace perilune::algo
