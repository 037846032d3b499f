#include <algorithm>

#include "algo/pool_policy.hpp"
#include "base/expect.hpp"

namespace perilune::algo {

using Kind = LeaseResult::Kind;

bool PoolPolicy::has_free_slot(const PoolKey& key) const {
  return key.stats_.used() < rules_of(key).max && total_.used() < rules_.total_max;
}

bool PoolPolicy::has_room(const PoolKey& key) const {
  return key.stats_.idle > 0 || (has_free_slot(key) && !key.is_out_of_tokens_ && !is_refusing_);
}

/// Whether `key` may have one more, after the least recently used idle entry of any key made room if need be.
/// Its token is taken then.
bool PoolPolicy::make_room(PoolKey& key) {
  if (key.stats_.used() >= rules_of(key).max) return false;
  if (total_.used() >= rules_.total_max && !idle_.empty()) close(idle_.front(), CloseReason::Evicted);
  if (total_.used() < rules_.total_max && take_token(key)) return true;
  if (rules_.empty_key == EmptyKey::Waits || key.stats_.used() > 0) return false;
  ++key.stats_.overflowed, ++total_.overflowed;
  if (tokens_) tokens_->take_beyond(key);
  return true;
}

bool PoolPolicy::take_token(PoolKey& key) {
  if (!tokens_) return true;
  using Answer = PoolTokens::Answer;
  Answer answer = tokens_->take(key);
  if (answer == Answer::TotalFull && !idle_.empty()) {
    // What that sets free goes to whoever has waited longest, which may be somebody in another pool.
    close(idle_.front(), CloseReason::Evicted);
    answer = tokens_->take(key);
  }
  key.is_out_of_tokens_ = answer == Answer::KeyFull;
  return answer == Answer::Taken;
}

void PoolPolicy::give_back_token(PoolKey& key) {
  if (tokens_) tokens_->give_back(key);
}

/// Tells the tokens who waits for one, or that nobody does any more.
void PoolPolicy::note_want(PoolKey& key) {
  if (!tokens_) return;
  const bool wants = !key.turns_.empty() && key.stats_.used() < rules_of(key).max;
  const Instant since = wants ? key.turns_.front().queued_at_ : Instant::max();
  if (since == key.wanted_since_) return;
  key.wanted_since_ = since;
  if (!wants) key.is_out_of_tokens_ = false;
  tokens_->want(key, since);
}

void PoolPolicy::on_token(PoolKey& key, Instant now) {
  see(now);
  key.is_out_of_tokens_ = false;
  key.wanted_since_ = Instant::max();
  // What was wanted may have come in another way, or nobody waits any more.
  if (key.pool_ != this || key.turns_.empty() || key.stats_.used() >= rules_of(key).max)
    tokens_->give_back(key);
  else grant(key);
  if (key.pool_ == this) settle(key);
}

bool PoolPolicy::evict_idle(PoolKey* key, Instant now) {
  see(now);
  if (key ? key->idle_.empty() : idle_.empty()) return false;
  PoolEntry& entry = key ? key->idle_.front() : idle_.front();
  PoolKey& its_key = *entry.key_;
  close(entry, CloseReason::Evicted);
  settle(its_key);
  return true;
}

std::optional<PoolTicket> PoolPolicy::allocate_ahead(PoolKey& key, Instant now) {
  see(now);
  if (!key.pool_) attach(key);
  if (key.vacant_hook_.is_linked()) vacant_.erase(vacant_.iterator_to(key));
  // Never at the cost of what is there, or before somebody who waits.
  const bool may = !is_refusing_ && !key.is_refusing_ && key.turns_.empty() && starving_.empty() &&
                   has_free_slot(key) && (!tokens_ || tokens_->take(key) == PoolTokens::Answer::Taken);
  if (!may) {
    note_vacancy(key);
    return std::nullopt;
  }
  PoolSlot& slot = open_slot(key);
  slot.state = PoolSlot::State::Nobodys;
  key.nobodys_.push_back(slot);
  return ticket_of(slot);
}

PoolSlot& PoolPolicy::open_slot(PoolKey& key) {
  if (free_slots_.empty()) {
    slots_.emplace_back();
    slots_.back().index = static_cast<uint32_t>(slots_.size() - 1);
    free_slots_.push_back(slots_.back());
  }
  PoolSlot& slot = free_slots_.front();
  free_slots_.pop_front();
  slot.key = &key;
  slot.epoch = key.epoch_;
  slot.state = PoolSlot::State::Begun;
  ++key.stats_.pending, ++total_.pending;
  return slot;
}

void PoolPolicy::free_slot(PoolSlot& slot, Token token) {
  if (token == Token::GivenBack) give_back_token(*slot.key);
  if (slot.state == PoolSlot::State::Granted) granted_.erase(granted_.iterator_to(slot));
  if (slot.state == PoolSlot::State::Nobodys) slot.key->nobodys_.erase(slot.key->nobodys_.iterator_to(slot));
  --slot.key->stats_.pending, --total_.pending;
  ++slot.generation;
  slot.starter = nullptr;
  slot.state = PoolSlot::State::Free;
  free_slots_.push_front(slot);
}

PoolSlot& PoolPolicy::slot_of(PoolTicket ticket) {
  PERILUNE_EXPECT(ticket.index < slots_.size() && slots_[ticket.index].generation == ticket.generation &&
                      slots_[ticket.index].state != PoolSlot::State::Free,
                  "a ticket is used once");
  return slots_[ticket.index];
}

PoolKey& PoolPolicy::key_of(PoolTicket ticket) { return *slot_of(ticket).key; }

/// Gives a slot that make_room found to the next waiter of `key`.
void PoolPolicy::grant(PoolKey& key) {
  PoolWaiter& waiter = key.turns_.front();
  leave_queue(waiter, Leaving::Served);
  PoolSlot& slot = open_slot(key);
  if (rules_.binding == PoolBinding::First) {
    cover(waiter, slot);
    slot.state = PoolSlot::State::Granted;
    granted_.push_back(slot);
  } else {
    LeaseResult result;
    result.kind = Kind::Allocate;
    result.ticket = ticket_of(slot);
    make_ready(waiter, result);
  }
  update_starving(key);
}

/// An allocation that lost its waiter covers the next one in the queue. When there is none it goes on
/// for nobody, or is undone if it was never begun.
void PoolPolicy::pass_on(PoolSlot& slot) {
  PoolKey& key = *slot.key;
  slot.starter = nullptr;
  if (!key.turns_.empty()) {
    PoolWaiter& next = key.turns_.front();
    leave_queue(next, Leaving::Served);
    cover(next, slot);
  } else if (slot.state == PoolSlot::State::Granted) {
    free_slot(slot);
  } else {
    slot.state = PoolSlot::State::Nobodys;
    key.nobodys_.push_back(slot);
  }
}

/// Brings everything up to date after `key` lost or gave back something.
void PoolPolicy::settle(PoolKey& key) {
  update_starving(key);
  // Only with EmptyKey::Overflows can a key be served that is not the eldest.
  if (rules_.empty_key == EmptyKey::Overflows && key.stats_.used() == 0 && !key.turns_.empty() &&
      make_room(key))
    grant(key);
  while (!starving_.empty()) {
    PoolKey& eldest = *starving_.begin();
    if (make_room(eldest)) grant(eldest);
    else if (eldest.is_out_of_tokens_) update_starving(eldest);  // no reason for the others to wait
    else break;
  }
  note_vacancy(key);
}

void PoolPolicy::note_vacancy(PoolKey& key) {
  if (key.stats_.used() > 0 || key.closed_ > 0 || key.own_rules_ || key.is_pinned_ || !key.turns_.empty() ||
      !key.covered_.empty())
    return;
  if (!key.vacant_hook_.is_linked()) vacant_.push_back(key);
}

PoolKey* PoolPolicy::pop_vacant() {
  if (vacant_.empty()) return nullptr;
  PoolKey& key = vacant_.front();
  vacant_.pop_front();
  keys_.erase(keys_.iterator_to(key));
  key.pool_ = nullptr;
  return &key;
}

std::optional<PoolTicket> PoolPolicy::pop_granted() {
  if (granted_.empty()) return std::nullopt;
  PoolSlot& slot = granted_.front();
  granted_.pop_front();
  slot.state = PoolSlot::State::Begun;
  return ticket_of(slot);
}

PoolPolicy::Committed PoolPolicy::commit(PoolTicket ticket, PoolEntry& entry, Instant now,
                                         Duration ttl_jitter) {
  see(now);
  PoolSlot& slot = slot_of(ticket);
  PERILUNE_EXPECT(entry.pool_ == nullptr, "an entry is committed once");
  PoolKey& key = *slot.key;
  const Duration ttl = rules_of(key).ttl;
  entry.pool_ = this;
  entry.key_ = &key;
  entry.born_ = now_;
  entry.ttl_deadline_ =
      ttl == forever ? Instant::max() : after(now_, std::max(ttl + ttl_jitter, Duration(1)));
  entry.idle_limit_ = forever;
  entry.uses_ = 0;
  entry.epoch_ = slot.epoch;

  PoolWaiter* const starter = slot.starter;
  const bool is_the_callers = rules_.binding == PoolBinding::Own && slot.state == PoolSlot::State::Begun;
  free_slot(slot, Token::Kept);  // the entry's from now on
  ++key.stats_.leased, ++total_.leased;
  ++key.stats_.allocated, ++total_.allocated;
  entry.state_ = PoolEntry::State::Leased;
  if (is_the_callers) {
    entry.uses_ = 1;
    return Committed::ToCaller;
  }
  // The eldest gets it, and the one it was made for takes over the eldest's allocation.
  if (starter) {
    PoolWaiter& eldest = key.covered_.front();
    if (&eldest != starter) slot_of(eldest.result_.ticket).starter = starter;
    starter->result_.ticket = eldest.result_.ticket;
    eldest.result_.kind = Kind::Queued;
  }
  place(entry, Origin::Fresh);
  return Committed::ToPool;
}

void PoolPolicy::abort(PoolTicket ticket, ErrorCode code, Instant now) {
  see(now);
  PoolSlot& slot = slot_of(ticket);
  PoolKey& key = *slot.key;
  PoolWaiter* const starter = slot.starter;
  free_slot(slot);
  ++key.stats_.allocate_failed, ++total_.allocate_failed;
  if (starter) {
    key.covered_.erase(key.covered_.iterator_to(*starter));
    --key.stats_.covered, --total_.covered;
    LeaseResult result;
    result.kind = Kind::Failed;
    result.code = code;
    make_ready(*starter, result);
  }
  settle(key);
}

void PoolPolicy::disown(PoolTicket ticket, Instant now) {
  see(now);
  PoolSlot& slot = slot_of(ticket);
  if (rules_.binding != PoolBinding::Own || slot.state != PoolSlot::State::Begun) return;
  slot.state = PoolSlot::State::Nobodys;
  slot.key->nobodys_.push_back(slot);
}

}  // namespace perilune::algo
