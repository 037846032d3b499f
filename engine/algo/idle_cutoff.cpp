#include "algo/idle_cutoff.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace perilune::algo {
namespace {

// Beyond that a doubted timeout is none: a year, which no multiplication here brings near an overflow.
constexpr Duration longest = 365 * 24h;

Duration clamped(Duration age) { return std::clamp(age, Duration::zero(), longest); }

}  // namespace

// A round trip and the coarseness of timers, which short timeouts cannot afford whole: below twice the least
// margin it is half of the timeout.
Duration IdleCutoff::margin(Duration timeout) const {
  const Duration share = timeout * rules_.margin_percent / 100;
  return std::min(timeout / 2, std::max(rules_.margin_min, share));
}

void IdleCutoff::on_hint(Duration timeout, Instant now) {
  hint_ = clamped(timeout);
  hinted_at_ = now;
}

void IdleCutoff::on_idle_close(Duration age, Instant now) { add({clamped(age), Kind::Closed}, now); }

void IdleCutoff::on_stale(Duration age, Instant now) { add({clamped(age), Kind::Stale}, now); }

void IdleCutoff::on_reused(Duration age, Instant now) {
  judge_moment(now);
  lived(clamped(age));
}

void IdleCutoff::add(const Evidence& evidence, Instant now) {
  judge_moment(now);
  if (!moment_) {
    moment_ = Moment{now, evidence.age, evidence.age, evidence.kind};
    return;
  }
  moment_->youngest = std::min(moment_->youngest, evidence.age);
  moment_->eldest = std::max(moment_->eldest, evidence.age);
  // One close among failures says that the server does close.
  if (evidence.kind == Kind::Closed) moment_->kind = Kind::Closed;
}

void IdleCutoff::judge_moment(Instant now) {
  if (!moment_ || now - moment_->begin < rules_.restart_window) return;
  const Moment moment = *moment_;
  moment_.reset();
  if (is_below(moment.youngest, moment.eldest)) {
    // A restart. What was suspected just before may have been its beginning, and the server that comes back
    // may have another timeout.
    suspect_.reset();
    return;
  }
  judge({moment.youngest, moment.kind}, moment.begin);
}

bool IdleCutoff::agree(const Evidence& a, const Evidence& b) const {
  const Evidence& low = a.age < b.age ? a : b;
  const Evidence& high = a.age < b.age ? b : a;
  // A failure at a higher age is what a lower timeout makes; a close at a higher age is not.
  return high.kind == Kind::Stale || !is_below(low.age, high.age);
}

void IdleCutoff::judge(const Evidence& evidence, Instant when) {
  // The server closed it only now: until then it lived.
  if (evidence.kind == Kind::Closed) lived(evidence.age);
  if (evidence.age < rules_.age_min) return;

  if (learned_ && !is_below(evidence.age, *learned_)) {
    // The same again, or a failure beyond it: no reason to doubt.
    learned_ = std::min(*learned_, evidence.age);
    shown_at_ = when;
    return;
  }
  const std::optional<Evidence> before = std::exchange(suspect_, evidence);
  if (!before || !agree(*before, evidence)) return;

  const Evidence& low = before->age < evidence.age ? *before : evidence;
  const Evidence& high = before->age < evidence.age ? evidence : *before;
  // What both say: of two closes the earlier, but two failures say no more than "not above the later". The
  // earlier of these may be an accident, and stays a suspicion.
  learned_ = high.kind == Kind::Closed ? low.age : high.age;
  shown_at_ = when;
  suspect_.reset();
  if (is_below(low.age, *learned_)) suspect_ = low;
}

bool IdleCutoff::is_below(Duration age, Duration timeout) const { return timeout - age > margin(timeout); }

void IdleCutoff::lived(Duration age) {
  if (suspect_ && is_below(suspect_->age, age)) suspect_.reset();
  if (learned_ && is_below(*learned_, age)) learned_.reset();
}

Duration IdleCutoff::doubted(Instant now) const {
  const Duration silent = now - shown_at_;
  if (silent <= rules_.recovery) return *learned_;
  // From a second at least, or what is close to 0 would never come back.
  const double step = to_seconds(std::max<Duration>(*learned_, 1s));
  const double periods = to_seconds(silent - rules_.recovery) / to_seconds(rules_.recovery);
  const double grown = to_seconds(*learned_) + step * (std::exp2(periods) - 1);
  return grown < to_seconds(longest) ? from_seconds(grown) : longest;
}

Duration IdleCutoff::cutoff(Instant now) {
  judge_moment(now);
  if (hint_ && now - hinted_at_ > rules_.recovery) hint_.reset();
  if (learned_ && doubted(now) >= longest) learned_.reset();

  Duration result = Duration::max();
  if (hint_) result = *hint_ - std::min(*hint_ / 2, rules_.margin_min);
  if (learned_) result = std::min(result, doubted(now) - margin(doubted(now)));
  return result;
}

}  // namespace perilune::algo
