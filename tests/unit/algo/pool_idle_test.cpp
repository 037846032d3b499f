#include <gtest/gtest.h>

#include "unit/algo/pool_world.hpp"

namespace perilune::algo {
namespace {

using Names = PoolWorld::Names;

TEST(PoolIdle, S50_TheIdleTimeoutCountsFromTheLastRelease) {
  PoolWorld world({.key = {.idle_timeout = 10s}});
  Thing* thing = world.take("a");
  world.pass(60s);
  world.give(thing);
  world.pass(9s);
  world.give(world.take("a"));  // a lease ends it, the release begins it anew
  world.pass(10s - 1ns);
  EXPECT_EQ(thing->state(), PoolEntry::State::Idle);
  world.pass(1ns);
  EXPECT_EQ(world.closed, Names{"a1 idle-timeout"});
}

TEST(PoolIdle, S50_EachOneExpiresAtItsOwnTime) {
  PoolWorld world({.key = {.idle_timeout = 10s}});
  Thing* one = world.take("a");
  Thing* two = world.take("b");
  world.give(one);
  world.pass(3s);
  world.give(two);
  world.pass(7s);
  EXPECT_EQ(world.closed, Names{"a1 idle-timeout"});
  world.pass(3s);
  EXPECT_EQ(world.closed.size(), 2u);
  EXPECT_EQ(world.pool.next_due(), Instant::max());
}

TEST(PoolIdle, S51_AnIdleTimeoutNeverClosesWhatWasHandedOut) {
  PoolWorld world({.key = {.max = 1, .idle_timeout = 10s}});
  Thing* thing = world.take("a");
  world.give(thing);
  world.now += 10s - 1ns;
  ASSERT_EQ(world.take("a"), thing);
  world.pass(100s);
  EXPECT_TRUE(world.closed.empty());

  Wish& waiter = world.wish();
  world.pool.lease(world.key("a"), waiter, world.now);
  world.pool.release(*thing, Verdict::Keep, world.now);
  world.now += 2s;
  world.pool.advance(world.now + 100s);  // handed over, not popped
  world.settle();
  EXPECT_EQ(PoolWorld::thing_of(waiter), thing);
}

struct RefusedCase {
  PoolRules rules;
  std::string word;
  friend void PrintTo(const RefusedCase& test, std::ostream* out) { *out << test.word; }
};
class PoolRulesTest : public testing::TestWithParam<RefusedCase> {};
TEST_P(PoolRulesTest, S52_WhatHasTwoMeaningsIsRefusedByName) {
  const auto result = check_rules(GetParam().rules);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().side, Side::Script);
  EXPECT_NE(result.error().detail.find(GetParam().word), std::string::npos) << result.error().detail;
}
INSTANTIATE_TEST_SUITE_P(Rules, PoolRulesTest,
                         testing::Values(RefusedCase{{.key = {.idle_timeout = 0s}}, "idleTimeout"},
                                         RefusedCase{{.key = {.idle_timeout = -1s}}, "math.huge"},
                                         RefusedCase{{.key = {.ttl = 0s}}, "ttl"},
                                         RefusedCase{{.key = {.validate_after = -1s}}, "validateAfter"},
                                         RefusedCase{{.key = {.max = 0}}, "max"},
                                         RefusedCase{{.key = {.uses_max = 0}}, "maxUses"},
                                         RefusedCase{{.total_max = 0}, "total"},
                                         RefusedCase{{.queue_timeout = 0s}, "queueTimeout"}));

TEST(PoolIdle, S52_WhatHasOneMeaningIsTaken) {
  EXPECT_TRUE(check_rules(PoolRules{}));
  EXPECT_TRUE(
      check_rules(PoolRules{.key = {.idle_max = 0, .validate_after = 0s}, .idle_max = 0, .queue_max = 0}));
}

TEST(PoolIdle, S53_TtlClosesWhileIdleAtOnce) {
  PoolWorld world({.key = {.ttl = 10s}});
  Thing* thing = world.take("a");
  world.pass(4s);
  world.give(thing);
  world.pass(6s - 1ns);
  EXPECT_TRUE(world.closed.empty());
  world.pass(1ns);
  EXPECT_EQ(world.closed, Names{"a1 ttl"});
}

TEST(PoolIdle, S53_S54_TtlClosesTheLeasedWhenItIsReleased) {
  PoolWorld world({.key = {.ttl = 10s}});
  Thing* thing = world.take("a");
  world.pass(60s);
  EXPECT_EQ(thing->state(), PoolEntry::State::Leased);
  world.give(thing);
  EXPECT_EQ(world.closed, Names{"a1 ttl"});
}

TEST(PoolIdle, S53_TtlBeginsWhenTheAllocationIsOver) {
  PoolWorld world({.key = {.ttl = 10s}});
  Wish& waiter = world.wait("a");
  world.pass(60s);
  Thing* thing = world.commit(waiter.answer.ticket);
  world.give(thing);
  world.pass(10s - 1ns);
  EXPECT_EQ(thing->state(), PoolEntry::State::Idle);
}

TEST(PoolIdle, S53_AnExpiredLeaseIsNotHandedToAWaiterWhoAllocatesInstead) {
  PoolWorld world({.key = {.max = 1, .ttl = 10s}, .queue_timeout = forever});
  Thing* thing = world.take("a");
  Wish& waiter = world.wait("a");
  world.pass(10s);
  world.give(thing);
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
}

TEST(PoolIdle, S55_TheLastUseIsServedAndThenItCloses) {
  PoolWorld world({.key = {.uses_max = 3}});
  for (int use = 1; use <= 3; ++use) {
    Thing* thing = world.take("a");
    EXPECT_EQ(thing->name, "a1");
    world.give(thing);
  }
  EXPECT_EQ(world.closed, Names{"a1 uses-spent"});
  EXPECT_EQ(world.take("a")->name, "a2");
}

TEST(PoolIdle, S56_AnEntrysOwnLimitShortensItsIdleTime) {
  PoolWorld world({.key = {.idle_timeout = 30s}});
  Thing* thing = world.take("a");
  world.give(thing);
  world.pass(20s);
  EXPECT_EQ(world.take("a"), thing);
  thing->limit_idle(4s);
  world.give(thing);
  world.pass(4s);
  EXPECT_EQ(world.closed, Names{"a1 idle-timeout"});
  Thing* other = world.take("a");
  other->limit_idle(100s);  // longer than the rule: the rule holds
  world.give(other);
  world.pass(30s);
  EXPECT_EQ(world.closed.size(), 2u);
}

TEST(PoolIdle, S59_JitterSpreadsTheEndsOfWhatBeganTogether) {
  PoolWorld world({.key = {.ttl = 100s}});
  Wish& one = world.wait("a");
  Wish& two = world.wait("a");
  world.give(world.commit(one.answer.ticket, -10s));
  world.give(world.commit(two.answer.ticket, 10s));
  world.pass(90s);
  EXPECT_EQ(world.closed, Names{"a1 ttl"});
  world.pass(20s - 1ns);
  EXPECT_EQ(world.closed.size(), 1u);
  world.pass(1ns);
  EXPECT_EQ(world.closed.size(), 2u);
}

TEST(PoolIdle, AChangedIdleTimeoutHoldsForWhatIsIdleAlready) {
  PoolWorld world({.key = {.idle_timeout = 30s}});
  world.give(world.take("a"));
  world.pass(5s);
  world.set({.key = {.idle_timeout = 10s}});
  world.pass(5s);
  EXPECT_EQ(world.closed, Names{"a1 idle-timeout"});

  world.give(world.take("a"));
  world.set({.key = {.idle_timeout = 60s}});
  world.pass(60s - 1ns);
  EXPECT_EQ(world.closed.size(), 1u);
  world.pass(1ns);
  EXPECT_EQ(world.closed.size(), 2u);
}

TEST(PoolDrain, S90_ExistingOnesGoAndNewLeasesGoOn) {
  PoolWorld world;
  Thing* busy = world.take("a");
  Thing* idle = world.take("a");
  world.give(idle);
  world.drain(Drain::Existing);
  EXPECT_EQ(world.closed, Names{"a2 drained"});
  Thing* fresh = world.take("a");
  ASSERT_NE(fresh, nullptr);
  world.give(busy);
  EXPECT_EQ(world.closed.back(), "a1 drained");
  world.give(fresh);
  EXPECT_EQ(fresh->state(), PoolEntry::State::Idle);
}

TEST(PoolDrain, S91_ARefusingKeyServesItsWaitersAndIsThenLetGoOnce) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wait("a");
  world.pool.drain(world.key("a"), Drain::Refuse, world.now);
  EXPECT_EQ(world.wait("a").answer.code, ErrorCode::Draining);
  EXPECT_NE(world.take("b"), nullptr);
  world.give(thing);
  EXPECT_EQ(world.closed, Names{"a1 drained"});
  ASSERT_EQ(waiter.answer.kind, Kind::Allocate);
  Thing* last = world.commit(waiter.answer.ticket);
  world.give(last);
  EXPECT_EQ(world.closed.back(), "a2 drained");
  EXPECT_EQ(world.vacant, Names{"a"});
  EXPECT_NE(world.take("a"), nullptr);
}

TEST(PoolDrain, S92_AnAllocationUnderWayIsClosedUnlessSomebodyWaitsForIt) {
  PoolWorld world({.binding = PoolBinding::First});
  Wish& gone = world.wait("a");
  Wish& waiting = world.wait("b");
  const PoolTicket first = gone.answer.ticket;
  const PoolTicket second = waiting.answer.ticket;
  world.cancel(gone);
  world.drain(Drain::Existing);
  world.commit(first);
  EXPECT_EQ(world.closed, Names{"a1 drained"});
  Thing* thing = world.commit(second);
  EXPECT_EQ(PoolWorld::thing_of(waiting), thing);
  world.give(thing);
  EXPECT_EQ(world.closed.back(), "b1 drained");
}

TEST(PoolDrain, AWholePoolRefusesUntilItIsReopened) {
  PoolWorld world;
  world.give(world.take("a"));
  world.drain(Drain::Refuse);
  EXPECT_EQ(world.take("a"), nullptr);
  EXPECT_EQ(world.take("b"), nullptr);
  world.pool.reopen();
  EXPECT_NE(world.take("b"), nullptr);
}

TEST(PoolDrain, ShuttingDownFailsEveryWaiterAndGivesUpEveryAllocation) {
  for (const PoolBinding binding : {PoolBinding::Own, PoolBinding::First}) {
    PoolWorld world({.key = {.max = 2}, .binding = binding});
    world.give(world.take("b"));
    Wish& allocating = world.wait("a");
    Wish& cancelled = world.wait("a");
    Wish& queued = world.wait("a");
    Wish& told = world.wish();
    world.pool.lease(world.key("a"), told, world.now);
    world.pool.abort(allocating.answer.ticket, ErrorCode::Reset, world.now);
    if (binding == PoolBinding::First) world.pool.cancel(cancelled, world.now);
    world.pool.shut_down(world.now);
    world.settle();
    EXPECT_EQ(queued.answer.code, ErrorCode::Draining);
    EXPECT_EQ(told.answer.code, ErrorCode::Draining);
    EXPECT_EQ(world.pool.stats().used(), 0u);
    EXPECT_EQ(world.closed, Names{"b1 drained"});
    EXPECT_EQ(world.vacant.size(), 2u);
  }
}

}  // namespace
}  // namespace perilune::algo
