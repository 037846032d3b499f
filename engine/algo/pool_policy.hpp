#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>

#include "algo/pool_entry.hpp"
#include "algo/pool_tokens.hpp"

namespace perilune::algo {

/// What happens to a released entry.
enum class Verdict : uint8_t { Keep, Discard };

/// `Existing`: what there is goes, at once when idle, else when it is released; new leases go on with new
/// entries. `Refuse`: moreover nothing new is leased (`Draining`), while those who wait already are still
/// served.
enum class Drain : uint8_t { Existing, Refuse };

/// The rules by which scarce things are shared: limits per key and in all, reuse, eviction, a queue. It knows
/// neither what an entry is nor the time; it owns nothing and calls nobody back. Each operation leaves it
/// consistent and its consequences in four lists, which the caller empties after every call, in this order:
///   pop_closed    entries to destroy; their slots may have been given away already
///   pop_ready     waiters that were served or failed
///   pop_granted   allocations to begin (PoolBinding::First only)
///   pop_vacant    keys that the pool has no more use for
///
/// The life of a lease:  lease -> Leased                                   -> release
///                             -> Allocate -> commit                       -> release      (or abort)
///                             -> Queued   -> pop_ready: Leased, Allocate or Failed        (or cancel)
/// With PoolBinding::First a waiter that is told to Allocate stays in the pool until pop_ready: it gets what
/// its own allocation or anybody's release brings first.
///
/// Who comes first: waiters of one key in the order of arrival, taking turns by tenant; a newcomer never
/// overtakes a waiter of its key; a key at its own maximum keeps no other key waiting; when only the total is
/// exhausted, the least recently used idle entry of any key makes room, and a freed slot goes to the waiter
/// that has waited longest over all keys, even if that means closing an entry that a younger one could have
/// used.
///
/// lease and release take constant time, whatever the number of entries, keys and waiters; commit, and
/// waiting on the total or with a deadline, a logarithm of it. Memory is taken for as many tickets and
/// waiting tenants as there ever were at once, and kept. `now` never goes back. The policy outlives its keys,
/// entries and waiters: a bug otherwise.
class PoolPolicy {
 public:
  /// With `tokens`, limits are shared with other pools too; they outlive the policy.
  explicit PoolPolicy(const PoolRules& rules, PoolTokens* tokens = nullptr)
      : rules_(rules), tokens_(tokens) {}
  ~PoolPolicy();
  PoolPolicy(const PoolPolicy&) = delete;
  PoolPolicy& operator=(const PoolPolicy&) = delete;

  LeaseResult lease(PoolKey& key, PoolWaiter& waiter, Instant now);

  /// For a leased entry that turned out not to work: discards it and goes on with the same lease, before all
  /// waiters, since the slot is its own. Leased or Allocate.
  LeaseResult replace(PoolEntry& entry, PoolWaiter& waiter, Instant now);

  /// False, and nothing happens, when the entry is not leased from this pool: released twice, foreign,
  /// closed.
  bool release(PoolEntry& entry, Verdict verdict, Instant now);

  /// The entry is useless, whatever its state: idle and closed by the other side, or leased. A waiter that it
  /// was handed to and that was not popped yet gets the slot instead: it is told to allocate.
  void discard(PoolEntry& entry, Instant now);

  enum class Committed : uint8_t { ToCaller, ToPool };
  /// The allocation succeeded. ToCaller (PoolBinding::Own): the entry is leased to the caller. ToPool: it was
  /// given to a waiter or is idle or closed. `ttl_jitter` is added to the rules' ttl and may be negative.
  Committed commit(PoolTicket ticket, PoolEntry& entry, Instant now, Duration ttl_jitter = {});
  /// The allocation failed: its slot is free, and with PoolBinding::First the waiter it was made for fails
  /// with `code`.
  void abort(PoolTicket ticket, ErrorCode code, Instant now);
  /// PoolBinding::Own: the one who allocates does not want it any more; commit will give it to the pool.
  void disown(PoolTicket ticket, Instant now);
  PoolKey& key_of(PoolTicket ticket);
  /// An allocation for nobody, to have an entry ready (a preconnect, a floor). None where limits forbid it.
  std::optional<PoolTicket> allocate_ahead(PoolKey& key, Instant now);
  /// A token that was wanted for `key` has been taken for it: it is used, or given back.
  void on_token(PoolKey& key, Instant now);
  /// Others want what an idle entry holds: closes the least recently used one, of `key` or of any. Whether
  /// there was one.
  bool evict_idle(PoolKey* key, Instant now);
  /// The idle entry that the next lease of `key` would get; null when none is idle.
  const PoolEntry* next_idle(const PoolKey& key) const {
    if (key.idle_.empty()) return nullptr;
    return rules_of(key).order == PoolOrder::Lifo ? &key.idle_.back() : &key.idle_.front();
  }
  /// A lease of `key` would be served at once, by what is idle or by its own limits.
  bool has_room(const PoolKey& key) const;

  /// The waiter wants nothing any more, in whatever state; what it was given already goes to the next, or is
  /// idle. The ticket that comes back (PoolBinding::First) is of an allocation that nobody waits for any
  /// more: go on and commit it for later, or stop it and abort.
  std::optional<PoolTicket> cancel(PoolWaiter& waiter, Instant now);

  /// The next to be served from the queue of `key`; null when nobody waits without an allocation.
  PoolWaiter* first_waiter(PoolKey& key) { return key.turns_.empty() ? nullptr : &key.turns_.front(); }
  /// A queued waiter was served by something that the pool does not count.
  void serve_elsewhere(PoolWaiter& waiter);

  /// Closes what is due and fails waiters whose time is over.
  void advance(Instant now);
  /// When to call advance next; Instant::max() for never. May be too early, never too late.
  Instant next_due() const;

  /// Leased entries are never closed by a new limit, only when they are released; idle ones go at once.
  void set_rules(const PoolRules& rules, Instant now);
  /// Rules for one key only, all of them; none: the pool's again. A key with its own rules is never vacant.
  void set_key_rules(PoolKey& key, const std::optional<PoolKeyRules>& rules, Instant now);
  const PoolRules& rules() const { return rules_; }

  /// A key that refuses is as new once the last of it is gone and popped.
  void drain(PoolKey& key, Drain how, Instant now);
  /// The same for all keys; a pool refuses until it is reopened.
  void drain(Drain how, Instant now);
  void reopen() { is_refusing_ = false; }

  /// The end: every waiter fails (Draining), every allocation under way is given up, and its ticket must not
  /// be used any more, what is idle goes. What is leased still has to be released or destroyed.
  void shut_down(Instant now);

  PoolEntry* pop_closed();
  PoolWaiter* pop_ready();
  std::optional<PoolTicket> pop_granted();
  PoolKey* pop_vacant();

  const PoolStats& stats() const { return total_; }

 private:
  friend class PoolEntry;
  friend class PoolWaiter;
  friend class PoolKey;
  template <auto Hook, typename T>
  using Member = boost::intrusive::member_hook<T, boost::intrusive::list_member_hook<>, Hook>;
  template <typename T, auto Hook>
  using List = boost::intrusive::list<T, Member<Hook, T>, boost::intrusive::constant_time_size<false>>;
  template <typename T, auto Hook, typename Order>
  using Sorted = boost::intrusive::multiset<
      T, boost::intrusive::member_hook<T, boost::intrusive::set_member_hook<>, Hook>,
      boost::intrusive::compare<Order>, boost::intrusive::constant_time_size<false>>;

  struct DueFirst {
    bool operator()(const PoolEntry& a, const PoolEntry& b) const { return a.look_at_ < b.look_at_; }
  };
  struct DeadlineFirst {
    bool operator()(const PoolWaiter& a, const PoolWaiter& b) const {
      return a.gives_up_at_ < b.gives_up_at_;
    }
  };
  struct EldestFirst {
    bool operator()(const PoolKey& a, const PoolKey& b) const {
      return a.starving_since_ < b.starving_since_;
    }
  };
  enum class Origin : uint8_t { Returned, Fresh };
  enum class Leaving : uint8_t { Served, GaveUp };
  /// What becomes of the token of something that ends.
  enum class Token : uint8_t { GivenBack, Kept };

  // pool_policy.cpp: entries
  const PoolKeyRules& rules_of(const PoolKey& key) const {
    return key.own_rules_ ? *key.own_rules_ : rules_.key;
  }
  void see(Instant now) { now_ = now > now_ ? now : now_; }
  void attach(PoolKey& key);
  PoolEntry* take_fresh(PoolKey& key);
  LeaseResult hand_out(PoolEntry& entry);
  void count_use(PoolEntry& entry);
  LeaseResult fail(PoolKey& key, ErrorCode code);
  void place(PoolEntry& entry, Origin origin);
  std::optional<CloseReason> reason_to_close(const PoolEntry& entry) const;
  bool is_needed_elsewhere(const PoolKey& key, const PoolWaiter& next) const;
  void make_idle(PoolEntry& entry);
  void look_at(PoolEntry& entry, Instant when);
  void close(PoolEntry& entry, CloseReason reason, Token token = Token::GivenBack);
  void forget(PoolEntry& entry);

  // pool_limits.cpp: time and changes of rules
  void trim(PoolKey& key);
  void set_deadline(PoolEntry& entry);

  // pool_slots.cpp: allocations
  bool has_free_slot(const PoolKey& key) const;
  bool make_room(PoolKey& key);
  PoolSlot& open_slot(PoolKey& key);
  void free_slot(PoolSlot& slot, Token token = Token::GivenBack);
  bool take_token(PoolKey& key);
  void give_back_token(PoolKey& key);
  void note_want(PoolKey& key);
  PoolSlot& slot_of(PoolTicket ticket);
  static PoolTicket ticket_of(const PoolSlot& slot) { return {slot.index, slot.generation}; }
  void grant(PoolKey& key);
  void pass_on(PoolSlot& slot);
  void settle(PoolKey& key);
  void note_vacancy(PoolKey& key);

  // pool_queue.cpp: waiters
  static PoolWaiter* next_waiter(PoolKey& key);
  void enqueue(PoolKey& key, PoolWaiter& waiter);
  void leave_queue(PoolWaiter& waiter, Leaving why);
  void cover(PoolWaiter& waiter, PoolSlot& slot);
  std::optional<PoolTicket> uncover(PoolWaiter& waiter);
  void make_ready(PoolWaiter& waiter, const LeaseResult& result);
  void deliver(PoolEntry& entry, PoolWaiter& waiter);
  PoolWaiter* holder_of(const PoolEntry& entry);
  void update_starving(PoolKey& key);
  static uint64_t tenant_place(const PoolKey& key, uint32_t tenant) {
    return uint64_t{key.number_} << 32 | tenant;
  }

  PoolRules rules_;
  PoolTokens* const tokens_;
  PoolStats total_;
  Instant now_ = Instant::min();
  bool is_refusing_ = false;
  uint32_t keys_seen_ = 0;
  uint64_t arrivals_ = 0;

  List<PoolKey, &PoolKey::keys_hook_> keys_;
  List<PoolEntry, &PoolEntry::pool_hook_> idle_;
  Sorted<PoolEntry, &PoolEntry::due_hook_, DueFirst> due_;
  Sorted<PoolWaiter, &PoolWaiter::deadline_hook_, DeadlineFirst> deadlines_;
  /// Keys below their own maximum with a queue: what they lack is a slot of the total.
  Sorted<PoolKey, &PoolKey::starving_hook_, EldestFirst> starving_;
  /// The first waiter of each tenant of each key, for the one who arrives next.
  boost::unordered_flat_map<uint64_t, PoolWaiter*> tenants_;

  std::deque<PoolSlot> slots_;
  PoolSlotList free_slots_;
  PoolSlotList granted_;
  PoolKey::Idle closed_;
  PoolWaiter::Followers ready_;
  List<PoolKey, &PoolKey::vacant_hook_> vacant_;
};

}  // namespace perilune::algo
