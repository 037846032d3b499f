#include <algorithm>

#include "algo/pool_policy.hpp"
#include "base/expect.hpp"

namespace perilune::algo {

/// Timing is lazy: an entry that is already going to be looked at early enough is not moved, so a lease and a
/// release cost no search; advance finds out that it is not due yet and asks again.
void PoolPolicy::look_at(PoolEntry& entry, Instant when) {
  if (entry.due_hook_.is_linked()) {
    if (entry.look_at_ <= when) return;
    due_.erase(due_.iterator_to(entry));
  }
  if (when == Instant::max()) return;
  entry.look_at_ = when;
  due_.insert(entry);
}

void PoolPolicy::set_deadline(PoolEntry& entry) {
  const Duration idle_max = std::min(rules_of(*entry.key_).idle_timeout, entry.idle_limit_);
  entry.idle_deadline_ = std::min(after(entry.idle_since_, idle_max), entry.ttl_deadline_);
  look_at(entry, entry.idle_deadline_);
}

void PoolPolicy::advance(Instant now) {
  see(now);
  while (!due_.empty() && due_.begin()->look_at_ <= now_) {
    PoolEntry& entry = *due_.begin();
    due_.erase(due_.begin());
    if (entry.state_ != PoolEntry::State::Idle) continue;  // its release asks for the next look
    if (entry.idle_deadline_ > now_) look_at(entry, entry.idle_deadline_);
    else close(entry, entry.ttl_deadline_ <= now_ ? CloseReason::Ttl : CloseReason::IdleTimeout);
  }
  while (!deadlines_.empty() && deadlines_.begin()->gives_up_at_ <= now_) {
    PoolWaiter& waiter = *deadlines_.begin();
    PoolKey& key = *waiter.key_;
    leave_queue(waiter, Leaving::GaveUp);
    ++key.stats_.queue_timeout, ++total_.queue_timeout;
    LeaseResult result;
    result.kind = LeaseResult::Kind::Failed;
    result.code = ErrorCode::QueueTimeout;
    make_ready(waiter, result);
    note_vacancy(key);
  }
}

Instant PoolPolicy::next_due() const {
  const Instant entry = due_.empty() ? Instant::max() : due_.begin()->look_at_;
  const Instant waiter = deadlines_.empty() ? Instant::max() : deadlines_.begin()->gives_up_at_;
  return std::min(entry, waiter);
}

/// Closes what its own limits do not allow to be idle any more.
void PoolPolicy::trim(PoolKey& key) {
  const PoolKeyRules& rules = rules_of(key);
  while (!key.idle_.empty() && key.stats_.used() > rules.max)
    close(key.idle_.front(), CloseReason::OverLimit);
  while (key.stats_.idle > rules.idle_max) close(key.idle_.front(), CloseReason::IdleLimit);
  for (PoolEntry& entry : key.idle_) set_deadline(entry);
}

void PoolPolicy::set_rules(const PoolRules& rules, Instant now) {
  see(now);
  PERILUNE_EXPECT(rules.binding == rules_.binding, "who gets an allocation is settled when a pool is made");
  rules_ = rules;
  for (PoolKey& key : keys_) trim(key);
  while (!idle_.empty() && total_.used() > rules_.total_max) close(idle_.front(), CloseReason::OverLimit);
  while (total_.idle > rules_.idle_max) close(idle_.front(), CloseReason::IdleLimit);
  for (PoolKey& key : keys_) update_starving(key);
  for (PoolKey& key : keys_) settle(key);
}

void PoolPolicy::set_key_rules(PoolKey& key, const std::optional<PoolKeyRules>& rules, Instant now) {
  see(now);
  if (!key.pool_) attach(key);
  key.own_rules_ = rules;
  if (rules && key.vacant_hook_.is_linked()) vacant_.erase(vacant_.iterator_to(key));
  trim(key);
  settle(key);
}

void PoolPolicy::drain(PoolKey& key, Drain how, Instant now) {
  see(now);
  if (!key.pool_) return;
  ++key.epoch_;
  if (how == Drain::Refuse) key.is_refusing_ = true;
  while (!key.idle_.empty()) close(key.idle_.front(), CloseReason::Drained);
  settle(key);
}

void PoolPolicy::drain(Drain how, Instant now) {
  if (how == Drain::Refuse) is_refusing_ = true;
  for (PoolKey& key : keys_) drain(key, Drain::Existing, now);
}

void PoolPolicy::shut_down(Instant now) {
  see(now);
  LeaseResult failure;
  failure.kind = LeaseResult::Kind::Failed;
  failure.code = ErrorCode::Draining;
  for (PoolKey& key : keys_) {
    while (!key.turns_.empty()) {
      PoolWaiter& waiter = key.turns_.front();
      leave_queue(waiter, Leaving::GaveUp);
      make_ready(waiter, failure);
    }
  }
  for (PoolWaiter& waiter : ready_) {
    if (waiter.result_.kind != LeaseResult::Kind::Allocate) continue;
    free_slot(slot_of(waiter.result_.ticket));
    waiter.result_ = failure;
  }
  for (PoolSlot& slot : slots_)
    if (slot.state != PoolSlot::State::Free) abort(ticket_of(slot), failure.code, now);
  drain(Drain::Refuse, now);
}

}  // namespace perilune::algo
