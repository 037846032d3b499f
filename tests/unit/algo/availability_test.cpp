#include "algo/availability.hpp"

#include <gtest/gtest.h>

#include <map>

#include "algo/draw.hpp"

namespace perilune::algo {
namespace {

struct LevelCase {
  uint32_t endpoints;
  uint32_t healthy;
  double share;
  bool is_panicking = false;
};

std::vector<AvailabilityEndpoint> endpoints_of(const std::vector<LevelCase>& levels) {
  std::vector<AvailabilityEndpoint> endpoints;
  for (uint32_t priority = 0; priority < levels.size(); ++priority)
    for (uint32_t i = 0; i < levels[priority].endpoints; ++i)
      endpoints.push_back({priority, i < levels[priority].healthy});
  return endpoints;
}

void expect_levels(const std::vector<LevelCase>& levels, const AvailabilityRules& rules, const char* what) {
  Availability availability(rules);
  availability.assign(endpoints_of(levels));
  ASSERT_EQ(availability.levels().size(), levels.size()) << what;
  for (size_t i = 0; i < levels.size(); ++i) {
    EXPECT_NEAR(availability.levels()[i].share, levels[i].share, 1e-9) << what << ": level " << i;
    EXPECT_EQ(availability.levels()[i].is_panicking, levels[i].is_panicking) << what << ": level " << i;
  }
}

TEST(Availability, SharesRequestsByHealth) {
  const std::pair<const char*, std::vector<LevelCase>> cases[] = {
      {"nothing at all", {}},
      {"all healthy", {{4, 4, 1}}},
      {"all healthy, spares idle", {{4, 4, 1}, {4, 4, 0}}},
      {"72 of 100 are enough", {{100, 72, 1}, {4, 4, 0}}},
      {"71 of 100 are not quite", {{100, 71, 0.994}, {4, 4, 0.006}}},
      {"half: 70 %, the rest goes on", {{10, 5, 0.7}, {10, 10, 0.3}}},
      {"below the panic threshold, but the next level has room", {{10, 2, 0.28}, {10, 10, 0.72}}},
      {"none: all goes on", {{10, 0, 0}, {10, 10, 1}}},
      {"over three levels", {{10, 2, 0.28}, {10, 4, 0.56}, {10, 10, 0.16}}},
      {"short, but above the threshold", {{10, 6, 1}}},
      {"together short, all panic: by number", {{10, 1, 0.5, true}, {10, 4, 0.5, true}}},
      {"one level, half healthy: no panic", {{10, 5, 1}}},
      {"one level, fewer: panic", {{10, 4, 1, true}}},
      {"nobody healthy: by number", {{30, 0, 0.75, true}, {10, 0, 0.25, true}}},
  };
  for (const auto& [what, levels] : cases) expect_levels(levels, {}, what);
}

TEST(Availability, WithoutPanicTheHealthyOnesTakeAll) {
  const AvailabilityRules rules{.panic_percent = 0};
  expect_levels({{10, 1, 1}}, rules, "one left");
  expect_levels({{10, 1, 0.2}, {10, 4, 0.8}}, rules, "in proportion");
  expect_levels({{10, 0, 0}, {10, 0, 0}}, rules, "none left");
}

TEST(Availability, OneLevelPanicsAndAnotherDoesNot) {
  // 0.14 + 0.84: together short. The second has 60 % healthy.
  const std::vector<LevelCase> levels = {{10, 1, 0.14 / 0.98, true}, {10, 6, 0.84 / 0.98, false}};
  expect_levels(levels, {}, "one panics");
  Availability availability;
  const auto endpoints = endpoints_of(levels);
  availability.assign(endpoints);
  for (const auto& endpoint : endpoints)
    EXPECT_EQ(availability.is_available(endpoint), endpoint.is_healthy || endpoint.priority == 0);
}

TEST(Availability, TheLevelIsDrawnByShareAndPrioritiesMayHaveGaps) {
  Availability availability;
  EXPECT_EQ(availability.draw_priority(0), std::nullopt);
  const AvailabilityEndpoint endpoints[] = {{70, true}, {5, true}, {5, false}, {70, true}, {200, true}};
  availability.assign(endpoints);
  std::map<uint32_t, int> counts;
  uint64_t bits = 1;
  for (int i = 0; i < 10'000; ++i) ++counts[*availability.draw_priority(bits = draw_next(bits))];
  EXPECT_NEAR(counts[5], 7'000, 200);
  EXPECT_NEAR(counts[70], 3'000, 200);
  EXPECT_EQ(counts[200], 0);
  EXPECT_EQ(availability.draw_priority(0), 5u);
  EXPECT_EQ(availability.draw_priority(UINT64_MAX), 70u);
}

TEST(Availability, NothingUsableIsNoLevel) {
  Availability availability({.panic_percent = 0});
  const AvailabilityEndpoint endpoints[] = {{0, false}, {1, false}};
  availability.assign(endpoints);
  EXPECT_EQ(availability.draw_priority(7), std::nullopt);
  EXPECT_FALSE(availability.is_available(endpoints[0]));
  EXPECT_FALSE(availability.is_available({9, false}));
}

}  // namespace
}  // namespace perilune::algo
