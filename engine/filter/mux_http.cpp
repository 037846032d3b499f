#include "filter/mux_http.hpp"

#include "filter/connect.hpp"
#include "http/max_forwards.hpp"

namespace perilune::filter {

using flow::Event;
using upstream::ClientSession;
using namespace std::literals;
namespace {

uint32_t bounded(uint64_t count) {
  return static_cast<uint32_t>(std::min<uint64_t>(count, algo::unlimited - 1));
}

}  // namespace

Result<std::unique_ptr<flow::FilterPlan>> MuxHttpPlan::make_plan(FilterCall& call) {
  auto plan = std::make_unique<MuxHttpPlan>();
  plan->services = &call.services;
  plan->target = Ref<flow::PipelinePlan>(call.arguments[0].value.object_as<flow::PipelinePlan>());
  const Argument& key = call.arguments[1];
  plan->has_key = key.is_given();
  if (!key.hook() && (key.value.object() || !key.list.empty()))
    return Error{ErrorCode::ScriptError, Side::Script,
                 "the key (argument 2) is a string or number that all requests share, or a function of ctx"};
  if (key.hook()) plan->key_hook = Ref<flow::Hook>(key.hook());
  else plan->key = key.value;
  upstream::ConnectionPoolOptions options;
  uint64_t sessions_max = call.options.count("maxSessions", plan->has_key ? 1 : 0);
  options.session.pipelining = std::max<uint64_t>(call.options.count("pipelining", 1), 1);
  options.session.messages_max = call.options.count("maxMessages", 0);
  options.rules.key.idle_timeout = call.options.time("idleTimeout", limits::upstream_idle_timeout);
  options.rules.queue_max = bounded(call.options.count("queue", limits::pool_queue_max));
  options.rules.queue_timeout = call.options.time("queueTimeout", limits::queue_timeout);
  // Pipelining is there to share connections: without a limit each request would open its own.
  if (options.session.pipelining > 1 && !plan->has_key && !call.options.find("maxSessions")) sessions_max = 1;
  options.rules.key.max = sessions_max == 0 ? algo::unlimited : bounded(sessions_max);
  plan->tunnel_idle_timeout = call.options.time("tunnelIdleTimeout", limits::tunnel_idle_timeout);
  plan->pool = std::make_unique<upstream::ConnectionPool>(call.services.runtime, *plan->target, options);
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> MuxHttpPlan::make() const { return std::make_unique<MuxHttp>(*this); }

void MuxHttp::process(Event&& event) {
  if (event.is_message_start() && event.request()) {
    request_ = Ref<message::RequestHead>(event.request());
    is_idempotent = request_->is_idempotent() && request_->upgrade.empty();
    if (http::count_hop(*request_) == http::Hop::Last) {
      is_answered_ = true;
      output(Event::message_start(http::answer_at_last_hop(*request_)));
      output(Event::message_end());
      return;
    }
    output_valve().set_watcher(this);
    find_key();
    return;
  }
  if (!request_) {
    // Bytes that are no message: somebody forgot to decode them.
    if (event.is_data()) fail({ErrorCode::ScriptError, Side::Script, "muxHTTP takes messages, not bytes"});
    return;
  }
  if (event.is_stream_end() && event.error()) {
    if (session_) session_->abandon(*this);
    session_ = nullptr;
    return;
  }
  send(std::move(event));
}

void MuxHttp::find_key() {
  if (plan_.key_hook) {
    run_hook(*plan_.key_hook, flow::HookShape::Context);
    return;
  }
  lease(plan_.key);
}

void MuxHttp::on_hook_result() {
  if (call_.status == flow::HookStatus::Failed) {
    fail(call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, {}});
    return;
  }
  if (call_.value.is_nil() && call_.failure) {
    // `nil, err` from an allocator: the reason is its code, the answer a 503 whatever that code says
    // elsewhere.
    Error error = *call_.failure;
    if (http_status(error.code) != 503) error = {ErrorCode::Overflow, Side::Script, error.detail};
    fail(error);
    return;
  }
  is_private_ = call_.value.is_nil();
  lease(call_.value);
}

void MuxHttp::lease(const Value& key) {
  if (key_ != key) key_ = key;
  opener = &context();
  if (is_private_) {
    begin(*plan_.pool->lease_private(*this), false);
    return;
  }
  bool is_reused = false;
  auto session = plan_.pool->lease(key_, *this, is_reused);
  if (session.has_error()) fail(session.error());
  else if (*session) begin(**session, is_reused);
  else pause();
}

void MuxHttp::on_session(ClientSession& session, bool is_reused) {
  begin(session, is_reused);
  resume();
}

void MuxHttp::on_pool_failed(const Error& error) {
  fail(error);
  resume();
}

void MuxHttp::begin(ClientSession& session, bool is_reused) {
  session_ = &session;
  flow::Context& ctx = context();
  ctx.note_attempt(is_reused);
  ctx.set_connection(Ref<flow::Context>(session.connection()));
  // RFC 9112 section 3.2: a request of HTTP/1.0 may come without a Host and must not go on without.
  if (!request_->headers.has(message::Name::Host)) {
    const flow::UpstreamInfo* info = session.connection()->upstream();
    const bool has_name = info && !info->endpoint.empty() && !info->endpoint.starts_with("unix:");
    request_->headers.add("Host", has_name ? info->endpoint : "localhost", message::Name::Host);
  }
  session.begin(*this, *request_);
  send_kept();
}

void MuxHttp::send_kept() {
  kept_.send([this](Event&& event) {
    if (session_) session_->send(*this, std::move(event));
  });
}

void MuxHttp::keep(Event& event) {
  kept_.keep(event, chunks());
  if (kept_.bytes() > limits::retry_body_bytes_max) keep_no_more();
}

void MuxHttp::keep_no_more() {
  keeps_ = false;
  kept_.clear();
}

void MuxHttp::send(Event&& event) {
  if (is_answered_ && !session_) return;
  if (event.is_message_end() && event.error()) {
    // The request was cut: it must not look complete to the upstream.
    const Error error = *event.error();
    if (session_) std::exchange(session_, nullptr)->abandon(*this);
    if (!is_answered_) fail(error);
    return;
  }
  if (keeps_) keep(event);
  tunnel_.note_activity();
  if (session_) session_->send(*this, std::move(event));
}

void MuxHttp::on_tunnel_idle() {
  if (is_ended()) return;
  if (session_) std::exchange(session_, nullptr)->abandon(*this);
  output(Event::message_end(
      {}, std::make_unique<Error>(Error{ErrorCode::IdleTimeout, Side::Engine, "the tunnel was silent"})));
}

void MuxHttp::on_response(Event&& event) {
  tunnel_.note_activity();
  if (event.is_message_start() && !event.is_interim()) {
    if (event.head()->body.kind == message::BodyKind::Tunnel) tunnel_.start(plan_.tunnel_idle_timeout);
    is_answered_ = true;
    keep_no_more();
  } else if (event.is_message_end()) {
    session_ = nullptr;
  }
  if (!is_ended()) output(std::move(event));
}

bool MuxHttp::may_send_again(const upstream::ExchangeFailure& failure) const {
  if (is_answered_ || is_ended() || !keeps_) return false;
  if (failure.is_moved) return true;
  // The stale-connection rule: once, on a connection that had worked before, and only where the upstream
  // cannot have acted on it, or acting twice does no harm (RFC 9110 section 9.2.2).
  const bool is_stale = failure.error.code == ErrorCode::Closed || failure.error.code == ErrorCode::Reset ||
                        failure.error.code == ErrorCode::Truncated;
  return !has_retried_ && failure.was_reused && is_stale && (is_idempotent || !failure.was_written);
}

void MuxHttp::on_exchange_failed(upstream::ExchangeFailure failure) {
  session_ = nullptr;
  if (!may_send_again(failure)) {
    if (!is_ended()) fail(failure.error);
    return;
  }
  if (!failure.is_moved) {
    // Once it may line up again; the second time it is the first on a connection, where it is nobody's
    // bystander.
    if (failure.is_bystander && !was_bystander_) was_bystander_ = true;
    else has_retried_ = needs_fresh = true;
    ++plan_.services->stats.stale_retries;
  }
  send_again();
}

void MuxHttp::send_again() {
  // In a later step: the failure may come from inside the pool's own work.
  loop().defer(retry_task_);
}

void MuxHttp::retry() {
  if (!is_ended()) lease(Value(key_));
}

void MuxHttp::fail(const Error& error) {
  if (is_answered_ || is_ended()) return;
  is_answered_ = true;
  keep_no_more();
  Error named = error;
  if (named.detail.empty()) {
    if (const flow::UpstreamInfo* info = context().upstream()) named.detail = info->endpoint;
  }
  give_message(*error_message(named, chunks()), answer_sink());
}

void MuxHttp::on_valve_changed(flow::Valve&) {
  if (session_) session_->on_response_valve(*this);
}

void MuxHttp::on_stop() {
  WaitingFilter::on_stop();
  retry_task_.withdraw();
  tunnel_.stop();
  if (PoolWaiter::is_waiting()) plan_.pool->cancel(*this);
  if (session_) std::exchange(session_, nullptr)->abandon(*this);
  if (request_) output_valve().set_watcher(nullptr);
}

void MuxHttp::on_reset() {
  WaitingFilter::on_reset();
  request_.reset();
  is_private_ = has_retried_ = was_bystander_ = is_answered_ = needs_fresh = is_idempotent = false;
  keep_no_more();
  keeps_ = true;
  opener = nullptr;
}

}  // namespace perilune::filter
