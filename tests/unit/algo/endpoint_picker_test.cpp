#include "algo/endpoint_picker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "unit/algo/picker_world.hpp"

namespace perilune::algo {
namespace {

using Endpoints = std::vector<PickerWorld::Endpoint>;

constexpr PickerKind all_kinds[] = {PickerKind::RoundRobin, PickerKind::LeastRequests, PickerKind::Random,
                                    PickerKind::RingHash, PickerKind::Maglev};

class AnyPicker : public testing::TestWithParam<PickerKind> {};
INSTANTIATE_TEST_SUITE_P(Kinds, AnyPicker, testing::ValuesIn(all_kinds));

TEST_P(AnyPicker, PicksNothingFromNothing) {
  EXPECT_EQ(PickerWorld(GetParam(), {}).pick(), "-");
  EXPECT_EQ(PickerWorld(GetParam(), {{"a", 0}, {"b", 0}}).picks(3), "---");
  PickerWorld world(GetParam(), {{"a"}, {"b", 5}});
  world.down = {"a", "b"};
  EXPECT_EQ(world.picks(3), "---");
  world.down = {};
  world.set({});
  EXPECT_EQ(world.picks(2), "--");
}

TEST_P(AnyPicker, FindsTheOnlyUsableOneAmongMany) {
  for (const uint32_t weight : {1u, 3u}) {
    auto endpoints = many_endpoints(300);
    endpoints[217].weight = weight;
    endpoints[5].weight = 0;
    PickerWorld world(GetParam(), endpoints);
    for (const auto& endpoint : endpoints) world.down.insert(endpoint.name);
    EXPECT_EQ(world.pick(), "-");
    world.down.erase("e217");
    for (int i = 0; i < 50; ++i) EXPECT_EQ(world.pick(), "e217");
    for (uint64_t key = 0; key < 50; ++key) EXPECT_EQ(world.pick(hash(key)), "e217");
  }
}

TEST_P(AnyPicker, NeverPicksAnUnusableOneOrAWeightOfZero) {
  auto endpoints = many_endpoints(20);
  for (size_t i = 0; i < endpoints.size(); ++i) endpoints[i].weight = static_cast<uint32_t>(i % 4);
  PickerWorld world(GetParam(), endpoints);
  uint64_t bits = 7;
  for (int round = 0; round < 500; ++round) {
    bits = draw_next(bits);
    world.down.clear();
    for (size_t i = 0; i < endpoints.size(); ++i)
      if (bits >> i & 1) world.down.insert(endpoints[i].name);
    const std::string name = world.pick();
    EXPECT_FALSE(world.down.contains(name));
    const auto place =
        std::find_if(endpoints.begin(), endpoints.end(), [&](auto& e) { return e.name == name; });
    ASSERT_NE(place, endpoints.end());
    EXPECT_GT(place->weight, 0u);
  }
}

TEST_P(AnyPicker, SpreadsByWeight) {
  PickerWorld world(GetParam(), {{"a", 1}, {"b", 2}, {"c", 5}, {"d", 0}});
  constexpr int count = 40'000;
  const std::string names = world.picks(count);
  for (const auto& [name, weight] : std::map<char, int>{{'a', 1}, {'b', 2}, {'c', 5}, {'d', 0}}) {
    const double expected = count * weight / 8.0;
    EXPECT_NEAR(static_cast<double>(std::count(names.begin(), names.end(), name)), expected, expected * 0.1)
        << name;
  }
}

TEST_P(AnyPicker, SpreadsOverTheUsableOnes) {
  PickerWorld world(GetParam(), many_endpoints(10));
  for (const auto* name : {"e1", "e2", "e3", "e4", "e6", "e7", "e9"}) world.down.insert(name);
  std::map<std::string, int> counts;
  for (int i = 0; i < 9'000; ++i) ++counts[world.pick()];
  EXPECT_EQ(counts.size(), 3u);
  for (const auto& [name, count] : counts) EXPECT_NEAR(count, 3'000, 450) << name;
}

TEST_P(AnyPicker, HugeWeightsDoNotOverflow) {
  PickerWorld world(GetParam(), {{"a", UINT32_MAX}, {"b", UINT32_MAX}, {"c", picker_weight_max / 2}});
  world.busy = {{"a", UINT32_MAX}, {"b", UINT32_MAX}, {"c", UINT32_MAX / 2}};
  const std::string names = world.picks(1'000);
  for (const char name : {'a', 'b', 'c'}) EXPECT_GT(std::count(names.begin(), names.end(), name), 50) << name;
}

TEST_P(AnyPicker, TheSameSeedPicksTheSame) {
  PickerWorld a(GetParam(), {{"a", 1}, {"b", 2}, {"c", 5}});
  PickerWorld b(GetParam(), {{"a", 1}, {"b", 2}, {"c", 5}});
  EXPECT_EQ(a.picks(100), b.picks(100));
}

struct TurnCase {
  Endpoints endpoints;
  std::string order;
  uint32_t start = 0;
};
TEST(TurnPicker, GoesRoundSmoothlyInTheOrderOfDeclaration) {
  const TurnCase cases[] = {
      {{{"a"}, {"b"}, {"c"}}, "abcabc"},
      {{{"c"}, {"a"}, {"b"}}, "cabcab"},
      {{{"a", 7}, {"b", 7}}, "abab"},
      {{{"a", 3}, {"b", 1}}, "aabaaaba"},
      {{{"a", 5}, {"b", 1}, {"c", 1}}, "aabacaa"},
      {{{"a", 0}, {"b", 1}}, "bbb"},
      {{{"a"}, {"b"}, {"c"}}, "bcabca", 1},
      {{{"a"}, {"b"}, {"c"}}, "cabcab", 5},
      {{{"a", 3}, {"b", 1}}, "abaaabaa", 1},
  };
  for (const auto& test : cases) {
    PickerWorld world({.kind = PickerKind::RoundRobin, .start = test.start}, test.endpoints);
    EXPECT_EQ(world.picks(static_cast<int>(test.order.size())), test.order) << "start " << test.start;
  }
}

TEST(TurnPicker, OneThatReturnsGetsNoBurst) {
  for (const uint32_t weight : {1u, 2u}) {
    PickerWorld world(PickerKind::RoundRobin, {{"a", weight}, {"b"}, {"c"}});
    world.picks(2);
    world.down = {"b"};
    world.picks(101);
    world.down = {};
    const std::string after = world.picks(static_cast<int>(3 * (weight + 2)));
    EXPECT_EQ(std::count(after.begin(), after.end(), 'b'), 3) << after;
    EXPECT_EQ(after.find("bb"), std::string::npos) << after;
  }
}

TEST(TurnPicker, ATurnGoesOnWhenTheSetChanges) {
  struct Case {
    Endpoints before;
    int picks;
    Endpoints after;
    std::string order;
  };
  const Case cases[] = {
      {{{"a"}, {"b"}, {"c"}}, 1, {{"a"}, {"b"}, {"c"}}, "bca"},           // nothing changed
      {{{"a"}, {"b"}, {"c"}}, 1, {{"a"}, {"b"}, {"c"}, {"d"}}, "bcda"},   // one came
      {{{"a"}, {"b"}, {"c"}}, 1, {{"a"}, {"c"}}, "cac"},                  // the next one left
      {{{"a"}, {"b"}, {"c"}}, 2, {{"c"}, {"b"}, {"a"}}, "cba"},           // another order
      {{{"a"}, {"b"}, {"c"}}, 1, {{"a", 9}, {"b", 9}, {"c", 9}}, "bca"},  // weights of another magnitude
      {{{"a", 3}, {"b", 1}}, 2, {{"a", 3}, {"b", 1}}, "baaa"},
      {{{"a", 300}, {"b", 100}}, 2, {{"a", 3}, {"b", 1}}, "baaa"},
      {{{"a", 900}, {"b", 100}}, 9, {{"a"}, {"b"}}, "abab"},  // a debt of another magnitude is forgiven
      {{{"a"}, {"b"}}, 1, {{"x"}, {"y"}}, "xyxy"},
  };
  for (const auto& test : cases) {
    PickerWorld world(PickerKind::RoundRobin, test.before);
    world.picks(test.picks);
    world.set(test.after);
    EXPECT_EQ(world.picks(static_cast<int>(test.order.size())), test.order);
  }
}

TEST(TurnPicker, HoweverOftenTheSetChangesNoneWaitsMoreThanTwoRounds) {
  PickerWorld world(PickerKind::RoundRobin, {{"a", 1}, {"b", 5}, {"c", 3}});
  uint64_t bits = 11;
  int since_a = 0;
  for (int change = 0; change < 2'000; ++change) {
    bits = draw_next(bits);
    world.set({{"a", 1}, {std::to_string(change), 1 + static_cast<uint32_t>(bits % 5)}, {"c", 3}});
    for (uint64_t picks = bits >> 32 & 7; picks > 0; --picks) {
      since_a = world.pick() == "a" ? 0 : since_a + 1;
      ASSERT_LE(since_a, 18) << "after " << change << " changes";
    }
  }
}

TEST(LeastRequestsPicker, TakesTheLessBusyOfTwo) {
  struct Case {
    Endpoints endpoints;
    std::map<std::string, uint32_t> busy;
    std::string expected;
  };
  const Case cases[] = {
      {{{"a"}, {"b"}}, {{"a", 1}}, "b"},
      {{{"a"}, {"b"}}, {{"a", 4}, {"b", 5}}, "a"},
      {{{"a", 2}, {"b", 1}}, {{"a", 1}, {"b", 1}}, "a"},
      {{{"a", 2}, {"b", 1}}, {{"a", 3}, {"b", 1}}, "b"},
      {{{"a", 10}, {"b", 1}}, {{"a", 9}, {"b", 1}}, "a"},
  };
  for (const auto& test : cases) {
    PickerWorld world(PickerKind::LeastRequests, test.endpoints);
    world.busy = test.busy;
    for (int i = 0; i < 20; ++i) EXPECT_EQ(world.pick(), test.expected);
  }
}

TEST(LeastRequestsPicker, WeightsHoldWhateverIsInProgress) {
  for (const size_t in_progress : {1u, 2u, 4u, 16u, 200u}) {
    PickerWorld world(PickerKind::LeastRequests, {{"a", 1}, {"b", 3}});
    std::vector<std::string> requests;
    int picked_a = 0;
    constexpr int count = 20'000;
    uint64_t bits = 3;
    for (int i = 0; i < count; ++i) {
      requests.push_back(world.pick());
      ++world.busy[requests.back()];
      if (requests.back() == "a") ++picked_a;
      if (requests.size() < in_progress) continue;
      bits = draw_next(bits);
      auto& done = requests[draw_below(bits, requests.size())];
      --world.busy[done];
      done = requests.back();
      requests.pop_back();
    }
    // Worst with two in progress: where there is no tie the one in progress decides, and 1/4 becomes 1/5.
    EXPECT_NEAR(picked_a, count / 4.0, count * 0.06) << in_progress << " in progress";
  }
}

TEST(LeastRequestsPicker, TheMostBusyIsNeverPickedWhileAnotherIsUsable) {
  PickerWorld world(PickerKind::LeastRequests, many_endpoints(5));
  world.busy = {{"e2", 9}};
  for (int i = 0; i < 1'000; ++i) EXPECT_NE(world.pick(), "e2");
}

TEST(RandomPicker, EveryOrderOfTwoComes) {
  PickerWorld world(PickerKind::Random, {{"a"}, {"b"}});
  const std::string names = world.picks(200);
  for (const auto* pair : {"aa", "ab", "ba", "bb"}) EXPECT_NE(names.find(pair), std::string::npos) << pair;
}

}  // namespace
}  // namespace perilune::algo
