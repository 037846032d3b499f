#include <algorithm>

#include "algo/pool_policy.hpp"
#include "base/expect.hpp"

// The queue of a key:
//
//   turns_      a1 ----- b1 ----- c1         the first waiter of each tenant, in the order of their turns
//               |        |
//   followers_  a2       b2                  the others of the tenant, in the order of arrival
//               |
//               a3
//
// Serving a1 puts a2 in its place at the end of turns_. A waiter that is told to allocate leaves the queue;
// with PoolBinding::First it goes on waiting in covered_, which is served before the queue.

namespace perilune::algo {

using Kind = LeaseResult::Kind;

PoolWaiter::~PoolWaiter() {
  if (pool_) pool_->cancel(*this, pool_->now_);
}

PoolWaiter* PoolPolicy::next_waiter(PoolKey& key) {
  if (!key.covered_.empty()) return &key.covered_.front();
  return key.turns_.empty() ? nullptr : &key.turns_.front();
}

void PoolPolicy::enqueue(PoolKey& key, PoolWaiter& waiter) {
  waiter.pool_ = this;
  waiter.key_ = &key;
  waiter.state_ = PoolWaiter::State::Queued;
  waiter.queued_at_ = now_;
  waiter.gives_up_at_ = std::min(after(now_, rules_.queue_timeout), waiter.deadline);
  if (waiter.gives_up_at_ != Instant::max()) deadlines_.insert(waiter);
  ++key.stats_.waiting, ++total_.waiting;
  ++key.stats_.queued, ++total_.queued;

  PoolWaiter*& first = tenants_[tenant_place(key, waiter.tenant)];
  if (first) {
    first->followers_.push_back(waiter);
  } else {
    first = &waiter;
    key.turns_.push_back(waiter);
  }
}

void PoolPolicy::leave_queue(PoolWaiter& waiter, Leaving why) {
  PoolKey& key = *waiter.key_;
  const auto place = tenants_.find(tenant_place(key, waiter.tenant));
  if (place->second != &waiter) {
    place->second->followers_.erase(place->second->followers_.iterator_to(waiter));
  } else {
    const auto behind = key.turns_.erase(key.turns_.iterator_to(waiter));
    if (waiter.followers_.empty()) {
      tenants_.erase(place);
    } else {
      PoolWaiter& heir = waiter.followers_.front();
      waiter.followers_.pop_front();
      heir.followers_.swap(waiter.followers_);
      // A tenant that was served goes behind the others; one whose waiter gave up keeps its turn.
      key.turns_.insert(why == Leaving::Served ? key.turns_.end() : behind, heir);
      place->second = &heir;
    }
  }
  if (waiter.deadline_hook_.is_linked()) deadlines_.erase(deadlines_.iterator_to(waiter));
  --key.stats_.waiting, --total_.waiting;
  waiter.state_ = PoolWaiter::State::Detached;
  waiter.queue_wait_ = waiter.queue_wait_.value_or(Duration::zero()) + (now_ - waiter.queued_at_);
  update_starving(key);
}

void PoolPolicy::update_starving(PoolKey& key) {
  note_want(key);
  const bool is_linked = key.starving_hook_.is_linked();
  const bool is_starving =
      !key.turns_.empty() && key.stats_.used() < rules_of(key).max && !key.is_out_of_tokens_;
  if (is_linked) {
    if (is_starving && key.starving_since_ == key.turns_.front().arrival_) return;
    starving_.erase(starving_.iterator_to(key));
  }
  if (!is_starving) return;
  key.starving_since_ = key.turns_.front().arrival_;
  starving_.insert(key);
}

/// The waiter stays, and an allocation is under way for it.
void PoolPolicy::cover(PoolWaiter& waiter, PoolSlot& slot) {
  if (slot.state == PoolSlot::State::Nobodys) {
    slot.key->nobodys_.erase(slot.key->nobodys_.iterator_to(slot));
    slot.state = PoolSlot::State::Begun;
  }
  waiter.pool_ = this;
  waiter.key_ = slot.key;
  waiter.state_ = PoolWaiter::State::Covered;
  waiter.result_ = {};
  waiter.result_.kind = Kind::Allocate;
  waiter.result_.ticket = ticket_of(slot);
  slot.starter = &waiter;
  slot.key->covered_.push_back(waiter);
  ++slot.key->stats_.covered, ++total_.covered;
}

/// Takes the waiter out of covered_. The ticket is returned of an allocation that nobody waits for any more.
std::optional<PoolTicket> PoolPolicy::uncover(PoolWaiter& waiter) {
  PoolKey& key = *waiter.key_;
  key.covered_.erase(key.covered_.iterator_to(waiter));
  --key.stats_.covered, --total_.covered;
  waiter.state_ = PoolWaiter::State::Detached;
  if (waiter.result_.kind != Kind::Allocate) return std::nullopt;
  PoolSlot& slot = slot_of(waiter.result_.ticket);
  pass_on(slot);
  if (slot.state != PoolSlot::State::Nobodys) return std::nullopt;
  return ticket_of(slot);
}

void PoolPolicy::make_ready(PoolWaiter& waiter, const LeaseResult& result) {
  waiter.state_ = PoolWaiter::State::Ready;
  waiter.result_ = result;
  ready_.push_back(waiter);
}

/// The entry, which still counts as leased, is the waiter's from now on.
void PoolPolicy::deliver(PoolEntry& entry, PoolWaiter& waiter) {
  if (waiter.state_ == PoolWaiter::State::Covered) uncover(waiter);
  else leave_queue(waiter, Leaving::Served);
  count_use(entry);
  entry.state_ = PoolEntry::State::Handed;
  LeaseResult result;
  result.kind = Kind::Leased;
  result.entry = &entry;
  make_ready(waiter, result);
}

PoolWaiter* PoolPolicy::pop_ready() {
  if (ready_.empty()) return nullptr;
  PoolWaiter& waiter = ready_.front();
  ready_.pop_front();
  waiter.state_ = PoolWaiter::State::Detached;
  waiter.pool_ = nullptr;
  if (waiter.result_.kind == Kind::Leased) waiter.result_.entry->state_ = PoolEntry::State::Leased;
  return &waiter;
}

PoolWaiter* PoolPolicy::holder_of(const PoolEntry& entry) {
  for (PoolWaiter& waiter : ready_)
    if (waiter.result_.entry == &entry) return &waiter;
  return nullptr;
}

void PoolPolicy::serve_elsewhere(PoolWaiter& waiter) {
  PERILUNE_EXPECT(waiter.pool_ == this && waiter.state_ == PoolWaiter::State::Queued,
                  "only who is in the queue is served elsewhere");
  PoolKey& key = *waiter.key_;
  leave_queue(waiter, Leaving::Served);
  waiter.pool_ = nullptr;
  settle(key);
}

std::optional<PoolTicket> PoolPolicy::cancel(PoolWaiter& waiter, Instant now) {
  if (waiter.pool_ != this) return std::nullopt;
  see(now);
  std::optional<PoolTicket> surplus;
  const PoolWaiter::State was = waiter.state_;
  const LeaseResult& result = waiter.result_;
  waiter.pool_ = nullptr;
  if (was == PoolWaiter::State::Ready) {
    ready_.erase(ready_.iterator_to(waiter));
    waiter.state_ = PoolWaiter::State::Detached;
    if (result.kind == Kind::Failed) return std::nullopt;  // its key may be gone already
  }

  PoolKey& key = *waiter.key_;
  if (was == PoolWaiter::State::Ready) {
    if (result.kind == Kind::Allocate) {
      free_slot(slot_of(result.ticket));
    } else {
      result.entry->state_ = PoolEntry::State::Leased;
      // It was never used for this: only whoever uses it counts.
      if (--result.entry->uses_ > 0) --key.stats_.reused, --total_.reused;
      place(*result.entry, Origin::Returned);
    }
  } else if (was == PoolWaiter::State::Covered) {
    surplus = uncover(waiter);
  } else {
    leave_queue(waiter, Leaving::GaveUp);
  }
  ++key.stats_.cancelled, ++total_.cancelled;
  settle(key);
  return surplus;
}

}  // namespace perilune::algo
