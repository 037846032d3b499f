#include <gtest/gtest.h>

#include "unit/algo/pool_world.hpp"

namespace perilune::algo {
namespace {

using Names = PoolWorld::Names;

TEST(PoolLimits, S20_BelowBothLimitsOneIsAllocated) {
  PoolWorld world({.key = {.max = 2}, .total_max = 3});
  EXPECT_NE(world.take("a"), nullptr);
  EXPECT_NE(world.take("a"), nullptr);
  EXPECT_NE(world.take("b"), nullptr);
}

TEST(PoolLimits, S21_AtTheKeysLimitOneWaits) {
  PoolWorld world({.key = {.max = 1}});
  world.take("a");
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Queued);
  EXPECT_EQ(world.wait("b").answer.kind, Kind::Allocate);
}

TEST(PoolLimits, S22_EvictsLeastRecentlyUsedOfAnyKey) {
  PoolWorld world({.total_max = 3});
  Thing* a = world.take("a");
  Thing* b = world.take("b");
  Thing* c = world.take("c");
  world.give(b);
  world.give(a);
  world.give(c);
  EXPECT_NE(world.take("d"), nullptr);
  EXPECT_EQ(world.closed, Names{"b1 evicted"});
  world.give(world.take("a"));  // used again: now c is the least recent
  EXPECT_NE(world.take("e"), nullptr);
  EXPECT_EQ(world.closed, (Names{"b1 evicted", "c1 evicted"}));
  EXPECT_EQ(world.pool.stats().used(), 3u);
}

TEST(PoolLimits, S23_AReleaseAtAnotherKeyClosesAndGivesItsSlotToTheWaiter) {
  PoolWorld world({.total_max = 1});
  Thing* a = world.take("a");
  Wish& waiter = world.wait("b");
  ASSERT_EQ(waiter.answer.kind, Kind::Queued);
  world.give(a);
  EXPECT_EQ(world.closed, Names{"a1 evicted"});
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
  EXPECT_EQ(world.pool.stats().used(), 1u);
  world.commit(waiter.answer.ticket);
}

TEST(PoolLimits, S23_ADiscardedOneGivesItsSlotToTheWaiterOfAnotherKey) {
  PoolWorld world({.total_max = 1});
  Thing* a = world.take("a");
  Wish& waiter = world.wait("b");
  world.give(a, Verdict::Discard);
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
  EXPECT_EQ(world.closed, Names{"a1 discarded"});
}

TEST(PoolLimits, S24_ABusyKeyDoesNotStarveTheWaitersOfOthers) {
  PoolWorld world({.total_max = 1, .queue_timeout = forever});
  Thing* a = world.take("a");
  world.wait("a");
  Wish& other = world.wait("b");
  world.wait("a");
  world.give(a);  // to the eldest, of the same key
  EXPECT_EQ(other.answer.kind, Kind::Queued);
  world.give(a);  // b's is older than what still waits for a
  EXPECT_EQ(other.answer.kind, Kind::Allocate);
  EXPECT_EQ(world.closed, Names{"a1 evicted"});
}

TEST(PoolLimits, S25_LoweringALimitClosesIdleOnesFirstAndLeasedOnesOnRelease) {
  PoolWorld world;
  std::vector<Thing*> things;
  for (int i = 0; i < 4; ++i) things.push_back(world.take("a"));
  world.give(things[0]);
  world.give(things[1]);
  world.set({.key = {.max = 3}});
  EXPECT_EQ(world.closed, Names{"a1 over-limit"});
  world.set({.key = {.max = 1}});
  EXPECT_EQ(world.closed, (Names{"a1 over-limit", "a2 over-limit"}));
  EXPECT_EQ(world.pool.stats().leased, 2u);
  world.give(things[2]);
  EXPECT_EQ(world.closed.back(), "a3 over-limit");
  world.give(things[3]);
  EXPECT_EQ(world.pool.stats().idle, 1u);
}

TEST(PoolLimits, S25_LoweringTheTotalClosesTheLeastRecentlyUsedOfAnyKey) {
  PoolWorld world;
  Thing* a = world.take("a");
  Thing* b = world.take("b");
  Thing* c = world.take("c");
  world.give(b);
  world.give(a);
  world.set({.total_max = 2});
  EXPECT_EQ(world.closed, Names{"b1 over-limit"});
  world.set({.total_max = 1});
  EXPECT_EQ(world.closed.back(), "a1 over-limit");
  EXPECT_EQ(c->state(), PoolEntry::State::Leased);
}

TEST(PoolLimits, S25_AnOverLimitReleaseIsNotHandedToAWaiter) {
  PoolWorld world({.key = {.max = 2}});
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  Wish& waiter = world.wait("a");
  world.set({.key = {.max = 1}});
  world.give(one);
  EXPECT_FALSE(waiter.is_answered);
  world.give(two);
  EXPECT_EQ(PoolWorld::thing_of(waiter), two);
}

TEST(PoolLimits, S25_RaisingALimitServesThoseWhoWait) {
  PoolWorld world({.key = {.max = 1}, .total_max = 1});
  world.take("a");
  Wish& same = world.wait("a");
  Wish& other = world.wait("b");
  world.set({.key = {.max = 1}, .total_max = 3});
  EXPECT_FALSE(same.is_answered);
  EXPECT_EQ(other.answer.kind, Kind::Allocate);
  world.set({.key = {.max = 2}, .total_max = 3});
  EXPECT_EQ(same.answer.kind, Kind::Allocate);
}

TEST(PoolLimits, S26_AKeysOwnRulesBeatTheDefaultUntilTheyAreRemoved) {
  PoolWorld world({.key = {.max = 1}});
  world.pool.set_key_rules(world.key("a"), PoolKeyRules{.max = 2}, world.now);
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  ASSERT_NE(two, nullptr);
  EXPECT_EQ(world.take("a"), nullptr);
  world.take("b");
  EXPECT_EQ(world.take("b"), nullptr);

  world.pool.set_key_rules(world.key("a"), std::nullopt, world.now);
  world.give(one);
  EXPECT_EQ(world.closed, Names{"a1 over-limit"});
  world.give(two);
  EXPECT_EQ(world.pool.stats().idle, 1u);
}

TEST(PoolLimits, S26_AKeyWithItsOwnRulesIsNotForgottenWhenItIsEmpty) {
  PoolWorld world({.key = {.max = 1}});
  world.pool.set_key_rules(world.key("a"), PoolKeyRules{.max = 2}, world.now);
  world.give(world.take("a"), Verdict::Discard);
  EXPECT_TRUE(world.vacant.empty());
  world.take("a");
  EXPECT_NE(world.take("a"), nullptr);
  world.pool.set_key_rules(world.key("b"), PoolKeyRules{.max = 2}, world.now);
  world.pool.set_key_rules(world.key("b"), std::nullopt, world.now);
  world.settle();
  EXPECT_EQ(world.vacant, Names{"b"});
}

TEST(PoolLimits, S27_TooManyIdleOfAKeyClosesTheOldest) {
  PoolWorld world({.key = {.idle_max = 2}});
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  Thing* three = world.take("a");
  world.give(two);
  world.give(one);
  world.give(three);
  EXPECT_EQ(world.closed, Names{"a2 idle-limit"});
  world.set({.key = {.idle_max = 1}});
  EXPECT_EQ(world.closed, (Names{"a2 idle-limit", "a1 idle-limit"}));
}

TEST(PoolLimits, S27_OrTheReturningOneWhenAskedTo) {
  PoolWorld world({.key = {.idle_max = 1, .overflow = IdleOverflow::CloseReturning}});
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  world.give(one);
  world.give(two);
  EXPECT_EQ(world.closed, Names{"a2 idle-limit"});
}

TEST(PoolLimits, S27_TooManyIdleInAllClosesTheLeastRecentlyUsed) {
  PoolWorld world({.idle_max = 2});
  Thing* a = world.take("a");
  Thing* b = world.take("b");
  Thing* c = world.take("c");
  world.give(b);
  world.give(a);
  world.give(c);
  EXPECT_EQ(world.closed, Names{"b1 idle-limit"});
  EXPECT_EQ(world.vacant, Names{"b"});
}

TEST(PoolLimits, S28_IdleMaxZeroKeepsNothingButServesWaiters) {
  PoolWorld world({.key = {.max = 1, .idle_max = 0}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wait("a");
  world.give(thing);
  EXPECT_EQ(PoolWorld::thing_of(waiter), thing);
  world.give(thing);
  EXPECT_EQ(world.closed, Names{"a1 idle-limit"});
  EXPECT_EQ(world.vacant, Names{"a"});
}

TEST(PoolLimits, S30_AllocationsUnderWayCount) {
  PoolWorld world({.key = {.max = 2}, .total_max = 3});
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Allocate);
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Allocate);
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Queued);
  EXPECT_EQ(world.wait("b").answer.kind, Kind::Allocate);
  EXPECT_EQ(world.wait("c").answer.kind, Kind::Queued);
  EXPECT_EQ(world.pool.stats().pending, 3u);
}

TEST(PoolLimits, S31_AFailedAllocationGivesItsSlotToTheNextWaiter) {
  PoolWorld world({.key = {.max = 1}, .total_max = 1});
  Wish& first = world.wait("a");
  Wish& other = world.wait("b");
  Wish& second = world.wait("a");
  world.abort(first.answer.ticket);
  EXPECT_EQ(other.answer.kind, Kind::Allocate);
  world.abort(other.answer.ticket);
  EXPECT_EQ(second.answer.kind, Kind::Allocate);
  world.abort(second.answer.ticket);
  EXPECT_EQ(world.pool.stats().used(), 0u);
  EXPECT_EQ(world.pool.stats().allocate_failed, 3u);
  EXPECT_EQ(world.vacant, (Names{"b", "a"}));
}

TEST(PoolLimits, S34_WithoutAQueueALeaseAtTheLimitEvictsOrFailsAtOnce) {
  PoolWorld world({.total_max = 1, .queue_max = 0});
  Thing* a = world.take("a");
  Wish& waiter = world.wait("b");
  EXPECT_EQ(waiter.answer.kind, Kind::Failed);
  EXPECT_EQ(waiter.answer.code, ErrorCode::QueueFull);
  world.give(a);
  EXPECT_NE(world.take("b"), nullptr);
  EXPECT_EQ(world.closed, Names{"a1 evicted"});
}

TEST(PoolLimits, S35_AnEmptyKeyMayHaveOneBeyondTheTotalWhenAllowed) {
  PoolWorld world({.total_max = 1, .empty_key = EmptyKey::Overflows});
  Thing* a = world.take("a");
  Thing* b = world.take("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(world.take("b"), nullptr);
  EXPECT_EQ(world.pool.stats().overflowed, 1u);
  world.give(b);
  EXPECT_EQ(world.closed, Names{"b1 over-limit"});
  world.give(a);
  EXPECT_EQ(world.pool.stats().idle, 1u);
}

TEST(PoolLimits, S35_AWaiterWhoseKeyBecameEmptyOverflowsToo) {
  PoolWorld world({.total_max = 1, .empty_key = EmptyKey::Overflows});
  world.take("a");
  Thing* b = world.take("b");
  Wish& elder = world.wait("a");
  Wish& waiter = world.wait("b");
  world.give(b, Verdict::Discard);
  EXPECT_FALSE(elder.is_answered);
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
}

TEST(PoolLimits, StatsOfEachKeyAddUpToThoseOfThePool) {
  PoolWorld world({.key = {.max = 2}, .total_max = 3});
  world.give(world.take("a"));
  world.take("a");
  world.wait("b");
  world.wait("b");
  world.wait("b");
  const PoolStats& a = world.key("a").stats();
  const PoolStats& b = world.key("b").stats();
  EXPECT_EQ(a.leased, 1u);
  EXPECT_EQ(a.reused, 1u);
  EXPECT_EQ(b.pending, 2u);
  EXPECT_EQ(b.waiting, 1u);
  EXPECT_EQ(world.pool.stats().used(), a.used() + b.used());
  EXPECT_EQ(world.pool.stats().waiting, 1u);
}

}  // namespace
}  // namespace perilune::algo
