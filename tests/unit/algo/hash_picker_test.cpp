#include "algo/hash_picker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "unit/algo/picker_world.hpp"

namespace perilune::algo {
namespace {

constexpr uint64_t key_count = 20'000;

/// Keys that have another owner and are nobody's who is named.
int moved_between_others(const std::vector<std::string>& before, const std::vector<std::string>& after,
                         const std::string& changed) {
  int count = 0;
  for (size_t i = 0; i < before.size(); ++i)
    if (before[i] != after[i] && before[i] != changed && after[i] != changed) ++count;
  return count;
}

int owned_by(const std::vector<std::string>& owners, const std::string& name) {
  return static_cast<int>(std::count(owners.begin(), owners.end(), name));
}

class AnyHashPicker : public testing::TestWithParam<PickerKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, AnyHashPicker, testing::Values(PickerKind::RingHash, PickerKind::Maglev));

TEST_P(AnyHashPicker, AKeyHasOneOwnerInWhateverOrderTheyWereDeclared) {
  auto endpoints = many_endpoints(12);
  endpoints[3].weight = 4;
  PickerWorld one(GetParam(), endpoints);
  std::reverse(endpoints.begin(), endpoints.end());
  PickerWorld other(GetParam(), endpoints);
  other.picks(5);
  EXPECT_EQ(one.owners(1'000), other.owners(1'000));
  EXPECT_EQ(one.owners(1'000), one.owners(1'000));
}

TEST_P(AnyHashPicker, KeysAreSpreadByWeight) {
  auto endpoints = many_endpoints(10, 10);
  endpoints[0].weight = 1;
  endpoints[1].weight = 30;
  const auto owners = PickerWorld(GetParam(), endpoints).owners(key_count);
  for (const auto& endpoint : endpoints) {
    const double expected = static_cast<double>(key_count) * endpoint.weight / 111;
    EXPECT_NEAR(owned_by(owners, endpoint.name), expected, expected * 0.15 + 4 * std::sqrt(expected))
        << endpoint.name;
  }
}

TEST_P(AnyHashPicker, OnlyKeysOfAnUnusableOneGoElsewhereAndTheyAreSpread) {
  PickerWorld world(GetParam(), many_endpoints(5));
  const auto before = world.owners(key_count);
  world.down = {"e2"};
  const auto after = world.owners(key_count);
  EXPECT_EQ(moved_between_others(before, after, "e2"), 0);
  EXPECT_EQ(owned_by(after, "e2"), 0);
  for (const auto* name : {"e0", "e1", "e3", "e4"})
    EXPECT_NEAR(owned_by(after, name) - owned_by(before, name), key_count / 20.0, key_count / 80.0) << name;
  world.down = {};
  EXPECT_EQ(world.owners(key_count), before);
}

TEST_P(AnyHashPicker, WhereNearlyAllAreUnusableTheOthersShareByWeight) {
  auto endpoints = many_endpoints(200);
  endpoints[17].weight = 3;
  PickerWorld world(GetParam(), endpoints);
  for (const auto& endpoint : endpoints) world.down.insert(endpoint.name);
  world.down.erase("e17");
  world.down.erase("e42");
  const auto owners = world.owners(4'000);
  EXPECT_NEAR(owned_by(owners, "e17"), 3'000, 300);
  EXPECT_NEAR(owned_by(owners, "e42"), 1'000, 300);
}

TEST_P(AnyHashPicker, WithoutAKeyChanceDecides) {
  PickerWorld world(GetParam(), {{"a"}, {"b"}});
  const std::string names = world.picks(1'000);
  EXPECT_NEAR(static_cast<double>(std::count(names.begin(), names.end(), 'a')), 500, 80);
}

TEST_P(AnyHashPicker, NoneTakesMoreThanTheBoundOfItsShare) {
  for (const double bound : {1.0, 1.25, 2.0}) {
    auto endpoints = many_endpoints(8);
    endpoints[5].weight = 3;
    PickerWorld world({.kind = GetParam(), .bounded_load = bound}, endpoints);
    world.down = {"e7"};
    for (int requests = 1; requests <= 400; ++requests) {
      // One hot key in two.
      const auto name = world.pick(requests % 2 ? hash("hot") : hash(static_cast<uint64_t>(requests)));
      ASSERT_NE(name, "-");
      const uint32_t weight = name == "e5" ? 3 : 1;
      EXPECT_LE(++world.busy[name], std::ceil(bound * requests * weight / 9)) << name << " at " << requests;
    }
  }
}

TEST_P(AnyHashPicker, BelowTheBoundKeysStay) {
  PickerWorld free(GetParam(), many_endpoints(8));
  PickerWorld bounded({.kind = GetParam(), .bounded_load = 1.25}, many_endpoints(8));
  EXPECT_EQ(free.owners(1'000), bounded.owners(1'000));
  for (int i = 0; i < 8; ++i) bounded.busy["e" + std::to_string(i)] = 100;
  EXPECT_EQ(free.owners(1'000), bounded.owners(1'000));
  bounded.busy["e3"] = 140;
  EXPECT_EQ(owned_by(bounded.owners(1'000), "e3"), 0);
}

TEST(RingPicker, AChangeMovesOnlyKeysOfTheOneThatChanged) {
  for (const int count : {2, 10, 60}) {
    auto endpoints = many_endpoints(count, 10);
    PickerWorld world(PickerKind::RingHash, endpoints);
    const auto before = world.owners(key_count);
    endpoints[1].weight = 5;
    world.set(endpoints);
    const auto lighter = world.owners(key_count);
    EXPECT_EQ(moved_between_others(before, lighter, "e1"), 0);
    EXPECT_LT(owned_by(lighter, "e1"), owned_by(before, "e1"));
    endpoints.erase(endpoints.begin() + 1);
    world.set(endpoints);
    EXPECT_EQ(moved_between_others(before, world.owners(key_count), "e1"), 0);
  }
}

TEST(RingPicker, BeyondTheMostPointsAChangeMovesFew) {
  auto endpoints = many_endpoints(150);
  PickerWorld world(PickerKind::RingHash, endpoints);
  const auto before = world.owners(key_count);
  endpoints.erase(endpoints.begin() + 1);
  world.set(endpoints);
  EXPECT_LT(moved_between_others(before, world.owners(key_count), "e1"), static_cast<int>(key_count) / 50);
}

TEST(RingPicker, EvenTheLightestHasAPoint) {
  PickerWorld world(PickerKind::RingHash, {{"a", 1}, {"b", 1'000'000}});
  EXPECT_GT(owned_by(world.owners(200'000), "a"), 0);
}

TEST(MaglevPicker, AChangeMovesFewKeysOfOthers) {
  auto endpoints = many_endpoints(50);
  PickerWorld world(PickerKind::Maglev, endpoints);
  const auto before = world.owners(key_count);
  endpoints.erase(endpoints.begin() + 1);
  world.set(endpoints);
  const int moved = moved_between_others(before, world.owners(key_count), "e1");
  EXPECT_LT(moved, static_cast<int>(key_count) / 25);
}

TEST(MaglevPicker, HasEverySlotByWeightToOne) {
  constexpr uint32_t slots = 101;
  PickerWorld world({.kind = PickerKind::Maglev, .maglev_slots = slots},
                    {{"a", 1}, {"b", 1'000}, {"c", 500}});
  std::map<std::string, int> counts;
  for (uint64_t slot = 0; slot < slots; ++slot) ++counts[world.pick(slot)];
  EXPECT_EQ(counts["a"], 1);
  EXPECT_NEAR(counts["b"], 67, 1);
  EXPECT_NEAR(counts["c"], 33, 1);
}

TEST(HashPickerDeathTest, RefusesOptionsThatCannotWork) {
  EXPECT_DEATH(make_picker({.kind = PickerKind::Maglev, .maglev_slots = 65'536}), "prime");
  EXPECT_DEATH(make_picker({.kind = PickerKind::RingHash, .bounded_load = 0.9}), "bound");
  EXPECT_DEATH(make_picker({.kind = PickerKind::RingHash, .ring_points_min = 9, .ring_points_max = 8}),
               "ring");
}

}  // namespace
}  // namespace perilune::algo
