#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "unit/algo/pool_world.hpp"

namespace perilune::algo {
namespace {

/// Random operations on a pool, with everything that must always hold checked after each. A seed replays
/// exactly.
class PoolGame {
 public:
  explicit PoolGame(uint32_t seed) : dice_(seed), rules_(random_rules()), world_(rules_) {}

  void play(int moves) {
    for (int i = 0; i < moves && !testing::Test::HasFailure(); ++i) {
      move();
      collect();
      check();
    }
    finish();
  }

 private:
  uint32_t roll(uint32_t sides) { return static_cast<uint32_t>(dice_() % sides); }
  std::string random_key() { return std::string(1, static_cast<char>('a' + roll(4))); }

  PoolRules random_rules() {
    PoolRules rules;
    rules.key.max = 1 + roll(4);
    rules.total_max = 1 + roll(8);
    rules.queue_max = roll(12);
    rules.queue_timeout = roll(2) ? Duration(forever) : Duration(3s);
    rules.binding = roll(2) ? PoolBinding::Own : PoolBinding::First;
    rules.key.order = roll(2) ? PoolOrder::Lifo : PoolOrder::Fifo;
    if (roll(2)) rules.key.idle_timeout = std::chrono::seconds(1 + roll(5));
    if (roll(2)) rules.key.ttl = std::chrono::seconds(5 + roll(20));
    if (roll(3) == 0) rules.key.uses_max = 1 + roll(4);
    if (roll(3) == 0) rules.key.idle_max = roll(3);
    if (roll(3) == 0) rules.idle_max = roll(4);
    return rules;
  }

  void move() {
    switch (roll(14)) {
      case 0:
      case 1:
      case 2:
      case 3: lease(); break;
      case 4:
      case 5:
      case 6: release(Verdict::Keep); break;
      case 7: release(Verdict::Discard); break;
      case 8:
      case 9: end_allocation(); break;
      case 10: cancel(); break;
      case 11: world_.pass(std::chrono::milliseconds(roll(2000))); break;
      case 12: rare(); break;
      default: replace(); break;
    }
  }

  void rare() {
    switch (roll(6)) {
      case 0:
        world_.pool.drain(world_.key(random_key()), roll(2) ? Drain::Existing : Drain::Refuse, world_.now);
        break;
      case 1: {
        const PoolBinding binding = rules_.binding;
        rules_ = random_rules();
        rules_.binding = binding;
        world_.pool.set_rules(rules_, world_.now);
        was_lowered_ = true;
        break;
      }
      case 2:
        if (!leased_.empty()) world_.destroy(take_away());  // under its user
        break;
      case 3:
        if (!tickets_.empty() && rules_.binding == PoolBinding::Own) {
          world_.pool.disown(tickets_[roll(static_cast<uint32_t>(tickets_.size()))], world_.now);
        }
        break;
      default: break;
    }
    world_.settle();
  }

  void take(Thing* thing) {
    EXPECT_EQ(std::count(leased_.begin(), leased_.end(), thing), 0) << thing->name << " has two owners";
    leased_.push_back(thing);
    EXPECT_EQ(thing->state(), PoolEntry::State::Leased);
  }

  Thing* take_away() {
    const auto which = leased_.begin() + roll(static_cast<uint32_t>(leased_.size()));
    Thing* thing = *which;
    leased_.erase(which);
    return thing;
  }

  void act_on(const LeaseResult& result, Wish& wish, bool is_immediate) {
    if (result.kind == Kind::Leased) take(static_cast<Thing*>(result.entry));
    if (result.kind == Kind::Allocate) tickets_.push_back(result.ticket);
    const bool still_waits = result.kind == Kind::Queued || (result.kind == Kind::Allocate && is_immediate &&
                                                             rules_.binding == PoolBinding::First);
    if (still_waits) waiting_.push_back(&wish);
  }

  void lease() {
    Wish& wish = world_.wish(roll(3));
    const LeaseResult result = world_.ask(random_key(), wish);
    wish.is_answered = false;
    act_on(result, wish, true);
  }

  void release(Verdict verdict) {
    if (leased_.empty()) return;
    Thing* thing = take_away();
    EXPECT_TRUE(world_.give(thing, verdict));
  }

  void replace() {
    if (leased_.empty() || roll(3)) return;
    Thing* thing = take_away();
    Wish& wish = world_.wish();
    const LeaseResult result = world_.pool.replace(*thing, wish, world_.now);
    world_.settle();
    wish.is_answered = false;
    act_on(result, wish, true);
  }

  void end_allocation() {
    if (tickets_.empty()) return;
    const uint32_t which = roll(static_cast<uint32_t>(tickets_.size()));
    const PoolTicket ticket = tickets_[which];
    tickets_.erase(tickets_.begin() + which);
    if (roll(4) == 0) return world_.abort(ticket);
    Thing* thing = world_.commit(ticket);
    if (rules_.binding == PoolBinding::Own && thing->state() == PoolEntry::State::Leased)
      leased_if_owned_.push_back(thing);
  }

  void cancel() {
    if (waiting_.empty()) return;
    Wish* wish = waiting_[roll(static_cast<uint32_t>(waiting_.size()))];
    const auto surplus = world_.cancel(*wish);
    std::erase(waiting_, wish);
    if (surplus && roll(2)) {
      std::erase_if(tickets_, [&](PoolTicket t) { return t.index == surplus->index; });
      world_.abort(*surplus);
    }
  }

  /// Takes up what the waiters were answered.
  void collect() {
    std::vector<const PoolEntry*> answered;
    for (size_t i = 0; i < waiting_.size();) {
      Wish* wish = waiting_[i];
      if (!wish->is_answered) {
        ++i;
        continue;
      }
      if (wish->answer.kind == Kind::Leased) answered.push_back(wish->answer.entry);
      act_on(wish->answer, *wish, false);
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    // Committed to the caller itself, unless a waiter got it.
    for (Thing* thing : leased_if_owned_)
      if (std::count(answered.begin(), answered.end(), thing) == 0) take(thing);
    leased_if_owned_.clear();
    for (const PoolTicket ticket : world_.granted) tickets_.push_back(ticket);
    world_.granted.clear();
  }

  void check() {
    const PoolStats& total = world_.pool.stats();
    uint32_t used = 0;
    uint32_t waiting = 0;
    for (const char* name : {"a", "b", "c", "d"}) {
      const PoolStats& key = world_.key(name).stats();
      used += key.used();
      waiting += key.waiting;
      EXPECT_TRUE(was_lowered_ || key.used() <= rules_.key.max);
      if (key.waiting > 0) {
        EXPECT_EQ(key.idle, 0u) << "somebody waits beside an idle one";
        EXPECT_TRUE(key.used() >= rules_.key.max || (total.used() >= rules_.total_max && total.idle == 0))
            << "somebody waits for nothing";
      }
      EXPECT_TRUE(world_.key(name).is_attached() || key.used() + key.waiting == 0);
    }
    EXPECT_TRUE(was_lowered_ || total.used() <= rules_.total_max);
    EXPECT_EQ(total.used(), used);
    EXPECT_EQ(total.waiting, waiting);
    EXPECT_EQ(total.leased, leased_.size());
    EXPECT_EQ(total.pending, tickets_.size());
    EXPECT_LE(total.idle, rules_.idle_max);
    for (const Wish* wish : waiting_)
      EXPECT_NE(wish->state(), PoolWaiter::State::Detached) << "a waiter was lost";
  }

  void finish() {
    world_.pool.shut_down(world_.now);
    for (Thing* thing : leased_) world_.pool.release(*thing, Verdict::Keep, world_.now);
    world_.settle();
    EXPECT_EQ(world_.pool.stats().used(), 0u);
    EXPECT_EQ(world_.pool.stats().waiting, 0u);
    EXPECT_EQ(world_.pool.next_due(), Instant::max());
    for (const char* name : {"a", "b", "c", "d"}) EXPECT_FALSE(world_.key(name).is_attached());
    for (const Wish* wish : waiting_) EXPECT_TRUE(wish->is_answered);
  }

  std::mt19937 dice_;
  PoolRules rules_;
  PoolWorld world_;
  std::vector<Thing*> leased_;
  std::vector<Thing*> leased_if_owned_;
  std::vector<PoolTicket> tickets_;
  std::vector<Wish*> waiting_;
  bool was_lowered_ = false;
};

TEST(PoolRandom, WhateverHappensLimitsHoldAndNobodyAndNothingIsLost) {
  for (uint32_t seed = 1; seed <= 1500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    PoolGame(seed).play(300);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace perilune::algo
