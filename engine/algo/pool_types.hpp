#pragma once

#include <array>
#include <cstdint>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/time.hpp"

namespace perilune::algo {

inline constexpr uint32_t unlimited = UINT32_MAX;
inline constexpr Duration forever = Duration::max();

/// Which idle entry of a key is leased: the one released last (few stay warm, the rest may expire), or first.
enum class PoolOrder : uint8_t { Lifo, Fifo };

/// Who gets what an allocation made. `Own`: the one who was told to allocate, always. `First`: whoever has
/// waited longest for the key; the one who was told to allocate waits too, and takes what comes first.
enum class PoolBinding : uint8_t { Own, First };

/// Which entry closes when one is released and its key has `idle_max` already.
enum class IdleOverflow : uint8_t { CloseOldest, CloseReturning };

/// Whether a key that has nothing at all may have one entry although the total is reached.
enum class EmptyKey : uint8_t { Waits, Overflows };

/// Limits of one key. "used" is leased, idle and being allocated together.
struct PoolKeyRules {
  uint32_t max = unlimited;       ///< used
  uint32_t idle_max = unlimited;  ///< 0: nothing is ever kept
  uint32_t uses_max = unlimited;  ///< leases that an entry serves before it closes
  Duration idle_timeout = forever;
  Duration ttl = forever;             ///< since the allocation; a leased entry closes when it is released
  Duration validate_after = forever;  ///< idle for so long or longer: LeaseResult::must_validate
  PoolOrder order = PoolOrder::Lifo;
  IdleOverflow overflow = IdleOverflow::CloseOldest;
};

/// Limits of a pool. `key` holds for each key that has no rules of its own.
struct PoolRules {
  PoolKeyRules key = {};
  uint32_t total_max = unlimited;                           ///< used, over all keys
  uint32_t idle_max = unlimited;                            ///< over all keys
  uint32_t queue_max = limits::pool_queue_max;              ///< waiters without an allocation, per key
  uint32_t queue_total_max = limits::pool_queue_total_max;  ///< over all keys
  Duration queue_timeout = limits::queue_timeout;
  PoolBinding binding = PoolBinding::Own;
  EmptyKey empty_key = EmptyKey::Waits;
};

/// Refuses what has two meanings or none: a time of 0 or less ("never" to some and "always" to others), a
/// maximum or a number of uses of 0. `idle_max` 0 keeps nothing, `queue_max` 0 never waits. Errors:
/// ScriptError (Side::Script).
Result<void> check_rules(const PoolKeyRules& rules);
Result<void> check_rules(const PoolRules& rules);

/// Why an entry left the pool.
enum class CloseReason : uint8_t {
  IdleTimeout,
  Ttl,
  UsesSpent,
  Evicted,    ///< its slot was needed for another key
  IdleLimit,  ///< more idle ones than allowed
  OverLimit,  ///< a limit was lowered
  Discarded,  ///< its user said so, or it was destroyed
  Drained,
};
inline constexpr int close_reason_count = static_cast<int>(CloseReason::Drained) + 1;

/// "idle-timeout", "ttl": for scripts and metric labels.
std::string_view reason_name(CloseReason reason);

/// Numbers of a key or of a pool. The first five are as they stand, the others only grow.
struct PoolStats {
  uint32_t leased = 0;
  uint32_t idle = 0;
  uint32_t pending = 0;  ///< allocations begun and not over
  uint32_t waiting = 0;  ///< waiters without an allocation
  uint32_t covered = 0;  ///< PoolBinding::First: waiters with one

  uint64_t allocated = 0;  ///< allocations that succeeded
  uint64_t allocate_failed = 0;
  uint64_t reused = 0;  ///< leases of an entry that had served before
  uint64_t queued = 0;
  uint64_t queue_full = 0;
  uint64_t queue_timeout = 0;
  uint64_t cancelled = 0;   ///< waiters that left before they were served
  uint64_t overflowed = 0;  ///< see EmptyKey
  std::array<uint64_t, close_reason_count> closed{};

  uint32_t used() const { return leased + idle + pending; }
  uint64_t closed_for(CloseReason reason) const { return closed[static_cast<size_t>(reason)]; }
};

/// The right to one allocation: a slot is kept until it is committed or aborted. Good for one of the two,
/// once.
struct PoolTicket {
  uint32_t index = 0;
  uint32_t generation = 0;
};

}  // namespace perilune::algo
