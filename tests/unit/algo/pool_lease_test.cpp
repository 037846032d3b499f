#include <gtest/gtest.h>

#include "unit/algo/pool_world.hpp"

namespace perilune::algo {
namespace {

using Names = PoolWorld::Names;

TEST(PoolLease, S11_AFreshIdleOneIsLeasedWithoutAllocatingOrWaiting) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  world.give(thing);
  Wish& waiter = world.wait("a");
  EXPECT_EQ(waiter.answer.kind, Kind::Leased);
  EXPECT_EQ(waiter.answer.entry, thing);
  EXPECT_EQ(world.pool.stats().allocated, 1u);
  EXPECT_EQ(world.pool.stats().queued, 0u);
}

struct OrderCase {
  PoolOrder order;
  std::string next;
  friend void PrintTo(const OrderCase& test, std::ostream* out) { *out << test.next; }
};
class PoolOrderTest : public testing::TestWithParam<OrderCase> {};
TEST_P(PoolOrderTest, S12_S13_LastOrFirstReleasedIsLeasedNext) {
  PoolWorld world({.key = {.order = GetParam().order}});
  Thing* first = world.take("a");
  Thing* second = world.take("a");
  world.give(first);
  world.give(second);
  EXPECT_EQ(world.take("a")->name, GetParam().next);
}
INSTANTIATE_TEST_SUITE_P(Orders, PoolOrderTest,
                         testing::Values(OrderCase{PoolOrder::Lifo, "a2"}, OrderCase{PoolOrder::Fifo, "a1"}));

struct ShrinkCase {
  PoolOrder order;
  uint32_t left;
  friend void PrintTo(const ShrinkCase& test, std::ostream* out) { *out << test.left; }
};
class PoolShrinkTest : public testing::TestWithParam<ShrinkCase> {};
TEST_P(PoolShrinkTest, S14_WithFallingLoadLifoShrinksThePoolAndFifoDoesNot) {
  PoolWorld world({.key = {.idle_timeout = 10s, .order = GetParam().order}});
  std::vector<Thing*> things;
  for (int i = 0; i < 4; ++i) things.push_back(world.take("a"));
  for (Thing* thing : things) world.give(thing);
  for (int second = 0; second < 20; ++second) {
    world.pass(1s);
    world.give(world.take("a"));
  }
  EXPECT_EQ(world.pool.stats().idle, GetParam().left);
  EXPECT_EQ(world.pool.stats().allocated, 4u);
}
INSTANTIATE_TEST_SUITE_P(Orders, PoolShrinkTest,
                         testing::Values(ShrinkCase{PoolOrder::Lifo, 1}, ShrinkCase{PoolOrder::Fifo, 4}));

TEST(PoolLease, S15_ExpiredOnesMetOnTheWayAreClosedAndTheSearchGoesOn) {
  PoolWorld world({.key = {.idle_timeout = 10s, .order = PoolOrder::Fifo}});
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  Thing* three = world.take("a");
  world.give(one);
  world.give(two);
  world.now += 6s;
  world.give(three);
  world.now += 4s;  // nobody called advance
  Wish& waiter = world.wait("a");
  EXPECT_EQ(waiter.answer.entry, three);
  EXPECT_EQ(world.closed, (Names{"a1 idle-timeout", "a2 idle-timeout"}));
}

TEST(PoolLease, S16_OnlyWhatWasIdleForLongIsToBeValidated) {
  PoolWorld world({.key = {.validate_after = 2s}});
  world.give(world.take("a"));
  world.now += 2s - 1ns;
  Wish& soon = world.wait("a");
  EXPECT_FALSE(soon.answer.must_validate);
  world.give(PoolWorld::thing_of(soon));
  world.now += 2s;
  EXPECT_TRUE(world.wait("a").answer.must_validate);
}

TEST(PoolLease, S16_WithoutAThresholdNothingIsValidated) {
  PoolWorld world;
  world.give(world.take("a"));
  world.now += 1000h;
  EXPECT_FALSE(world.wait("a").answer.must_validate);
}

TEST(PoolLease, S16_AFailedValidationGoesOnWithTheNextIdleOne) {
  PoolWorld world({.key = {.max = 2}});
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  world.give(one);
  world.give(two);
  Thing* leased = world.take("a");
  ASSERT_EQ(leased, two);
  const LeaseResult result = world.pool.replace(*leased, world.wish(), world.now);
  world.settle();
  EXPECT_EQ(result.kind, Kind::Leased);
  EXPECT_EQ(result.entry, one);
  EXPECT_EQ(world.closed, Names{"a2 discarded"});
}

TEST(PoolLease, S16_AFailedValidationKeepsItsSlotThoughOthersWait) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& other = world.wait("a");
  const LeaseResult result = world.pool.replace(*thing, world.wish(), world.now);
  world.settle();
  ASSERT_EQ(result.kind, Kind::Allocate);
  EXPECT_FALSE(other.is_answered);
  EXPECT_EQ(world.pool.stats().used(), 1u);
  Thing* fresh = world.commit(result.ticket);
  EXPECT_EQ(fresh->state(), PoolEntry::State::Leased);
  world.give(fresh);
  EXPECT_EQ(PoolWorld::thing_of(other), fresh);
}

TEST(PoolLease, S19_AnEntryKnowsHowOftenItWasLeased) {
  PoolWorld world;
  for (uint32_t uses = 1; uses <= 3; ++uses) {
    Thing* thing = world.take("a");
    EXPECT_EQ(thing->uses(), uses);
    world.give(thing);
  }
  EXPECT_EQ(world.pool.stats().reused, 2u);
  EXPECT_EQ(world.key("a").stats().reused, 2u);
}

TEST(PoolLease, S10_AKeyOfWhichNothingIsLeftIsLetGo) {
  PoolWorld world({.key = {.idle_timeout = 1s}});
  world.give(world.take("a"));
  EXPECT_TRUE(world.vacant.empty());
  world.pass(1s);
  EXPECT_EQ(world.vacant, Names{"a"});
  EXPECT_FALSE(world.key("a").is_attached());
  EXPECT_NE(world.take("a"), nullptr);  // and it can come back
}

TEST(PoolLease, S10_AFailedLookupLeavesNoKeyBehind) {
  PoolWorld world;
  world.drain(Drain::Refuse);
  EXPECT_EQ(world.wait("a").answer.code, ErrorCode::Draining);
  EXPECT_EQ(world.vacant, Names{"a"});
}

TEST(PoolLease, S10_AVacantKeyThatIsLeasedAgainIsNotLetGo) {
  PoolWorld world;
  Thing* thing = world.take("a");
  world.pool.release(*thing, Verdict::Discard, world.now);
  ASSERT_NE(world.pool.pop_closed(), nullptr);  // now it is vacant
  const LeaseResult result = world.pool.lease(world.key("a"), world.wish(), world.now);
  EXPECT_EQ(world.pool.pop_vacant(), nullptr);
  world.abort(result.ticket);
}

TEST(PoolLease, S80_ReleasingTwiceOrWhatIsForeignChangesNothing) {
  PoolWorld world;
  PoolWorld other;
  Thing* thing = world.take("a");
  Thing* foreign = other.take("a");
  Thing never;
  EXPECT_TRUE(world.give(thing));
  EXPECT_FALSE(world.give(thing));
  EXPECT_FALSE(world.give(foreign));
  EXPECT_FALSE(world.give(&never));
  EXPECT_EQ(world.pool.stats().idle, 1u);
  EXPECT_EQ(world.pool.stats().leased, 0u);
  EXPECT_EQ(foreign->state(), PoolEntry::State::Leased);
}

TEST(PoolLease, S80_ADoubleReleaseCannotTakeTheEntryFromTheWaiterItWasHandedTo) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wish();
  world.pool.lease(world.key("a"), waiter, world.now);
  EXPECT_TRUE(world.pool.release(*thing, Verdict::Keep, world.now));
  EXPECT_FALSE(world.pool.release(*thing, Verdict::Discard, world.now));
  world.settle();
  EXPECT_EQ(PoolWorld::thing_of(waiter), thing);
}

TEST(PoolLease, S81_AnEntryDestroyedWithoutReleaseGivesItsSlotBack) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wait("a");
  world.destroy(thing);
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
  EXPECT_EQ(world.pool.stats().leased, 0u);
  EXPECT_EQ(world.pool.stats().closed_for(CloseReason::Discarded), 1u);
  world.abort(waiter.answer.ticket);
}

TEST(PoolLease, S81_AnEntryDestroyedWhileIdleOrHandedOverIsNeverLeased) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  world.give(thing);
  world.destroy(thing);
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Allocate);

  PoolWorld handing({.key = {.max = 1}});
  thing = handing.take("a");
  Wish& waiter = handing.wish();
  handing.pool.lease(handing.key("a"), waiter, handing.now);
  handing.pool.release(*thing, Verdict::Keep, handing.now);
  handing.destroy(thing);
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
  EXPECT_EQ(handing.pool.stats().used(), 1u);
}

TEST(PoolLease, S65_AnIdleEntryThatTheOtherSideClosedIsOutAtOnce) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  world.give(thing);
  world.pool.discard(*thing, world.now);
  world.settle();
  EXPECT_EQ(world.closed, Names{"a1 discarded"});
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Allocate);
}

TEST(PoolLease, S117_TheAllocatorIsAskedOnlyWhenNothingIsFree) {
  PoolWorld world;
  Thing* one = world.take("a");
  Thing* two = world.take("a");
  EXPECT_NE(one, two);
  world.give(one);
  EXPECT_EQ(world.take("a"), one);
  EXPECT_NE(world.take("b"), one);
  EXPECT_EQ(world.pool.stats().allocated, 3u);
}

TEST(PoolLease, S117_WithoutRulesThePoolIsUnbounded) {
  PoolWorld world;
  for (int i = 0; i < 5000; ++i) ASSERT_NE(world.take("a"), nullptr);
  EXPECT_EQ(world.pool.stats().leased, 5000u);
}

}  // namespace
}  // namespace perilune::algo
