#include "algo/pool_policy.hpp"

#include <algorithm>

#include "base/expect.hpp"

namespace perilune::algo {

using Kind = LeaseResult::Kind;

namespace {

/// How much longer somebody in another pool must have waited for an entry to be closed for his sake: where
/// all wait, entries would change pools at each release, and none would ever be used twice.
constexpr Duration unfairness_max = std::chrono::milliseconds(50);

}  // namespace

PoolEntry::~PoolEntry() {
  if (pool_) pool_->forget(*this);
}

PoolKey::~PoolKey() {
  if (!pool_) return;
  PERILUNE_EXPECT(stats_.used() == 0 && stats_.waiting == 0 && covered_.empty() && closed_ == 0,
                  "a pool's key is destroyed when nothing of it is left");
  pool_->keys_.erase(pool_->keys_.iterator_to(*this));
  if (vacant_hook_.is_linked()) pool_->vacant_.erase(pool_->vacant_.iterator_to(*this));
}

PoolPolicy::~PoolPolicy() {
  PERILUNE_EXPECT(keys_.empty() && closed_.empty() && ready_.empty(), "a pool outlives what it pools");
}

void PoolPolicy::attach(PoolKey& key) {
  key.pool_ = this;
  key.number_ = ++keys_seen_;
  key.is_refusing_ = false;
  keys_.push_back(key);
}

LeaseResult PoolPolicy::lease(PoolKey& key, PoolWaiter& waiter, Instant now) {
  see(now);
  PERILUNE_EXPECT(waiter.state_ == PoolWaiter::State::Detached, "a waiter waits for one thing at a time");
  waiter.arrival_ = ++arrivals_;
  waiter.queue_wait_.reset();
  if (!key.pool_) attach(key);
  PERILUNE_EXPECT(key.pool_ == this, "a key belongs to one pool");
  if (key.vacant_hook_.is_linked()) vacant_.erase(vacant_.iterator_to(key));
  if (is_refusing_ || key.is_refusing_) return fail(key, ErrorCode::Draining);

  // Whoever waits for this key already comes first, even if something were idle.
  if (!next_waiter(key) && !waiter.needs_fresh)
    if (PoolEntry* entry = take_fresh(key)) return hand_out(*entry);
  if (waiter.needs_fresh && !key.idle_.empty() && !has_free_slot(key))
    close(key.idle_.front(), CloseReason::Evicted);

  LeaseResult result;
  if (!key.nobodys_.empty() && rules_.binding == PoolBinding::First) {
    cover(waiter, key.nobodys_.front());
    result.kind = Kind::Queued;
    return result;
  }
  if ((key.turns_.empty() || waiter.needs_fresh) && make_room(key)) {
    PoolSlot& slot = open_slot(key);
    if (rules_.binding == PoolBinding::First) cover(waiter, slot);
    result.kind = Kind::Allocate;
    result.ticket = ticket_of(slot);
    return result;
  }
  if (key.stats_.waiting >= rules_.queue_max || total_.waiting >= rules_.queue_total_max) {
    ++key.stats_.queue_full;
    ++total_.queue_full;
    return fail(key, ErrorCode::QueueFull);
  }
  enqueue(key, waiter);
  update_starving(key);
  result.kind = Kind::Queued;
  return result;
}

LeaseResult PoolPolicy::fail(PoolKey& key, ErrorCode code) {
  note_vacancy(key);
  LeaseResult result;
  result.kind = Kind::Failed;
  result.code = code;
  return result;
}

PoolEntry* PoolPolicy::take_fresh(PoolKey& key) {
  const PoolOrder order = rules_of(key).order;
  while (!key.idle_.empty()) {
    PoolEntry& entry = order == PoolOrder::Lifo ? key.idle_.back() : key.idle_.front();
    if (entry.idle_deadline_ > now_) return &entry;
    close(entry, entry.ttl_deadline_ <= now_ ? CloseReason::Ttl : CloseReason::IdleTimeout);
  }
  return nullptr;
}

void PoolPolicy::count_use(PoolEntry& entry) {
  if (entry.uses_++ > 0) ++entry.key_->stats_.reused, ++total_.reused;
}

LeaseResult PoolPolicy::hand_out(PoolEntry& entry) {
  PoolKey& key = *entry.key_;
  key.idle_.erase(key.idle_.iterator_to(entry));
  idle_.erase(idle_.iterator_to(entry));
  --key.stats_.idle, --total_.idle;
  ++key.stats_.leased, ++total_.leased;
  count_use(entry);
  entry.state_ = PoolEntry::State::Leased;

  LeaseResult result;
  result.kind = Kind::Leased;
  result.entry = &entry;
  const Duration validate_after = rules_of(key).validate_after;
  result.must_validate = validate_after != forever && now_ - entry.idle_since_ >= validate_after;
  return result;
}

LeaseResult PoolPolicy::replace(PoolEntry& entry, PoolWaiter& waiter, Instant now) {
  see(now);
  PERILUNE_EXPECT(entry.pool_ == this && entry.state_ == PoolEntry::State::Leased,
                  "only a leased entry is replaced");
  PERILUNE_EXPECT(waiter.state_ == PoolWaiter::State::Detached, "a waiter waits for one thing at a time");
  PoolKey& key = *entry.key_;
  close(entry, CloseReason::Discarded, Token::Kept);
  if (PoolEntry* other = take_fresh(key)) {
    give_back_token(key);
    const LeaseResult result = hand_out(*other);
    settle(key);
    return result;
  }
  // The closed one's slot is taken again before anybody else is asked.
  PoolSlot& slot = open_slot(key);
  if (rules_.binding == PoolBinding::First) cover(waiter, slot);
  settle(key);
  LeaseResult result;
  result.kind = Kind::Allocate;
  result.ticket = ticket_of(slot);
  return result;
}

bool PoolPolicy::release(PoolEntry& entry, Verdict verdict, Instant now) {
  if (entry.pool_ != this || entry.state_ != PoolEntry::State::Leased) return false;
  see(now);
  if (verdict == Verdict::Discard) {
    PoolKey& key = *entry.key_;
    close(entry, CloseReason::Discarded);
    settle(key);
  } else {
    place(entry, Origin::Returned);
  }
  return true;
}

void PoolPolicy::discard(PoolEntry& entry, Instant now) {
  if (entry.pool_ != this || entry.state_ == PoolEntry::State::Closed) return;
  see(now);
  PoolKey& key = *entry.key_;
  PoolWaiter* holder = entry.state_ == PoolEntry::State::Handed ? holder_of(entry) : nullptr;
  close(entry, CloseReason::Discarded, holder ? Token::Kept : Token::GivenBack);
  if (holder) {
    ready_.erase(ready_.iterator_to(*holder));
    PoolSlot& slot = open_slot(key);
    if (rules_.binding == PoolBinding::First) {
      cover(*holder, slot);
      slot.state = PoolSlot::State::Granted;
      granted_.push_back(slot);
    } else {
      LeaseResult result;
      result.kind = Kind::Allocate;
      result.ticket = ticket_of(slot);
      make_ready(*holder, result);
    }
  }
  settle(key);
}

std::optional<CloseReason> PoolPolicy::reason_to_close(const PoolEntry& entry) const {
  const PoolKey& key = *entry.key_;
  const PoolKeyRules& rules = rules_of(key);
  if (entry.epoch_ != key.epoch_) return CloseReason::Drained;
  if (entry.uses_ >= rules.uses_max) return CloseReason::UsesSpent;
  if (entry.ttl_deadline_ <= now_) return CloseReason::Ttl;
  if (key.stats_.used() > rules.max || total_.used() > rules_.total_max) return CloseReason::OverLimit;
  return std::nullopt;
}

/// The total is exhausted and somebody at another key has waited longer than anybody here: then this
/// slot is theirs. Otherwise a busy key would keep the others out for as long as it stays busy.
bool PoolPolicy::is_needed_elsewhere(const PoolKey& key, const PoolWaiter& next) const {
  if (tokens_ && next.state_ == PoolWaiter::State::Queued) {
    const Instant wanted = tokens_->wanted_since(key);
    if (wanted != Instant::max() && wanted + unfairness_max < next.queued_at_) return true;
  }
  if (starving_.empty()) return false;
  const PoolKey& eldest = *starving_.begin();
  return &eldest != &key && eldest.starving_since_ < next.arrival_;
}

/// Finds the place of an entry that nobody holds (it still counts as leased): a waiter, the idle list, or
/// out.
void PoolPolicy::place(PoolEntry& entry, Origin origin) {
  PoolKey& key = *entry.key_;
  PoolWaiter* const waiter = next_waiter(key);
  if (origin == Origin::Fresh && waiter) {
    // It was made for this key in full knowledge of the limits, and one use is due even to a drained one.
    deliver(entry, *waiter);
    settle(key);
    return;
  }
  if (const auto reason = reason_to_close(entry)) {
    close(entry, *reason);
  } else if (waiter) {
    if (is_needed_elsewhere(key, *waiter)) close(entry, CloseReason::Evicted);
    else deliver(entry, *waiter);
  } else if (is_refusing_ || key.is_refusing_) {
    close(entry, CloseReason::Drained);
  } else {
    make_idle(entry);
    if (entry.state_ == PoolEntry::State::Idle && starving_.empty()) return;
  }
  settle(key);
}

void PoolPolicy::make_idle(PoolEntry& entry) {
  PoolKey& key = *entry.key_;
  if (tokens_ && tokens_->wanted_since(key) != Instant::max()) return close(entry, CloseReason::Evicted);
  const PoolKeyRules& rules = rules_of(key);
  if (key.stats_.idle >= rules.idle_max) {
    if (rules.idle_max == 0 || rules.overflow == IdleOverflow::CloseReturning)
      return close(entry, CloseReason::IdleLimit);
    close(key.idle_.front(), CloseReason::IdleLimit);
  }
  if (total_.idle >= rules_.idle_max) {
    if (rules_.idle_max == 0) return close(entry, CloseReason::IdleLimit);
    close(idle_.front(), CloseReason::IdleLimit);
  }
  entry.state_ = PoolEntry::State::Idle;
  --key.stats_.leased, --total_.leased;
  ++key.stats_.idle, ++total_.idle;
  key.idle_.push_back(entry);
  idle_.push_back(entry);
  entry.idle_since_ = now_;
  set_deadline(entry);
}

void PoolPolicy::close(PoolEntry& entry, CloseReason reason, Token token) {
  PoolKey& key = *entry.key_;
  if (entry.state_ == PoolEntry::State::Idle) {
    key.idle_.erase(key.idle_.iterator_to(entry));
    idle_.erase(idle_.iterator_to(entry));
    --key.stats_.idle, --total_.idle;
  } else {
    --key.stats_.leased, --total_.leased;
  }
  if (entry.due_hook_.is_linked()) due_.erase(due_.iterator_to(entry));
  ++key.stats_.closed[static_cast<size_t>(reason)];
  ++total_.closed[static_cast<size_t>(reason)];
  entry.state_ = PoolEntry::State::Closed;
  entry.reason_ = reason;
  closed_.push_back(entry);
  ++key.closed_;
  if (token == Token::GivenBack) give_back_token(key);
}

PoolEntry* PoolPolicy::pop_closed() {
  if (closed_.empty()) return nullptr;
  PoolEntry& entry = closed_.front();
  closed_.pop_front();
  --entry.key_->closed_;
  note_vacancy(*entry.key_);
  entry.pool_ = nullptr;
  entry.state_ = PoolEntry::State::Detached;
  return &entry;
}

void PoolPolicy::forget(PoolEntry& entry) {
  discard(entry, now_);
  closed_.erase(closed_.iterator_to(entry));
  --entry.key_->closed_;
  note_vacancy(*entry.key_);
}

}  // namespace perilune::algo
