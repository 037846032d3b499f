#include "upstream/attempt.hpp"

namespace perilune::upstream {
namespace {

// Younger idle connections tell nothing about the other side's patience.
constexpr Duration telling_age = 100ms;

bool is_end(ErrorCode code) {
  return code == ErrorCode::Closed || code == ErrorCode::Reset || code == ErrorCode::Truncated;
}

}  // namespace

Result<void> Attempt::start(Endpoint& endpoint, const Wish& wish) {
  Cluster& cluster = owner_.cluster();
  endpoint_ = &endpoint;
  stage_ = Stage::Leasing;
  begun_ = cluster.loop().now();
  is_hedge_ = wish.is_hedge;
  is_idempotent = wish.is_idempotent;
  needs_fresh = wish.needs_fresh;
  tenant = wish.tenant;
  opener = wish.opener;
  deadline = wish.deadline;
  endpoint.record->active.fetch_add(1, std::memory_order_relaxed);
  cluster.counts(endpoint).requests.add();
  if (wish.timeout != Duration::max()) cluster.loop().arm(timer_, wish.timeout);
  bool reused = false;
  auto session = cluster.lease(endpoint, wish.tag, *this, reused);
  if (session.has_error()) {
    if (session.error().code == ErrorCode::QueueFull) cluster.counts(endpoint).overflow.add();
    end();
    return session.error();
  }
  if (*session) {
    take(**session, reused);
  } else if (stage_ == Stage::Leasing) {
    is_waiting_counted_ = true;
    cluster.record().waiting.fetch_add(1, std::memory_order_relaxed);
    if (PoolWaiter::state() == State::Queued) cluster.counts(endpoint).queued.add();
  }
  return {};
}

void Attempt::note_wait_over() {
  if (!std::exchange(is_waiting_counted_, false)) return;
  Cluster& cluster = owner_.cluster();
  cluster.record().waiting.fetch_sub(1, std::memory_order_relaxed);
  // The dial that may follow is the connect time.
  if (const auto wait = PoolWaiter::queue_wait()) cluster.counts(*endpoint_).queue_wait.observe(*wait);
}

void Attempt::take(ClientSession& session, bool reused) {
  const ClusterOptions& options = owner_.cluster().options();
  session_ = &session;
  is_reused_ = reused;
  idle_age_ = owner_.cluster().loop().now() - session.idle_since();
  stage_ = Stage::Hooks;
  hook_step_ = options.validate && reused ? HookStep::Validate : HookStep::Lease;
  run_hooks();
}

bool Attempt::run_hooks() {
  const ClusterOptions& options = owner_.cluster().options();
  while (hook_step_ != HookStep::Done) {
    flow::Hook* hook = hook_step_ == HookStep::Validate ? options.validate.get() : options.on_lease.get();
    if (hook) {
      looked_at_ = Ref<PooledConnection>(&PooledConnection::of(*session_));
      if (!call_) call_ = std::make_unique<flow::HookCall>(static_cast<flow::HookHandler&>(*this));
      if (call_->run(*hook, flow::HookShape::Context, *session_->connection()) == flow::HookStatus::Waiting)
        return false;
      if (!judge_hook()) return false;
    } else {
      hook_step_ = HookStep::Done;
    }
  }
  stage_ = Stage::Ready;
  return true;
}

/// What the hook that just ran said; true when the next may run.
bool Attempt::judge_hook() {
  if (call_->status == flow::HookStatus::Failed) {
    fail({call_->failure ? *call_->failure : Error{ErrorCode::ScriptError, Side::Script, {}}});
    return false;
  }
  if (session_->is_closing()) {
    fail_ended();
    return false;
  }
  const bool is_refused = hook_step_ == HookStep::Validate && call_->value.is_false();
  hook_step_ = hook_step_ == HookStep::Validate ? HookStep::Lease : HookStep::Done;
  if (!is_refused) return true;
  ClientSession& refused = *std::exchange(session_, nullptr);
  stage_ = Stage::Leasing;
  bool reused = false;
  auto next = owner_.cluster().pool().replace(refused, *this, reused);
  if (next.has_error()) fail({next.error()});
  else if (*next) take(**next, reused);
  return false;
}

/// The connection ended while a hook looked at it. Any number of old ones may; a new one is replaced once.
void Attempt::fail_ended() {
  AttemptFailure failure{Error{ErrorCode::Closed, Side::Upstream, endpoint_->record->name}};
  failure.is_moved = is_reused_;
  failure.was_stale = !is_reused_;
  fail(failure);
}

void Attempt::on_hook_done(flow::HookCall&) {
  if (judge_hook() && !run_hooks()) return;
  if (stage_ == Stage::Ready) owner_.on_attempt_ready(*this);
}

void Attempt::on_session(ClientSession& session, bool is_reused) {
  note_wait_over();
  take(session, is_reused);
  if (stage_ == Stage::Ready) owner_.on_attempt_ready(*this);
}

void Attempt::on_pool_failed(const Error& error) {
  note_wait_over();
  AttemptFailure failure{error};
  if (failure.error.detail.empty()) failure.error.detail = endpoint_->record->name;
  fail(failure);
}

void Attempt::begin(const message::RequestHead& head) {
  if (!session_->accepts(head.is_idempotent())) {
    // It lined up behind others, and while a hook looked the first of them became late.
    AttemptFailure failure{Error{ErrorCode::Closed, Side::Upstream, endpoint_->record->name}};
    failure.is_moved = true;
    return fail(failure);
  }
  EndpointCounts& count = owner_.cluster().counts(*endpoint_);
  count.sent.add();
  if (is_reused_) count.reused.add();
  stage_ = Stage::Sent;
  looked_at_.reset();
  session_->begin(*this, head);
}

void Attempt::send(flow::Event&& event) {
  if (session_ && (stage_ == Stage::Sent || stage_ == Stage::Answering))
    session_->send(*this, std::move(event));
}

void Attempt::on_response_valve() {
  if (session_ && stage_ == Stage::Answering) session_->on_response_valve(*this);
}

void Attempt::on_response(flow::Event&& event) {
  if (event.is_message_start() && !event.is_interim()) {
    Cluster& cluster = owner_.cluster();
    stage_ = Stage::Answering;
    timer_.disarm();
    const int status = event.response()->status;
    cluster.note_answer_time(*endpoint_, cluster.loop().now() - begun_);
    if (status >= 500) cluster.counts(*endpoint_).answers_5xx.add();
    cluster.report(*endpoint_, algo::outcome_of_status(status));
    if (is_reused_ && idle_age_ >= telling_age) cluster.note_idle_age(*endpoint_, idle_age_, true);
  }
  const bool is_over = event.is_message_end();
  if (is_over) session_ = nullptr;
  owner_.on_attempt_event(*this, std::move(event));
  if (is_over && is_running()) end();
}

void Attempt::on_exchange_failed(ExchangeFailure failure) {
  session_ = nullptr;
  AttemptFailure told{failure.error, failure.was_written, false, failure.is_moved || failure.is_bystander};
  told.was_stale = failure.was_reused && is_end(failure.error.code) && !told.is_moved;
  if (told.was_stale) {
    Cluster& cluster = owner_.cluster();
    cluster.counts(*endpoint_).stale_retries.add();
    if (idle_age_ >= telling_age) cluster.note_idle_age(*endpoint_, idle_age_, false);
  }
  if (told.error.detail.empty()) told.error.detail = endpoint_->record->name;
  fail(told);
}

void Attempt::on_timeout() {
  // Who waits for our own limits, or for a script, says nothing of the endpoint.
  const bool is_ours =
      stage_ == Stage::Hooks || (stage_ == Stage::Leasing && PoolWaiter::state() == State::Queued);
  const Side side = is_ours ? Side::Engine : Side::Upstream;
  fail({Error{ErrorCode::TryTimeout, side, endpoint_->record->name}, stage_ == Stage::Sent});
}

void Attempt::fail(const AttemptFailure& failure) {
  Cluster& cluster = owner_.cluster();
  const bool is_over = !failure.was_stale && !failure.is_moved && failure.error.code != ErrorCode::Cancelled;
  if (is_over) cluster.counts(*endpoint_).failed.add();
  if (is_over && failure.error.side == Side::Upstream) {
    cluster.report(*endpoint_, algo::Outcome::LocalFailure);
  }
  stop();
  owner_.on_attempt_failed(*this, failure);
}

void Attempt::stop() {
  if (!is_running()) return;
  Cluster& cluster = owner_.cluster();
  if (call_) call_->cancel();
  if (PoolWaiter::is_waiting()) cluster.pool().cancel(*this);
  note_wait_over();
  ClientSession* session = std::exchange(session_, nullptr);
  const Stage stage = stage_;
  const Ref<PooledConnection> looked_at = std::move(looked_at_);
  end();
  if (!session) return;
  if (stage == Stage::Sent || stage == Stage::Answering) session->abandon(*this);
  else cluster.pool().put_back(*session);
}

void Attempt::end() {
  timer_.disarm();
  stage_ = Stage::Free;
  hook_step_ = HookStep::Done;
  looked_at_.reset();
  endpoint_->record->active.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace perilune::upstream
