#include <gtest/gtest.h>

#include "unit/algo/pool_world.hpp"

namespace perilune::algo {
namespace {

using Names = PoolWorld::Names;

/// The order in which waiters are served when one thing goes round.
std::vector<size_t> order_served(PoolWorld& world, Thing* thing, const std::vector<Wish*>& waiters) {
  std::vector<size_t> order;
  for (size_t round = 0; round < waiters.size(); ++round) {
    world.give(thing);
    for (size_t i = 0; i < waiters.size(); ++i)
      if (PoolWorld::thing_of(*waiters[i]) == thing &&
          std::find(order.begin(), order.end(), i) == order.end())
        order.push_back(i);
  }
  return order;
}

TEST(PoolQueue, S36_WaitersOfAKeyAreServedInTheOrderOfArrival) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  std::vector<Wish*> waiters;
  for (int i = 0; i < 4; ++i) waiters.push_back(&world.wait("a"));
  EXPECT_EQ(order_served(world, thing, waiters), (std::vector<size_t>{0, 1, 2, 3}));
}

TEST(PoolQueue, S36_TenantsOfAKeyTakeTurns) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  std::vector<Wish*> waiters;
  for (const uint32_t tenant : {1u, 1u, 1u, 2u, 3u, 2u}) waiters.push_back(&world.wait("a", tenant));
  EXPECT_EQ(order_served(world, thing, waiters), (std::vector<size_t>{0, 3, 4, 1, 5, 2}));
}

TEST(PoolQueue, S36_ATenantWhoseWaiterGivesUpKeepsItsTurn) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& gone = world.wait("a", 1);
  Wish& next = world.wait("a", 1);
  Wish& other = world.wait("a", 2);
  world.cancel(gone);
  world.give(thing);
  EXPECT_TRUE(next.is_answered);
  EXPECT_FALSE(other.is_answered);
}

TEST(PoolQueue, S37_AKeyAtItsMaximumDoesNotBlockTheOthers) {
  PoolWorld world({.key = {.max = 1}, .total_max = 2});
  Thing* a = world.take("a");
  Thing* b = world.take("b");
  Wish& blocked = world.wait("b");  // at its own maximum
  Wish& later = world.wait("c");    // only the total is missing
  world.give(a);
  EXPECT_FALSE(blocked.is_answered);
  EXPECT_EQ(later.answer.kind, Kind::Allocate);
  world.give(b);
  EXPECT_EQ(PoolWorld::thing_of(blocked), b);
}

TEST(PoolQueue, S38_ANewcomerDoesNotOvertakeAWaiterOfItsKey) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wish();
  world.pool.lease(world.key("a"), waiter, world.now);
  world.pool.release(*thing, Verdict::Keep, world.now);  // handed over, not popped yet
  Wish& newcomer = world.wait("a");
  EXPECT_EQ(newcomer.answer.kind, Kind::Queued);
  EXPECT_EQ(PoolWorld::thing_of(waiter), thing);
}

TEST(PoolQueue, S38_NorWhenALimitIsRaised) {
  PoolWorld world({.key = {.max = 1}});
  world.take("a");
  Wish& waiter = world.wait("a");
  world.pool.set_rules({.key = {.max = 2}}, world.now);
  Wish& newcomer = world.wait("a");
  EXPECT_EQ(waiter.answer.kind, Kind::Allocate);
  EXPECT_EQ(newcomer.answer.kind, Kind::Queued);
}

TEST(PoolQueue, S40_TheQueueIsBoundedAndSaysSoAtOnce) {
  PoolWorld world({.key = {.max = 1}, .queue_max = 2});
  world.take("a");
  Wish& first = world.wait("a");
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Queued);
  Wish& third = world.wait("a");
  EXPECT_EQ(third.answer.kind, Kind::Failed);
  EXPECT_EQ(third.answer.code, ErrorCode::QueueFull);
  EXPECT_EQ(world.pool.stats().queue_full, 1u);
  world.cancel(first);
  EXPECT_EQ(world.wait("a").answer.kind, Kind::Queued);
}

TEST(PoolQueue, S40_TheDefaultBoundIs1024) {
  PoolWorld world({.key = {.max = 1}});
  world.take("a");
  for (int i = 0; i < 1024; ++i) ASSERT_EQ(world.wait("a").answer.kind, Kind::Queued);
  EXPECT_EQ(world.wait("a").answer.code, ErrorCode::QueueFull);
}

TEST(PoolQueue, S40_EachKeyHasABoundOfItsOwnAndAllHaveOneTogether) {
  PoolWorld world({.key = {.max = 1}, .queue_max = 2, .queue_total_max = 5});
  for (const char* key : {"a", "b", "c"}) world.take(key);
  for (const char* key : {"a", "a", "b", "b"}) EXPECT_EQ(world.wait(key).answer.kind, Kind::Queued) << key;
  EXPECT_EQ(world.wait("a").answer.code, ErrorCode::QueueFull);
  EXPECT_EQ(world.wait("c").answer.kind, Kind::Queued);
  EXPECT_EQ(world.wait("c").answer.code, ErrorCode::QueueFull) << "five wait already";
  EXPECT_EQ(world.pool.stats().queue_full, 2u);
}

TEST(PoolQueue, S40_TheDefaultBoundOverAllKeysIs16384) {
  PoolWorld world({.key = {.max = 1}, .queue_max = unlimited});
  world.take("a");
  for (int i = 0; i < 16384; ++i) ASSERT_EQ(world.wait("a").answer.kind, Kind::Queued);
  EXPECT_EQ(world.wait("a").answer.code, ErrorCode::QueueFull);
}

TEST(PoolQueue, S41_TheWaitEndsAtItsTimeThoughNothingIsEverReleased) {
  PoolWorld world({.key = {.max = 1}});
  world.take("a");
  world.pass(1s);
  Wish& waiter = world.wait("a");
  world.pass(5s - 1ns);
  EXPECT_FALSE(waiter.is_answered);
  world.pass(1ns);
  EXPECT_EQ(waiter.answer.kind, Kind::Failed);
  EXPECT_EQ(waiter.answer.code, ErrorCode::QueueTimeout);
  EXPECT_EQ(world.pool.stats().queue_timeout, 1u);
  EXPECT_EQ(world.pool.stats().waiting, 0u);
}

TEST(PoolQueue, S42_ARequestsOwnDeadlineEndsTheWaitEarlier) {
  PoolWorld world({.key = {.max = 1}});
  world.take("a");
  Wish& patient = world.wait("a");
  Wish& hurried = world.wish();
  hurried.deadline = world.now + 1s;
  world.ask("a", hurried);
  world.pass(1s);
  EXPECT_EQ(hurried.answer.code, ErrorCode::QueueTimeout);
  EXPECT_TRUE(hurried.is_answered);
  EXPECT_FALSE(patient.is_answered);
}

TEST(PoolQueue, S43_ACancelledWaiterIsGoneAtOnceAndNeverServed) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& gone = world.wait("a");
  Wish& next = world.wait("a");
  world.cancel(gone);
  EXPECT_EQ(world.pool.stats().waiting, 1u);
  EXPECT_EQ(world.pool.stats().cancelled, 1u);
  world.give(thing);
  EXPECT_FALSE(gone.is_answered);
  EXPECT_EQ(PoolWorld::thing_of(next), thing);
}

TEST(PoolQueue, S43_DestroyingAWaiterCancelsIt) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  {
    Wish waiter;
    world.ask("a", waiter);
    EXPECT_EQ(world.pool.stats().waiting, 1u);
  }
  EXPECT_EQ(world.pool.stats().waiting, 0u);
  world.give(thing);
  EXPECT_EQ(world.pool.stats().idle, 1u);
  EXPECT_EQ(world.pool.next_due(), Instant::max());
}

TEST(PoolQueue, S44_DeliveredBeforeTheTimeoutItIsNotTimedOut) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wish();
  world.pool.lease(world.key("a"), waiter, world.now);
  world.now += 5s;
  world.pool.release(*thing, Verdict::Keep, world.now);
  world.pool.advance(world.now);
  world.settle();
  EXPECT_EQ(PoolWorld::thing_of(waiter), thing);
  EXPECT_EQ(world.answered, 1);
  EXPECT_EQ(world.pool.stats().queue_timeout, 0u);
}

TEST(PoolQueue, S44_TimedOutBeforeTheDeliveryItGetsNothingAndNothingIsLost) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wish();
  world.pool.lease(world.key("a"), waiter, world.now);
  world.now += 5s;
  world.pool.advance(world.now);
  world.pool.release(*thing, Verdict::Keep, world.now);
  world.settle();
  EXPECT_EQ(waiter.answer.code, ErrorCode::QueueTimeout);
  EXPECT_EQ(world.answered, 1);
  EXPECT_EQ(thing->state(), PoolEntry::State::Idle);
}

TEST(PoolQueue, S44_CancelledAfterTheDeliveryTheEntryGoesToTheNextOrIsIdle) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& first = world.wish();
  Wish& second = world.wish();
  world.pool.lease(world.key("a"), first, world.now);
  world.pool.lease(world.key("a"), second, world.now);
  world.pool.release(*thing, Verdict::Keep, world.now);
  world.pool.cancel(first, world.now);
  EXPECT_EQ(thing->state(), PoolEntry::State::Handed);
  EXPECT_EQ(second.state(), PoolWaiter::State::Ready);
  world.pool.cancel(second, world.now);
  EXPECT_EQ(thing->state(), PoolEntry::State::Idle);
  EXPECT_EQ(thing->uses(), 1u);
  world.settle();
  EXPECT_EQ(world.answered, 0);
}

TEST(PoolQueue, S44_CancelledAfterBeingToldToAllocateTheSlotGoesToTheNext) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& first = world.wish();
  world.pool.lease(world.key("a"), first, world.now);
  Wish& second = world.wait("a");
  world.pool.release(*thing, Verdict::Discard, world.now);
  world.cancel(first);
  EXPECT_EQ(second.answer.kind, Kind::Allocate);
  EXPECT_EQ(world.pool.stats().used(), 1u);
}

TEST(PoolQueue, S44_CancellingOneThatIsThroughIsNothing) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  Wish& waiter = world.wait("a");
  world.give(thing);
  world.cancel(waiter);
  EXPECT_EQ(thing->state(), PoolEntry::State::Leased);
  EXPECT_EQ(world.pool.stats().cancelled, 0u);
}

TEST(PoolQueue, S45_AReleaseWakesExactlyOne) {
  PoolWorld world({.key = {.max = 1}});
  Thing* thing = world.take("a");
  for (int i = 0; i < 5; ++i) world.wait("a");
  world.give(thing);
  EXPECT_EQ(world.answered, 1);
  world.give(thing, Verdict::Discard);
  EXPECT_EQ(world.answered, 2);
}

TEST(PoolQueue, S32_ADisownedAllocationThatSucceedsIsIdle) {
  PoolWorld world;
  Wish& waiter = world.wait("a");
  world.pool.disown(waiter.answer.ticket, world.now);
  Thing* thing = world.commit(waiter.answer.ticket);
  EXPECT_EQ(thing->state(), PoolEntry::State::Idle);
  EXPECT_EQ(world.take("a"), thing);
  EXPECT_EQ(thing->uses(), 1u);
  EXPECT_EQ(world.pool.stats().reused, 0u);
}

TEST(PoolQueue, S32_OrGoesToTheNextWaiter) {
  PoolWorld world({.key = {.max = 1}});
  Wish& gone = world.wait("a");
  Wish& waiter = world.wait("a");
  world.pool.disown(gone.answer.ticket, world.now);
  Thing* thing = world.commit(gone.answer.ticket);
  EXPECT_EQ(PoolWorld::thing_of(waiter), thing);
}

// PoolBinding::First: the one whose allocation is under way waits as well.

PoolRules first_rules(uint32_t max, uint32_t total_max = unlimited) {
  return {.key = {.max = max}, .total_max = total_max, .binding = PoolBinding::First};
}

TEST(PoolFirst, S46_AReleasedOneIsTakenBeforeTheOwnAllocationAndTheLoserIsPooled) {
  PoolWorld world(first_rules(2));
  world.wait("a");
  ASSERT_EQ(world.pool.stats().pending, 1u);
  Wish& first = world.wish();
  const LeaseResult own = world.ask("a", first);
  ASSERT_EQ(own.kind, Kind::Allocate);
  Thing* thing = world.commit(own.ticket);  // to the eldest, whose own allocation is now for `first`
  EXPECT_FALSE(first.is_answered);
  world.give(thing);
  EXPECT_EQ(PoolWorld::thing_of(first), thing);
  EXPECT_EQ(world.pool.stats().pending, 1u);
}

TEST(PoolFirst, S46_TheLoserIsIdleWhenNobodyWaits) {
  PoolWorld world(first_rules(2));
  Wish& one = world.wait("a");
  Thing* thing = world.commit(one.answer.ticket);
  ASSERT_EQ(PoolWorld::thing_of(one), thing);
  Wish& two = world.wish();
  const LeaseResult own = world.ask("a", two);
  world.give(thing);
  EXPECT_EQ(PoolWorld::thing_of(two), thing);
  Thing* loser = world.commit(own.ticket);
  EXPECT_EQ(loser->state(), PoolEntry::State::Idle);
  EXPECT_EQ(loser->uses(), 0u);
}

TEST(PoolFirst, S46_ALosingAllocationCoversTheNextInTheQueue) {
  PoolWorld world(first_rules(2));
  Wish& one = world.wait("a");
  Thing* thing = world.commit(one.answer.ticket);
  Wish& two = world.wish();
  const LeaseResult own = world.ask("a", two);
  Wish& three = world.wait("a");
  EXPECT_EQ(three.answer.kind, Kind::Queued);
  world.give(thing);
  EXPECT_EQ(three.state(), PoolWaiter::State::Covered);
  EXPECT_EQ(world.pool.stats().waiting, 0u);
  EXPECT_EQ(PoolWorld::thing_of(three), nullptr);
  Thing* second = world.commit(own.ticket);
  EXPECT_EQ(PoolWorld::thing_of(three), second);
}

TEST(PoolFirst, S31_AFailureFailsItsOwnWaiterAndTheNextAllocates) {
  PoolWorld world(first_rules(1));
  Wish& one = world.wait("a");
  Wish& two = world.wait("a");
  world.abort(one.answer.ticket, ErrorCode::ConnectTimeout);
  EXPECT_EQ(one.answer.kind, Kind::Failed);
  EXPECT_EQ(one.answer.code, ErrorCode::ConnectTimeout);
  ASSERT_EQ(world.granted.size(), 1u);
  EXPECT_EQ(two.state(), PoolWaiter::State::Covered);
  EXPECT_EQ(PoolWorld::thing_of(two), nullptr);
  Thing* thing = world.commit(world.granted.front());
  EXPECT_EQ(PoolWorld::thing_of(two), thing);
}

TEST(PoolFirst, S32_ACancelledLeaseWhoseAllocationSucceedsIsIdle) {
  PoolWorld world(first_rules(1));
  Wish& waiter = world.wait("a");
  const PoolTicket ticket = waiter.answer.ticket;
  EXPECT_TRUE(world.cancel(waiter));
  EXPECT_EQ(world.commit(ticket)->state(), PoolEntry::State::Idle);
}

TEST(PoolFirst, S32_ANewcomerTakesOverAnAllocationThatLostItsWaiter) {
  PoolWorld world(first_rules(1));
  Wish& gone = world.wait("a");
  const PoolTicket ticket = gone.answer.ticket;
  world.cancel(gone);
  Wish& newcomer = world.wish();
  EXPECT_EQ(world.ask("a", newcomer).kind, Kind::Queued);
  EXPECT_EQ(newcomer.state(), PoolWaiter::State::Covered);
  Thing* thing = world.commit(ticket);
  EXPECT_EQ(PoolWorld::thing_of(newcomer), thing);
}

TEST(PoolFirst, S33_ACancelTellsWhichAllocationIsInExcessOnlyWhenNobodyNeedsIt) {
  PoolWorld world(first_rules(1));
  Wish& one = world.wait("a");
  const PoolTicket ticket = one.answer.ticket;
  Wish& two = world.wait("a");
  EXPECT_FALSE(world.cancel(one));  // two is covered by it now
  const auto surplus = world.cancel(two);
  ASSERT_TRUE(surplus);
  EXPECT_EQ(surplus->index, ticket.index);
  world.abort(*surplus);
  EXPECT_EQ(world.pool.stats().used(), 0u);
  EXPECT_EQ(world.vacant, Names{"a"});
}

TEST(PoolFirst, S44_AGrantThatLostItsWaiterBeforeItBeganNeverBegins) {
  PoolWorld world(first_rules(1));
  Wish& one = world.wait("a");
  Thing* thing = world.commit(one.answer.ticket);
  Wish& two = world.wait("a");
  world.pool.release(*thing, Verdict::Discard, world.now);
  EXPECT_EQ(world.pool.stats().pending, 1u);
  world.cancel(two);
  EXPECT_TRUE(world.granted.empty());
  EXPECT_EQ(world.pool.stats().used(), 0u);
}

TEST(PoolFirst, S41_TheQueueTimeoutEndsWhereTheAllocationBegins) {
  PoolWorld world(first_rules(1));
  Wish& one = world.wait("a");
  Wish& two = world.wait("a");
  world.pass(4s);
  world.abort(one.answer.ticket);
  world.pass(100s);
  EXPECT_FALSE(two.is_answered);
  EXPECT_EQ(world.pool.stats().queue_timeout, 0u);
}

TEST(PoolFirst, S65_AnEntryLostInTheHandOverIsReplacedForTheSameWaiter) {
  PoolWorld world(first_rules(1));
  Wish& one = world.wait("a");
  Thing* thing = world.commit(one.answer.ticket);
  Wish& two = world.wish();
  world.pool.lease(world.key("a"), two, world.now);
  world.pool.release(*thing, Verdict::Keep, world.now);
  world.pool.discard(*thing, world.now);
  world.settle();
  EXPECT_EQ(two.state(), PoolWaiter::State::Covered);
  ASSERT_EQ(world.granted.size(), 1u);
  Thing* fresh = world.commit(world.granted.front());
  EXPECT_EQ(PoolWorld::thing_of(two), fresh);
}

}  // namespace
}  // namespace perilune::algo
