#include "upstream/exchange.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace perilune::upstream {

using flow::Event;

namespace {

const RetryOptions no_retry{};

/// How often a request moves to another connection because the one it had turned out to be of no use before
/// it was sent: as many stale connections as one bad moment leaves, but no endless search.
constexpr uint32_t moves_max = 64;

bool is_connect_failure(ErrorCode code) {
  return code == ErrorCode::ConnectFailure || code == ErrorCode::ConnectTimeout ||
         code == ErrorCode::ResolveFailure;
}

Event copy_of(Event& kept) {
  return kept.is_data() ? Event::data(kept.slice()) : Event::message_end(kept.trailers());
}

}  // namespace

void Exchange::start(Ref<Cluster> cluster, Ref<message::RequestHead> head, ExchangePlan plan) {
  cluster_ = std::move(cluster);
  head_ = std::move(head);
  plan_ = std::move(plan);
  is_answered_ = false;
  last_endpoint_.clear();
  last_identity_ = 0;
  if (!plan_.retry) plan_.retry = &no_retry;
  is_idempotent_ = head_->is_idempotent() && head_->upgrade.empty();
  begun_ = runtime_.loop.now();
  if (auto admitted = cluster_->admit(); admitted.has_error()) {
    const Error error = admitted.error();
    cluster_.reset();
    is_answered_ = true;
    owner_.on_exchange_failed(error);
    return;
  }
  if (plan_.timeout != Duration::max()) runtime_.loop.arm(timeout_timer_, plan_.timeout);
  begin_try(Kind::First);
}

// ── tries

Attempt& Exchange::free_attempt() {
  for (const auto& attempt : attempts_)
    if (!attempt->is_running()) return *attempt;
  attempts_.push_back(std::make_unique<Attempt>(static_cast<AttemptOwner&>(*this)));
  return *attempts_.back();
}

bool Exchange::has_running() const {
  return std::ranges::any_of(attempts_, [](const auto& attempt) { return attempt->is_running(); });
}

void Exchange::begin_try(Kind kind) {
  if (is_answered_ || (kind != Kind::First && !keeps_)) return;
  if (kind == Kind::First && cluster_->awaits_members()) {
    cluster_->wait_for_members(*this);
    if (!timeout_timer_.is_armed()) runtime_.loop.arm(timeout_timer_, cluster_->options().queue_timeout);
    return;
  }
  Endpoint* endpoint = kind == Kind::Again ? again_ : nullptr;
  if (!endpoint) {
    Choice choice{plan_.key, plan_.identity, plan_.is_pinned, tried_};
    endpoint = cluster_->choose(choice);
  }
  if (!endpoint) {
    if (kind != Kind::Hedge) fail(cluster_->no_endpoint());
    return;
  }
  // A second connection to the same endpoint is no hedge.
  if (kind == Kind::Hedge && std::ranges::find(tried_, endpoint) != tried_.end()) return;
  if (std::ranges::find(tried_, endpoint) == tried_.end()) {
    tried_.push_back(endpoint);
    cluster_->keep(*endpoint);
  }
  if (kind == Kind::First || kind == Kind::Retry) ++tries_;
  if (kind == Kind::Retry || kind == Kind::Hedge) cluster_->counts(*endpoint).retried.add();
  last_endpoint_ = endpoint->record->name;
  last_identity_ = endpoint->record->identity;
  again_ = endpoint;
  const Instant deadline = plan_.timeout == Duration::max() ? Instant::max() : begun_ + plan_.timeout;
  Attempt& attempt = free_attempt();
  const auto started = attempt.start(
      *endpoint, {plan_.tag, plan_.tenant, &owner_.exchange_context(), deadline, plan_.try_timeout,
                  is_idempotent_, kind == Kind::Again && has_replaced_stale_, kind == Kind::Hedge});
  if (started.has_error()) {
    if (kind != Kind::Hedge) on_attempt_failed(attempt, {started.error()});
    return;
  }
  if (is_answered_) return;  // a hook failed at once
  if (kind == Kind::First && plan_.hedge) arm_hedges();
  if (attempt.stage() == Attempt::Stage::Ready) on_attempt_ready(attempt);
}

void Exchange::begin_try_later(Kind kind) {
  next_kind_ = kind;
  runtime_.loop.defer(retry_task_);
}

void Exchange::on_members() {
  if (plan_.timeout == Duration::max()) timeout_timer_.disarm();
  begin_try_later(Kind::First);
}

void Exchange::on_attempt_ready(Attempt& attempt) {
  // Of two that dial, the first one is enough.
  for (const auto& other : attempts_)
    if (other.get() != &attempt && other->is_running() && other->stage() < Attempt::Stage::Sent)
      other->stop();
  dial_hedge_timer_.disarm();
  flow::Context& context = owner_.exchange_context();
  context.note_attempt(attempt.is_reused());
  context.set_connection(Ref<flow::Context>(attempt.session()->connection()));
  set_host(attempt.endpoint());
  attempt.begin(*head_);
  if (attempt.stage() < Attempt::Stage::Sent) return;  // it goes elsewhere
  send_kept(attempt);
  settle_kept();
}

void Exchange::set_host(const Endpoint& endpoint) {
  using Host = ExchangePlan::Host;
  const std::string& name = endpoint.record->name;
  const std::string_view authority =
      name.starts_with("unix:") ? std::string_view("localhost") : std::string_view(name);
  if (plan_.host == Host::Fixed) head_->headers.set("Host", plan_.host_name, message::Name::Host);
  else if (plan_.host == Host::Endpoint) head_->headers.set("Host", authority, message::Name::Host);
  // RFC 9112 section 3.2: a request of HTTP/1.0 may come without a Host and must not go on without.
  else if (!head_->headers.has(message::Name::Host))
    head_->headers.add("Host", authority, message::Name::Host);
}

// ── the request

void Exchange::send(Event&& event) {
  if (!is_running()) return;
  if (event.is_message_end() && event.error()) {
    // The request was cut: it must not look complete to the upstream.
    const Error error = *event.error();
    fail(error);
    return;
  }
  if (winner_) {
    winner_->send(std::move(event));
    return;
  }
  for (const auto& attempt : attempts_)
    if (attempt->stage() == Attempt::Stage::Sent) attempt->send(copy_of(event));
  if (keeps_) kept_.keep(event, runtime_.chunks);
  settle_kept();
}

void Exchange::send_kept(Attempt& attempt) {
  kept_.send([&](Event&& event) {
    if (attempt.stage() == Attempt::Stage::Sent) attempt.send(std::move(event));
  });
}

/// What is too much to be kept is let go once it is under way; until then no more of it is taken.
void Exchange::settle_kept() {
  if (kept_.bytes() <= plan_.retry->body_bytes_max || !keeps_) {
    input_hold_.release();
    return;
  }
  const bool is_sent = std::ranges::any_of(
      attempts_, [](const auto& attempt) { return attempt->stage() == Attempt::Stage::Sent; });
  if (is_sent) {
    keeps_ = false;
    kept_.clear();
    // Whoever is not that far would get a body with a hole.
    for (const auto& attempt : attempts_)
      if (attempt->is_running() && attempt->stage() < Attempt::Stage::Sent) attempt->stop();
    input_hold_.release();
  } else if (!input_hold_) {
    input_hold_ = owner_.request_valve().hold();
  }
}

// ── failures and retries

bool Exchange::may_repeat(bool was_written) const {
  return !is_answered_ && !winner_ && keeps_ && (is_idempotent_ || !was_written || plan_.retry->any_method);
}

bool Exchange::may_retry(const AttemptFailure& failure) const {
  return tries_ < plan_.retry->attempts && plan_.retry->on.has(failure.error.code) &&
         may_repeat(failure.was_written);
}

void Exchange::on_attempt_failed(Attempt& attempt, const AttemptFailure& failure) {
  if (is_answered_) return;
  if (failure.is_moved && moves_ < moves_max && may_repeat(false)) {
    ++moves_;
    begin_try_later(Kind::Again);
    return;
  }
  if (has_running() || retry_task_.is_queued()) return;  // the other one may still answer
  if (failure.was_stale && !has_replaced_stale_ && may_repeat(failure.was_written)) {
    has_replaced_stale_ = true;
    begin_try_later(Kind::Again);
    return;
  }
  if (may_retry(failure)) {
    // An endpoint that was never reached was not asked for anything: going elsewhere is no more work for
    // anybody, and neither waits nor counts. All others have a budget.
    const bool was_reached = failure.was_written || !is_connect_failure(failure.error.code);
    if (!was_reached && tried_.size() < cluster_->endpoints().size()) {
      begin_try_later(Kind::Retry);
      return;
    }
    if (cluster_->begin_retry()) {
      ++retries_held_;
      retry_after(std::nullopt);
      return;
    }
  }
  // A dead connection that is not replaced is a failure like others.
  if (failure.was_stale) cluster_->counts(attempt.endpoint()).failed.add();
  fail(failure.error);
}

void Exchange::retry_after(std::optional<Duration> wait) {
  next_kind_ = Kind::Retry;
  const uint64_t random = runtime_.loop.driver().random();
  runtime_.loop.arm(retry_timer_, wait ? *wait : algo::backoff(tries_, random, plan_.retry->backoff));
}

bool Exchange::retries_answer(const message::ResponseHead& head) const {
  return plan_.retry->on.has(head.status) && tries_ < plan_.retry->attempts && may_repeat(true);
}

void Exchange::on_timeout() {
  if (cluster_->awaits_members()) fail(cluster_->no_endpoint());
  else
    fail({ErrorCode::RequestTimeout, Side::Upstream,
          last_endpoint_.empty() ? "upstream " + cluster_->name() : last_endpoint_});
}

void Exchange::fail(Error error) {
  if (is_answered_ && !winner_) return;
  const bool had_answer = is_answered_;
  finish();
  if (!had_answer) owner_.on_exchange_failed(error);
}

// ── hedges

void Exchange::arm_hedges() {
  const Duration after = cluster_->hedge_after(*plan_.hedge);
  if (plan_.hedge->asks_again() && after != Duration::max() && is_idempotent_)
    runtime_.loop.arm(hedge_timer_, after);
  const Duration dial_after = cluster_->hedge_connect_after(*plan_.hedge);
  if (plan_.hedge->dials_again() && dial_after != Duration::max())
    runtime_.loop.arm(dial_hedge_timer_, dial_after);
}

void Exchange::on_hedge_due() {
  if (is_answered_ || winner_ || hedges_ >= plan_.hedge->max || !may_repeat(true) || !has_running()) return;
  if (!cluster_->begin_retry()) return;
  ++retries_held_;
  ++hedges_;
  const size_t tried = tried_.size();
  begin_try(Kind::Hedge);
  if (is_answered_) return;
  if (tried_.size() == tried) {
    // There is nobody else to ask: others need the budget.
    --retries_held_;
    cluster_->end_retry();
  }
  if (hedges_ < plan_.hedge->max) arm_hedges();
}

void Exchange::on_dial_hedge_due() {
  const bool is_dialling = std::ranges::any_of(
      attempts_, [](const auto& attempt) { return attempt->stage() == Attempt::Stage::Leasing; });
  if (!is_answered_ && !winner_ && is_dialling) begin_try(Kind::Hedge);
}

// ── the answer

void Exchange::on_attempt_event(Attempt& attempt, Event&& event) {
  if (is_answered_ && &attempt != winner_) return;
  if (!event.is_message_start()) {
    if (event.is_message_end()) finish();
    owner_.on_exchange_event(std::move(event));
    return;
  }
  if (event.is_interim()) {
    // The first 100 asks the client for the body, of which all tries get their copy.
    if (event.response()->status == 100) {
      if (!std::exchange(has_asked_for_body_, true)) owner_.on_exchange_event(std::move(event));
      return;
    }
    // Any other 1xx of one of two tries says nothing of the one that wins.
    const auto is_sent = [](const auto& other) { return other->stage() == Attempt::Stage::Sent; };
    if (std::ranges::count_if(attempts_, is_sent) == 1) owner_.on_exchange_event(std::move(event));
    return;
  }
  take_answer(attempt, std::move(event));
}

void Exchange::take_answer(Attempt& attempt, Event&& event) {
  if (retries_answer(*event.response())) {
    const bool has_other = std::ranges::any_of(
        attempts_, [&](const auto& other) { return other.get() != &attempt && other->is_running(); });
    if (has_other) {
      attempt.stop();
      return;
    }
    std::optional<Duration> wait;
    bool waits_too_long = false;
    if (const auto wished = event.response()->headers.find("retry-after"))
      if (const auto seconds = parse_decimal(*wished)) {
        wait = algo::backoff_after(std::chrono::seconds(std::min<uint64_t>(*seconds, 86'400)), tries_,
                                   runtime_.loop.driver().random(), plan_.retry->backoff);
        waits_too_long = !wait;
      }
    if (!waits_too_long && cluster_->begin_retry()) {
      ++retries_held_;
      attempt.stop();
      retry_after(wait);
      return;
    }
  }
  winner_ = &attempt;
  is_answered_ = true;
  last_endpoint_ = attempt.endpoint().record->name;
  last_identity_ = attempt.endpoint().record->identity;
  owner_.exchange_context().set_connection(Ref<flow::Context>(attempt.session()->connection()));
  stop_others(&attempt);
  timeout_timer_.disarm();
  retry_timer_.disarm();
  hedge_timer_.disarm();
  dial_hedge_timer_.disarm();
  keeps_ = false;
  kept_.clear();
  input_hold_.release();
  owner_.on_exchange_event(std::move(event));
}

void Exchange::stop_others(const Attempt* winner) {
  for (const auto& other : attempts_)
    if (other.get() != winner) other->stop();
}

void Exchange::on_response_valve() {
  for (const auto& attempt : attempts_) attempt->on_response_valve();
}

void Exchange::stop() {
  if (!is_running()) return;
  if (!is_answered_ && again_) cluster_->counts(*again_).cancelled.add();
  finish();
}

void Exchange::finish() {
  is_answered_ = true;
  winner_ = nullptr;
  timeout_timer_.disarm();
  retry_timer_.disarm();
  retry_task_.withdraw();
  hedge_timer_.disarm();
  dial_hedge_timer_.disarm();
  if (MembersWaiter::is_linked()) MembersWaiter::unlink();
  stop_others(nullptr);
  for (; retries_held_ > 0; --retries_held_) cluster_->end_retry();
  for (Endpoint* endpoint : tried_) cluster_->let_go(*endpoint);
  tried_.clear();
  kept_.clear();
  input_hold_.release();
  cluster_->leave();
  cluster_.reset();
  head_.reset();
  again_ = nullptr;
  tries_ = hedges_ = moves_ = 0;
  keeps_ = true;
  has_replaced_stale_ = has_asked_for_body_ = false;
}

}  // namespace perilune::upstream
