#include "algo/balancer.hpp"

#include <gtest/gtest.h>

#include <map>

#include "algo/hash.hpp"

namespace perilune::algo {
namespace {

/// The names of the next `count` choices in one string.
std::string choices(Balancer& balancer, int count) {
  std::string names;
  for (int i = 0; i < count; ++i) {
    const auto index = balancer.select();
    names += index ? balancer.targets()[*index].name : "-";
  }
  return names;
}

struct RoundCase {
  std::vector<BalancerTarget> targets;
  std::string order;
  friend void PrintTo(const RoundCase& test, std::ostream* out) { *out << test.order; }
};
class RoundRobinTest : public testing::TestWithParam<RoundCase> {};
TEST_P(RoundRobinTest, GoesRoundSmoothly) {
  RoundRobinBalancer balancer(GetParam().targets);
  EXPECT_EQ(choices(balancer, static_cast<int>(GetParam().order.size())), GetParam().order);
}
INSTANTIATE_TEST_SUITE_P(Weights, RoundRobinTest,
                         testing::Values(RoundCase{{{"a"}, {"b"}, {"c"}}, "abcabc"},
                                         RoundCase{{{"c"}, {"a"}, {"b"}}, "cabcab"},
                                         RoundCase{{{"a", 3}, {"b", 1}}, "aabaaaba"},
                                         RoundCase{{{"a", 5}, {"b", 1}, {"c", 1}}, "aabacaa"},
                                         RoundCase{{{"a", 0}, {"b", 1}}, "bbb"}, RoundCase{{{"a", 0}}, "--"},
                                         RoundCase{{}, "--"}));

TEST(RoundRobin, ATargetIsAddedChangedAndSilenced) {
  RoundRobinBalancer balancer({{"a"}, {"b"}});
  balancer.set("c", 1);
  EXPECT_EQ(choices(balancer, 6), "abcabc");
  balancer.set("b", 0);
  EXPECT_EQ(choices(balancer, 4), "acac");
  balancer.set("a", 2);
  const std::string mixed = choices(balancer, 6);
  EXPECT_EQ(std::count(mixed.begin(), mixed.end(), 'a'), 4);
  EXPECT_EQ(balancer.find("b"), 1u);
  EXPECT_EQ(balancer.find("x"), std::nullopt);
}

TEST(RoundRobin, ATargetThatComesBackGetsNoBurst) {
  RoundRobinBalancer balancer({{"a"}, {"b"}, {"c"}});
  balancer.set("b", 0);
  choices(balancer, 101);
  balancer.set("b", 1);
  const std::string after = choices(balancer, 9);
  EXPECT_EQ(std::count(after.begin(), after.end(), 'b'), 3);
  EXPECT_EQ(after.find("bb"), std::string::npos);
}

TEST(RoundRobin, ATargetThatComesBackStartsLevel) {
  RoundRobinBalancer balancer({{"a", 1}, {"b", 3}});
  ASSERT_EQ(choices(balancer, 1), "b");  // which leaves b in debt
  balancer.set("b", 0);
  ASSERT_EQ(choices(balancer, 2), "aa");
  balancer.set("b", 3);
  EXPECT_EQ(choices(balancer, 4), "babb");
}

TEST(RoundRobin, AKeyStaysWithItsTargetWhileThatHasAWeight) {
  RoundRobinBalancer balancer({{"a"}, {"b"}});
  const auto ann = balancer.select(hash("ann"));
  const auto bob = balancer.select(hash("bob"));
  EXPECT_NE(ann, bob);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(balancer.select(hash("ann")), ann);
    EXPECT_EQ(balancer.select(hash("bob")), bob);
  }
  balancer.set("a", 0);
  EXPECT_EQ(balancer.select(hash("ann")), 1u);
  balancer.set("a", 1);
  EXPECT_EQ(balancer.select(hash("ann")), 1u);  // moved for good
}

TEST(StickyMap, ForgetsTheLeastRecentlyUsedKey) {
  StickyMap map(3);
  for (const uint64_t key : {1u, 2u, 3u}) map.put(key, static_cast<uint32_t>(key * 10));
  EXPECT_EQ(map.find(1), 10u);
  map.put(4, 40);
  EXPECT_EQ(map.find(2), std::nullopt);
  EXPECT_EQ(map.find(1), 10u);
  map.put(3, 31);
  map.put(5, 50);
  EXPECT_EQ(map.find(4), std::nullopt);
  EXPECT_EQ(map.find(3), 31u);
  EXPECT_EQ(map.size(), 3u);
}

TEST(RoundRobin, RemembersTheLast65536Keys) {
  RoundRobinBalancer balancer({{"a"}, {"b"}, {"c"}});
  const auto first = balancer.select(hash(uint64_t{0}));
  for (uint64_t key = 1; key < Balancer::sticky_keys_max; ++key) balancer.select(hash(key));
  EXPECT_EQ(balancer.select(hash(uint64_t{0})), first);
  for (uint64_t key = 0; key < Balancer::sticky_keys_max; ++key) balancer.select(hash(key + 1'000'000));
  // 131,072 keys have been given a target in turn, which leaves it to the third: 0 is chosen for anew.
  EXPECT_EQ(first, 0u);
  EXPECT_EQ(balancer.select(hash(uint64_t{0})), 2u);
}

TEST(LeastWork, ChoosesTheLeastBusyForItsWeight) {
  LeastWorkBalancer balancer({{"a"}, {"b", 2}});
  EXPECT_EQ(choices(balancer, 6), "abbabb");
  EXPECT_EQ(balancer.active(0), 2u);
  EXPECT_EQ(balancer.active(1), 4u);
  balancer.deselect(0);
  balancer.deselect(0);
  EXPECT_EQ(choices(balancer, 2), "aa");
}

TEST(LeastWork, WorkThatComesOneByOneIsSpreadToo) {
  LeastWorkBalancer balancer({{"a"}, {"b"}, {"c"}});
  std::string order;
  for (int i = 0; i < 6; ++i) {
    const auto index = balancer.select();
    order += balancer.targets()[*index].name;
    balancer.deselect(*index);
  }
  EXPECT_EQ(order, "abcabc");
}

TEST(LeastWork, AWeightOfZeroIsNeverChosenAndMayComeBack) {
  LeastWorkBalancer balancer({{"a", 0}, {"b"}});
  EXPECT_EQ(choices(balancer, 3), "bbb");
  balancer.set("a", 1);
  EXPECT_EQ(choices(balancer, 3), "aaa");
  balancer.set("a", 0);
  balancer.set("b", 0);
  EXPECT_EQ(choices(balancer, 1), "-");
}

TEST(LeastWork, TooManyDeselectsChangeNothing) {
  LeastWorkBalancer balancer({{"a"}, {"b"}});
  balancer.deselect(0);
  balancer.deselect(7);
  EXPECT_EQ(balancer.active(0), 0u);
  EXPECT_EQ(choices(balancer, 4), "abab");
}

TEST(LeastWork, AStickyKeyCountsAsWork) {
  LeastWorkBalancer balancer({{"a"}, {"b"}});
  EXPECT_EQ(balancer.select(hash("ann")), 0u);
  EXPECT_EQ(balancer.select(hash("ann")), 0u);
  EXPECT_EQ(balancer.active(0), 2u);
  EXPECT_EQ(choices(balancer, 2), "bb");
}

constexpr uint64_t keys = 20'000;

std::map<uint64_t, std::string> all_choices(HashingBalancer& balancer) {
  std::map<uint64_t, std::string> chosen;
  for (uint64_t key = 0; key < keys; ++key)
    chosen[key] = balancer.targets()[*balancer.select(hash(key))].name;
  return chosen;
}
double share(const std::map<uint64_t, std::string>& chosen, const std::string& name) {
  uint64_t count = 0;
  for (const auto& [key, target] : chosen) count += target == name ? 1 : 0;
  return static_cast<double>(count) / static_cast<double>(keys);
}

TEST(Hashing, SpreadsKeysByWeight) {
  HashingBalancer even({{"a"}, {"b"}, {"c"}, {"d"}});
  HashingBalancer uneven({{"a", 1}, {"b", 3}, {"c", 0}});
  for (const char* name : {"a", "b", "c", "d"}) EXPECT_NEAR(share(all_choices(even), name), 0.25, 0.02);
  EXPECT_NEAR(share(all_choices(uneven), "a"), 0.25, 0.02);
  EXPECT_NEAR(share(all_choices(uneven), "b"), 0.75, 0.02);
  EXPECT_EQ(share(all_choices(uneven), "c"), 0);
}

TEST(Hashing, DoesNotDependOnTheOrderOfDeclaration) {
  HashingBalancer one({{"a"}, {"b"}, {"c"}});
  HashingBalancer two({{"c"}, {"a"}, {"b"}});
  EXPECT_EQ(all_choices(one), all_choices(two));
}

struct MoveCase {
  std::vector<BalancerTarget> before;
  BalancerTarget change;
  double moved;
  friend void PrintTo(const MoveCase& test, std::ostream* out) {
    *out << test.before.size() << " targets, then " << test.change.name << " " << test.change.weight;
  }
};
class MovementTest : public testing::TestWithParam<MoveCase> {};
TEST_P(MovementTest, OnlyKeysOfTheChangedTargetMove) {
  HashingBalancer balancer(GetParam().before);
  const auto before = all_choices(balancer);
  balancer.set(GetParam().change.name, GetParam().change.weight);
  const auto after = all_choices(balancer);
  uint64_t moved = 0;
  for (const auto& [key, target] : before) {
    if (after.at(key) == target) continue;
    ++moved;
    EXPECT_TRUE(target == GetParam().change.name || after.at(key) == GetParam().change.name);
  }
  EXPECT_NEAR(static_cast<double>(moved) / static_cast<double>(keys), GetParam().moved, 0.02);
}
INSTANTIATE_TEST_SUITE_P(Changes, MovementTest,
                         testing::Values(MoveCase{{{"a"}, {"b"}, {"c"}}, {"d", 1}, 0.25},
                                         MoveCase{{{"a"}, {"b"}, {"c"}, {"d"}}, {"b", 0}, 0.25},
                                         MoveCase{{{"a"}, {"b"}}, {"b", 3}, 0.25},
                                         MoveCase{{{"a"}, {"b", 3}}, {"b", 1}, 0.25},
                                         MoveCase{{{"a"}, {"b"}}, {"b", 1}, 0}));

TEST(Hashing, WithoutAKeyTheChoicesAreSpread) {
  HashingBalancer balancer({{"a"}, {"b"}});
  const std::string order = choices(balancer, 1000);
  EXPECT_NEAR(static_cast<double>(std::count(order.begin(), order.end(), 'a')), 500, 60);
  HashingBalancer silent({{"a", 0}});
  EXPECT_EQ(silent.select(hash("x")), std::nullopt);
}

}  // namespace
}  // namespace perilune::algo
