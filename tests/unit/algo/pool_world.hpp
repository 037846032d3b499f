#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "algo/pool_policy.hpp"

namespace perilune::algo {

struct Thing : PoolEntry {
  std::string name;
};

struct Wish : PoolWaiter {
  LeaseResult answer;
  bool is_answered = false;
};

/// A pool on a clock that only moves when told to, with keys that are letters and things that are named by
/// their key and a number ("a1"). What the pool closes, begins and lets go of is written down in the order it
/// happened.
class PoolWorld {
 public:
  explicit PoolWorld(const PoolRules& rules = {}) : pool(rules) {}
  ~PoolWorld() { pool.shut_down(now); }

  PoolKey& key(const std::string& name) {
    auto& place = keys_[name];
    if (!place) place = std::make_unique<PoolKey>();
    return *place;
  }
  Wish& wish(uint32_t tenant = 0) {
    wishes_.push_back(std::make_unique<Wish>());
    wishes_.back()->tenant = tenant;
    return *wishes_.back();
  }

  /// Leases without allocating.
  LeaseResult ask(const std::string& name, Wish& waiter) {
    const LeaseResult result = pool.lease(key(name), waiter, now);
    settle();
    return result;
  }
  /// Waits for a thing: the wish is answered later.
  Wish& wait(const std::string& name, uint32_t tenant = 0) {
    Wish& waiter = wish(tenant);
    waiter.answer = ask(name, waiter);
    waiter.is_answered = waiter.answer.kind != LeaseResult::Kind::Queued;
    return waiter;
  }
  /// Leases, allocating when told to; null when it would wait or fails.
  Thing* take(const std::string& name) {
    Wish& waiter = wish();
    const LeaseResult result = ask(name, waiter);
    if (result.kind == LeaseResult::Kind::Leased) return static_cast<Thing*>(result.entry);
    if (result.kind == LeaseResult::Kind::Allocate) return commit(result.ticket);
    pool.cancel(waiter, now);
    settle();
    return nullptr;
  }
  Thing* commit(PoolTicket ticket, Duration ttl_jitter = {}) {
    const std::string name = name_of(pool.key_of(ticket));
    things_.push_back(std::make_unique<Thing>());
    Thing& thing = *things_.back();
    thing.name = name + std::to_string(++made_[name]);
    pool.commit(ticket, thing, now, ttl_jitter);
    settle();
    return &thing;
  }
  bool give(Thing* thing, Verdict verdict = Verdict::Keep) {
    const bool is_taken = pool.release(*thing, verdict, now);
    settle();
    return is_taken;
  }
  void abort(PoolTicket ticket, ErrorCode code = ErrorCode::ConnectFailure) {
    pool.abort(ticket, code, now);
    settle();
  }
  std::optional<PoolTicket> cancel(Wish& waiter) {
    const auto surplus = pool.cancel(waiter, now);
    settle();
    return surplus;
  }
  /// Lets time pass, stopping at each moment the pool wants to be woken.
  void pass(Duration span) {
    const Instant end = now + span;
    while (pool.next_due() <= end) {
      now = std::max(now, pool.next_due());
      pool.advance(now);
      settle();
    }
    now = end;
  }
  void destroy(Thing* thing) {
    std::erase_if(things_, [&](const auto& owned) { return owned.get() == thing; });
    settle();
  }
  void set(const PoolRules& rules) {
    pool.set_rules(rules, now);
    settle();
  }
  void drain(Drain how) {
    pool.drain(how, now);
    settle();
  }

  void settle() {
    while (PoolEntry* entry = pool.pop_closed())
      closed.push_back(static_cast<Thing*>(entry)->name + " " + std::string(reason_name(entry->reason())));
    while (PoolWaiter* waiter = pool.pop_ready()) {
      auto& wish = static_cast<Wish&>(*waiter);
      wish.answer = waiter->result();
      wish.is_answered = true;
      ++answered;
    }
    while (const auto ticket = pool.pop_granted()) granted.push_back(*ticket);
    while (PoolKey* key = pool.pop_vacant()) vacant.push_back(name_of(*key));
  }

  std::string name_of(const PoolKey& key) const {
    for (const auto& [name, owned] : keys_)
      if (owned.get() == &key) return name;
    return "?";
  }
  static Thing* thing_of(const Wish& waiter) {
    return waiter.is_answered ? static_cast<Thing*>(waiter.answer.entry) : nullptr;
  }

  using Names = std::vector<std::string>;

  PoolPolicy pool;
  Instant now{};
  Names closed;
  Names vacant;
  std::vector<PoolTicket> granted;
  int answered = 0;

 private:
  std::map<std::string, std::unique_ptr<PoolKey>> keys_;
  std::map<std::string, int> made_;
  std::vector<std::unique_ptr<Thing>> things_;
  std::vector<std::unique_ptr<Wish>> wishes_;
};

using Kind = LeaseResult::Kind;

}  // namespace perilune::algo
