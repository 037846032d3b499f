#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <optional>

#include "algo/pool_types.hpp"

namespace perilune::algo {

class PoolKey;
class PoolPolicy;
class PoolWaiter;

/// One resource of a pool: a base class of, or a member in, what the caller pools. The caller owns it and
/// keeps it in its place from commit until the policy gave it back (pop_closed). Destroying it earlier is
/// allowed and counts as discarding it, whatever it was doing.
class PoolEntry {
 public:
  PoolEntry() = default;
  ~PoolEntry();
  PoolEntry(const PoolEntry&) = delete;
  PoolEntry& operator=(const PoolEntry&) = delete;

  enum class State : uint8_t {
    Detached,  ///< no pool has it
    Idle,
    Handed,  ///< given to a waiter that was not popped yet
    Leased,
    Closed,  ///< out, not popped yet
  };
  State state() const { return state_; }

  /// The key it was committed to, also after it left, for as long as that exists.
  PoolKey* key() const { return key_; }
  /// How many leases it has had, this one included.
  uint32_t uses() const { return uses_; }
  Instant born() const { return born_; }
  /// The last release.
  Instant idle_since() const { return idle_since_; }
  /// Once closed: why.
  CloseReason reason() const { return reason_; }

  /// From the next release on, the idle timeout is this or that of the rules, whichever is shorter: for what
  /// a server's Keep-Alive field says.
  void limit_idle(Duration idle_max) { idle_limit_ = idle_max; }

 private:
  friend class PoolPolicy;
  friend class PoolKey;

  boost::intrusive::list_member_hook<> key_hook_;   // idle entries of its key; or the closed ones
  boost::intrusive::list_member_hook<> pool_hook_;  // idle entries of the pool, least recently used first
  boost::intrusive::set_member_hook<> due_hook_;    // when to look at it next

  PoolPolicy* pool_ = nullptr;
  PoolKey* key_ = nullptr;
  Instant born_{};
  Instant ttl_deadline_ = Instant::max();
  Instant idle_since_{};
  Instant idle_deadline_ = Instant::max();  // the ttl included
  Instant look_at_{};                       // never later than idle_deadline_ while idle
  Duration idle_limit_ = forever;
  uint32_t uses_ = 0;
  uint32_t epoch_ = 0;  // drains that its key had had when it was allocated
  State state_ = State::Detached;
  CloseReason reason_ = CloseReason::Discarded;
};

/// What `lease` came to, and what a waiter got.
struct LeaseResult {
  enum class Kind : uint8_t {
    Leased,    ///< `entry` is yours until it is released
    Allocate,  ///< make one and commit `ticket`, or abort it
    Queued,    ///< the waiter will come out of pop_ready
    Failed,    ///< `code` says why: QueueFull, QueueTimeout, Draining, or what an allocation was aborted with
  };
  Kind kind = Kind::Failed;
  /// With Leased: it was idle for `validate_after`; look whether it still works, else call `replace`.
  bool must_validate = false;
  ErrorCode code = ErrorCode::Internal;
  PoolTicket ticket;
  PoolEntry* entry = nullptr;
};

/// One who wants a resource. The caller owns it; destroying it counts as cancelling.
class PoolWaiter {
 public:
  PoolWaiter() = default;
  ~PoolWaiter();
  PoolWaiter(const PoolWaiter&) = delete;
  PoolWaiter& operator=(const PoolWaiter&) = delete;

  enum class State : uint8_t {
    Detached,  ///< not in the pool
    Queued,
    Covered,  ///< PoolBinding::First: an allocation is under way for it
    Ready,    ///< served or failed, not popped yet
  };
  State state() const { return state_; }

  /// Among the waiters of one key tenants take turns. 0: none given, which is a tenant like the others.
  uint32_t tenant = 0;
  /// The wait in the queue ends here even when the queue's own timeout is later.
  Instant deadline = Instant::max();
  /// Wants an entry that is new, or at least was in use a moment ago: idle ones are passed over, the oldest
  /// of them making room if need be, and so are those who wait already.
  bool needs_fresh = false;

  /// Since when it waits in the queue.
  Instant queued_at() const { return queued_at_; }
  /// How long the last lease was in the queue, until it was served or an allocation began for it. None: it
  /// never was.
  std::optional<Duration> queue_wait() const { return queue_wait_; }
  /// After pop_ready: what came.
  const LeaseResult& result() const { return result_; }

 private:
  friend class PoolPolicy;
  friend class PoolKey;

  boost::intrusive::list_member_hook<> hook_;       // behind its tenant's first; covered; ready
  boost::intrusive::list_member_hook<> turn_hook_;  // the first of each tenant, in the order of their turns
  boost::intrusive::set_member_hook<> deadline_hook_;

  using Followers = boost::intrusive::list<
      PoolWaiter,
      boost::intrusive::member_hook<PoolWaiter, boost::intrusive::list_member_hook<>, &PoolWaiter::hook_>,
      boost::intrusive::constant_time_size<false>>;

  Followers followers_;  // of the same tenant, when it is its first
  PoolPolicy* pool_ = nullptr;
  PoolKey* key_ = nullptr;
  uint64_t arrival_ = 0;
  Instant queued_at_{};
  std::optional<Duration> queue_wait_;
  Instant gives_up_at_ = Instant::max();
  LeaseResult result_;
  State state_ = State::Detached;
};

/// An allocation under way. Of the policy's inside, like everything below.
struct PoolSlot {
  boost::intrusive::list_member_hook<> hook;  // granted and not popped; nobody's; free
  PoolKey* key = nullptr;
  PoolWaiter* starter = nullptr;  // PoolBinding::First: the waiter that it covers
  uint32_t index = 0;
  uint32_t generation = 0;
  uint32_t epoch = 0;
  enum class State : uint8_t { Free, Begun, Granted, Nobodys } state = State::Free;
};

using PoolSlotList = boost::intrusive::list<
    PoolSlot, boost::intrusive::member_hook<PoolSlot, boost::intrusive::list_member_hook<>, &PoolSlot::hook>,
    boost::intrusive::constant_time_size<false>>;

/// What leases are told apart by: a base class of, or a member in, the caller's own record of a key, which
/// the caller finds by its own means. It is attached by the first lease and let go by `pop_vacant`.
class PoolKey {
 public:
  PoolKey() = default;
  ~PoolKey();
  PoolKey(const PoolKey&) = delete;
  PoolKey& operator=(const PoolKey&) = delete;

  const PoolStats& stats() const { return stats_; }
  bool is_attached() const { return pool_ != nullptr; }
  bool is_draining() const { return is_refusing_; }
  /// Keys of one pool, in the order in which they were first leased.
  uint32_t number() const { return number_; }
  bool has_own_rules() const { return own_rules_.has_value(); }
  /// Its owner keeps it though nothing of it is left: it never comes out of pop_vacant. Before the first
  /// lease.
  void pin() { is_pinned_ = true; }

 private:
  friend class PoolPolicy;

  using Idle = boost::intrusive::list<
      PoolEntry,
      boost::intrusive::member_hook<PoolEntry, boost::intrusive::list_member_hook<>, &PoolEntry::key_hook_>,
      boost::intrusive::constant_time_size<false>>;
  using Turns =
      boost::intrusive::list<PoolWaiter,
                             boost::intrusive::member_hook<PoolWaiter, boost::intrusive::list_member_hook<>,
                                                           &PoolWaiter::turn_hook_>,
                             boost::intrusive::constant_time_size<false>>;

  boost::intrusive::list_member_hook<> keys_hook_;
  boost::intrusive::list_member_hook<> vacant_hook_;
  boost::intrusive::set_member_hook<> starving_hook_;

  Idle idle_;                      // the one released last at the end
  PoolWaiter::Followers covered_;  // PoolBinding::First
  Turns turns_;                    // the queue
  PoolSlotList nobodys_;           // allocations whose waiter has gone; only when nobody is in turns_
  PoolStats stats_;
  std::optional<PoolKeyRules> own_rules_;
  PoolPolicy* pool_ = nullptr;
  uint64_t starving_since_ = 0;            // arrival of its next waiter
  Instant wanted_since_ = Instant::max();  // what PoolTokens::want was told
  uint32_t number_ = 0;
  uint32_t epoch_ = 0;
  uint32_t closed_ = 0;  // entries that wait for pop_closed
  bool is_refusing_ = false;
  bool is_pinned_ = false;
  bool is_out_of_tokens_ = false;  // of its own: others need not wait behind it
};

}  // namespace perilune::algo
