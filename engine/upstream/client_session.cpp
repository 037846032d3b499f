#include "upstream/client_session.hpp"

#include <algorithm>

#include "http/framing.hpp"
#include "http/h1_writer.hpp"

namespace perilune::upstream {

using namespace std::literals;
namespace {

// Answers that are this late keep others from lining up behind them on a pipelined connection.
constexpr Duration late_answer = 100ms;

// How often in a row the timer finds the front's answer held before those behind it leave, whatever else is
// free. The answer may wait, at its client, for the answer to one of them: nothing else would ever let it go.
constexpr uint8_t held_looks_max = 10;

constexpr uint64_t unknown_length = UINT64_MAX;

// A request that must not be sent twice asks whether its connection is still there, and so does any after
// this time without a request: a system call that a busy connection is spared.
constexpr Duration quiet_without_asking = 1s;

// What is left between our last request and the other side's end of patience: the way there, and its clock.
constexpr Duration keep_alive_margin = 1s;

}  // namespace

ClientSession::ClientSession(flow::Runtime& runtime, ClientSessionOwner& owner,
                             const ClientSessionOptions& options)
    : runtime_(runtime), owner_(owner), options_(options), last_activity_(runtime.loop.now()) {
  wire_input_.set_watcher(this);
}

ClientSession::~ClientSession() {
  PERILUNE_EXPECT(slots_.empty(), "a client session ends without exchanges");
}

void ClientSession::attach(flow::Sink& wire, flow::Context& connection) {
  wire_ = &wire;
  connection_ = Ref<flow::Context>(&connection);
  connection_->make_upstream();
}

bool ClientSession::accepts(bool is_idempotent) const {
  if (is_closing_ || is_tunnel_) return false;
  if (options_.messages_max > 0 && messages_ >= options_.messages_max) return false;
  if (slots_.empty()) return true;
  // Behind another request only where a retry is harmless, once that one is whole, and while answers come.
  const bool may_line_up = is_idempotent && slots_.size() < options_.pipelining &&
                           slots_.back().request_done && slots_.back().is_idempotent &&
                           slots_.back().offer == http::UpgradeOffer::None;
  return may_line_up && !front_is_held() && !is_front_late();
}

bool ClientSession::front_is_held() const {
  return !slots_.empty() && slots_.front().exchange && slots_.front().exchange->is_response_held();
}

bool ClientSession::is_front_late() const {
  return !slots_.empty() &&
         runtime_.loop.now() - std::max(last_activity_, slots_.front().begun) > late_answer &&
         owner_.may_move_requests(*this);
}

ClientSession::Slot* ClientSession::slot_of(ClientExchange& exchange) {
  for (Slot& slot : slots_)
    if (slot.exchange == &exchange) return &slot;
  return nullptr;
}

void ClientSession::give_scratch() {
  if (is_unsent_) return;
  given_bytes_ += scratch_.size();
  while (!scratch_.empty()) wire_->on_event(flow::Event::data(scratch_.take_slice()));
}

void ClientSession::give_first() {
  // A turn that was cut, and a read that was, leave bytes behind which were there before this request.
  const bool may_hear_more = heard_turn_ == runtime_.loop.turns() && heard_bytes_ >= limits::buffer_bytes_max;
  // Where the last answer came in this very turn its end may follow in the next: what must not be sent twice
  // waits.
  const bool is_hasty = asks_wire_ && heard_turn_ == runtime_.loop.turns();
  if (may_hear_more || is_hasty || runtime_.loop.has_events_left()) {
    if (!unsent_hold_) unsent_hold_ = wire_input_.hold();
    runtime_.loop.defer_to_next_turn(give_task_);
    return;
  }
  is_unsent_ = false;
  if (asks_wire_ && is_stale()) {
    // Its end, or bytes that are no answer to this, came since: nothing was sent, so it moves.
    end_ = End::ClosedIdle;
    drop_early_bytes();
    return;
  }
  give_scratch();
  unsent_hold_.release();
}

bool ClientSession::is_stale() const {
  const flow::UpstreamInfo* info = connection_->upstream();
  return info && info->probe && !info->probe->is_quiet();
}

void ClientSession::refuse_early_bytes() {
  end_ = End::UnexpectedData;
  if (messages_ > 0) {
    finish();
    return;
  }
  // It is only being started: see on_event.
  early_error_ =
      std::make_unique<Error>(Error{ErrorCode::BadResponse, Side::Upstream, "bytes before any request"});
  runtime_.loop.defer(pump_task_);
}

void ClientSession::drop_early_bytes() {
  // They came before the request was sent: an answer to nobody (RFC 9112 section 9.2).
  const Ref<ClientSession> self(this);
  std::vector<Slot> slots;
  slots.swap(slots_);
  finish();
  for (const Slot& slot : slots) {
    if (!slot.exchange) continue;
    release_request(*slot.exchange);
    slot.exchange->on_exchange_failed({Error{ErrorCode::Closed, Side::Upstream, {}}, true, false, true});
  }
}

void ClientSession::begin(ClientExchange& exchange, const message::RequestHead& head) {
  PERILUNE_EXPECT(accepts(head.is_idempotent()), "an exchange begins on a session that takes it");
  using Asks = Slot::Asks;
  is_reserved_ = false;
  Slot slot{};
  slot.exchange = &exchange;
  slot.given_before = given_bytes_;
  slot.begun = runtime_.loop.now();
  slot.offer = head.upgrade.empty() ? http::UpgradeOffer::None : http::UpgradeOffer::WebSocket;
  slot.asks = head.method == "HEAD"sv ? Asks::Head : head.method == "CONNECT"sv ? Asks::Connect : Asks::Body;
  slot.is_idempotent = head.is_idempotent() && head.upgrade.empty();
  slot.was_reused = messages_ > 0 || has_waited_;
  const message::BodyFraming framing = http::outgoing_request_framing(head);
  slot.request_body = framing.kind;
  slots_.push_back(slot);
  ++messages_;
  if (slots_.size() == 1) {
    const Instant idle_begun = std::exchange(last_activity_, runtime_.loop.now());
    expect_front();
    arm_timer();
    if (slot.was_reused) {
      // Behind all reads of this turn, and before the flush of the wire that it causes.
      is_unsent_ = true;
      asks_wire_ = !slot.is_idempotent || slot.begun - idle_begun >= quiet_without_asking;
      runtime_.loop.flush_later(give_task_);
    }
  }
  http::write_request_head(head, {framing}, scratch_, runtime_.chunks);
  if (wire_input_.is_held()) {
    held_exchange_ = &exchange;
    request_hold_ = exchange.request_valve().hold();
  }
  give_scratch();
}

void ClientSession::expect_front() {
  const Slot& front = slots_.front();
  using Asks = Slot::Asks;
  parser_.expect_response_to(front.asks == Asks::Head      ? "HEAD"
                             : front.asks == Asks::Connect ? "CONNECT"
                                                           : "GET",
                             front.offer);
}

void ClientSession::send(ClientExchange& exchange, flow::Event&& event) {
  Slot* slot = slot_of(exchange);
  if (!slot || !wire_) return;
  if (event.is_data()) {
    if (is_tunnel_) {
      given_bytes_ += event.slice().size();
      wire_->on_event(std::move(event));
      return;
    }
    if (slot->request_done || slot->request_body == message::BodyKind::None) return;
    if (slot->request_body == message::BodyKind::Chunked) {
      http::write_chunk(std::move(event.slice()), scratch_, runtime_.chunks);
      give_scratch();
    } else if (is_unsent_) {
      scratch_.append(std::move(event.slice()));
    } else {
      given_bytes_ += event.slice().size();
      wire_->on_event(std::move(event));
    }
  } else if (event.is_message_end()) {
    slot->request_done = true;
    if (slot->request_body == message::BodyKind::Chunked) {
      http::write_last_chunk(event.trailers().get(), scratch_, runtime_.chunks);
      give_scratch();
    }
    if (options_.pipelining > 1) runtime_.loop.defer(available_task_);
  } else if (event.is_stream_end() && is_tunnel_) {
    wire_->on_event(std::move(event));
  }
}

void ClientSession::abandon(ClientExchange& exchange) {
  Slot* slot = slot_of(exchange);
  if (!slot) return;
  slot->exchange = nullptr;
  release_request(exchange);
  const bool is_front = slot == &slots_.front();
  // A request that is not whole can never be answered in step: nothing follows it, and those before it go on.
  if (!slot->request_done) is_closing_ = true;
  // A tunnel has no other user; and for an answer that has not begun only others behind it are worth the
  // wait.
  const bool is_useless = !slot->request_done || is_tunnel_ || (slots_.size() == 1 && !slot->response_begun);
  if (is_front && is_useless) {
    lost(Error{ErrorCode::Cancelled, Side::Client, "the client went away"});
    return;
  }
  update_holds();
  runtime_.loop.defer(pump_task_);
}

void ClientSession::release_request(const ClientExchange& exchange) {
  if (held_exchange_ != &exchange) return;
  held_exchange_ = nullptr;
  request_hold_.release();
}

void ClientSession::drain() {
  is_closing_ = true;
  // Answers that nobody waits for are no reason to stay.
  const bool has_exchange =
      std::ranges::any_of(slots_, [](const Slot& slot) { return slot.exchange != nullptr; });
  if (has_exchange) return;
  slots_.clear();
  finish();
}

void ClientSession::on_event(flow::Event&& event) {
  if (is_finished_) return;
  if (event.is_data()) {
    last_activity_ = runtime_.loop.now();
    note_bytes(event.slice().size());
    if (is_unsent_) {
      end_ = End::UnexpectedData;
      drop_early_bytes();
      return;
    }
    if (slots_.empty() && !is_tunnel_) {
      refuse_early_bytes();
      return;
    }
    if (is_tunnel_) {
      if (!slots_.empty() && slots_.front().exchange) slots_.front().exchange->on_response(std::move(event));
      return;
    }
    parser_.feed(std::move(event.slice()));
    pump();
  } else if (event.is_stream_end()) {
    if (slots_.empty()) end_ = End::ClosedIdle;
    if (messages_ == 0) {
      // It ended while it was being started; who leased it begins its exchange first, and then learns of it.
      early_error_ = event.take_error();
      if (!early_error_) early_error_ = std::make_unique<Error>(Error{ErrorCode::Closed, Side::Upstream, {}});
      runtime_.loop.defer(pump_task_);
      return;
    }
    if (const Error* error = event.error()) {
      lost(*error);
      return;
    }
    has_ended_ = true;
    pump();
  }
}

void ClientSession::note_bytes(size_t bytes) {
  if (heard_turn_ != runtime_.loop.turns()) {
    heard_turn_ = runtime_.loop.turns();
    heard_bytes_ = 0;
  }
  heard_bytes_ += bytes;
}

void ClientSession::pump() {
  if (is_pumping_ || is_finished_) return;
  if (early_error_) {
    lost(*early_error_);
    return;
  }
  is_pumping_ = true;
  while (!is_finished_ && !is_tunnel_ && !front_is_held()) {
    http::Item item = parser_.next();
    using ItemKind = http::Item::Kind;
    if (item.kind == ItemKind::NeedMore && has_ended_) item = parser_.finish();
    if (item.kind == ItemKind::NeedMore) {
      if (has_ended_) lost(Error{ErrorCode::Closed, Side::Upstream, {}});
      break;
    }
    switch (item.kind) {
      case ItemKind::Head: take_head(std::move(item.head)); break;
      case ItemKind::Body: take_body(std::move(item.body)); break;
      case ItemKind::End: take_end(std::move(item.trailers)); break;
      default:
        is_pumping_ = false;
        lost(parser_.failure());
        return;
    }
    if (item.ends && !is_finished_) take_end(nullptr);
  }
  if (!is_finished_ && is_tunnel_ && has_ended_) end_tunnel();
  is_pumping_ = false;
  if (!is_finished_ && !slots_.empty() && !slots_.front().exchange) limit_drain();
  update_holds();
}

void ClientSession::limit_drain() {
  const Slot& front = slots_.front();
  const bool is_awaited =
      std::ranges::any_of(slots_, [](const Slot& slot) { return slot.exchange != nullptr; });
  const bool is_too_long = front.response_begun && body_left_ > limits::drain_bytes_max - dropped_bytes_;
  if (is_too_long || (is_closing_ && !is_awaited)) stop_drain();
  else if (!drain_timer_.is_armed()) runtime_.loop.arm(drain_timer_, limits::drain_timeout);
}

void ClientSession::stop_drain() {
  lost(Error{ErrorCode::Cancelled, Side::Client, "nobody reads the answer"}, Cause::Nobody);
}

void ClientSession::take_head(Ref<message::Head> head) {
  Slot& front = slots_.front();
  const auto& response = static_cast<message::ResponseHead&>(*head);
  if (!response.is_interim()) {
    front.response_begun = true;
    if (!response.keep_alive) is_closing_ = is_last_answer_ = true;
    if (response.keep_alive_seconds > 0) {
      const Duration kept = std::chrono::seconds(response.keep_alive_seconds);
      idle_max_ = kept - std::min<Duration>(keep_alive_margin, kept / 2);
    }
    const bool has_length = response.body.kind == message::BodyKind::Length;
    body_left_ = has_length                                      ? response.body.length
                 : response.body.kind == message::BodyKind::None ? 0
                                                                 : unknown_length;
    if (flow::UpstreamInfo* info = connection_->upstream())
      info->first_byte_time = runtime_.loop.now() - front.begun;
  }
  const bool opens_tunnel = parser_.is_tunnel();
  if (opens_tunnel) is_tunnel_ = true;
  ClientExchange* exchange = front.exchange;
  if (exchange) exchange->on_response(flow::Event::message_start(std::move(head)));
  if (!opens_tunnel || is_finished_) return;
  timer_.disarm();
  if (!exchange) {
    lost(Error{ErrorCode::Cancelled, Side::Client, {}});
    return;
  }
  buffer::Buffer rest = parser_.take_rest();
  while (!rest.empty() && !slots_.empty() && slots_.front().exchange)
    slots_.front().exchange->on_response(flow::Event::data(rest.take_slice()));
}

void ClientSession::take_body(buffer::Slice bytes) {
  if (body_left_ != unknown_length) body_left_ -= std::min<uint64_t>(body_left_, bytes.size());
  if (ClientExchange* exchange = slots_.front().exchange) {
    exchange->on_response(flow::Event::data(std::move(bytes)));
    return;
  }
  dropped_bytes_ += bytes.size();
  if (dropped_bytes_ > limits::drain_bytes_max) stop_drain();
}

void ClientSession::end_tunnel() {
  Slot front = slots_.front();
  slots_.erase(slots_.begin());
  is_closing_ = true;
  if (front.exchange) front.exchange->on_response(flow::Event::message_end());
  finish();
}

void ClientSession::take_end(Ref<message::Trailers> trailers) {
  const Slot front = slots_.front();
  slots_.erase(slots_.begin());
  if (front.exchange) release_request(*front.exchange);
  // An answer before the whole request leaves the connection out of step; an ended stream has no next answer.
  if (!front.request_done || has_ended_) is_closing_ = is_last_answer_ = true;
  if (options_.messages_max > 0 && messages_ >= options_.messages_max && slots_.empty()) is_closing_ = true;
  if (slots_.empty()) {
    timer_.disarm();
    // Bytes behind the last answer belong to nobody, and must not become the next client's answer.
    if (parser_.buffered() > 0) is_closing_ = true;
    parser_.release_memory();
  } else {
    slots_.front().begun = runtime_.loop.now();
    expect_front();
  }
  if (slots_.empty() || slots_.front().exchange) drain_timer_.disarm();
  dropped_bytes_ = 0;
  held_looks_ = 0;
  const Ref<ClientSession> self(this);
  if (front.exchange) front.exchange->on_response(flow::Event::message_end(std::move(trailers)));
  if (is_finished_) return;
  if (slots_.empty() ? is_closing_ : is_last_answer_) {
    // Requests that are on the wire behind an answer that closes will not be answered (RFC 9112
    // section 9.3.2).
    lost(Error{ErrorCode::Closed, Side::Upstream, {}}, Cause::Nobody);
    return;
  }
  last_activity_ = runtime_.loop.now();
  runtime_.loop.defer(available_task_);
}

void ClientSession::fail_slot(const Slot& slot, const Error& error, Cause cause) {
  if (!slot.exchange) return;
  release_request(*slot.exchange);
  if (slot.response_begun) {
    auto cut = std::make_unique<Error>(error);
    if (cut->code == ErrorCode::Closed || cut->code == ErrorCode::Reset) cut->code = ErrorCode::Truncated;
    slot.exchange->on_response(flow::Event::message_end({}, std::move(cut)));
    return;
  }
  ExchangeFailure failure{error, slot.was_reused, true};
  if (cause == Cause::Nobody) {
    failure.error = Error{ErrorCode::Closed, Side::Upstream, {}};
    failure.is_bystander = true;
  }
  if (const flow::UpstreamInfo* info = connection_ ? connection_->upstream() : nullptr)
    failure.was_written = info->bytes_sent > slot.given_before;
  slot.exchange->on_exchange_failed(std::move(failure));
}

void ClientSession::lost(const Error& error, Cause cause) {
  if (is_finished_) return;
  const Ref<ClientSession> self(this);
  const Error reason = error;
  // A connection that never came about fails them all alike.
  const flow::UpstreamInfo* info = connection_ ? connection_->upstream() : nullptr;
  const bool was_connected = !info || info->is_connected;
  std::vector<Slot> slots;
  slots.swap(slots_);
  finish();
  for (const Slot& slot : slots) {
    fail_slot(slot, reason, cause);
    if (was_connected) cause = Cause::Nobody;
  }
}

void ClientSession::finish() {
  if (is_finished_) return;
  is_finished_ = is_closing_ = true;
  timer_.disarm();
  drain_timer_.disarm();
  pump_task_.withdraw();
  available_task_.withdraw();
  give_task_.withdraw();
  scratch_.clear();
  wire_output_hold_.release();
  unsent_hold_.release();
  runtime_.loop.release_later(Ref<Object>(this));
  owner_.on_session_finished(*this);
}

void ClientSession::become_available() {
  if (!is_finished_ && !is_closing_) owner_.on_session_available(*this);
}

void ClientSession::on_response_valve(ClientExchange& exchange) {
  if (is_finished_ || slots_.empty() || slots_.front().exchange != &exchange) return;
  if (exchange.is_response_held()) {
    if (!wire_output_hold_) wire_output_hold_ = wire_output_.hold();
    if (slots_.size() > 1 && owner_.may_move_requests(*this)) move_followers();
  } else {
    wire_output_hold_.release();
    runtime_.loop.defer(pump_task_);
  }
}

void ClientSession::update_holds() {
  if (is_finished_) return;
  if (!front_is_held()) wire_output_hold_.release();
  else if (!wire_output_hold_) wire_output_hold_ = wire_output_.hold();
}

void ClientSession::move_followers() {
  // Their answers still come on this connection, are read and dropped.
  for (size_t i = 1; i < slots_.size(); ++i) {
    if (!slots_[i].request_done) continue;
    if (ClientExchange* exchange = std::exchange(slots_[i].exchange, nullptr))
      exchange->on_exchange_failed({Error{ErrorCode::Cancelled, Side::Engine, {}}, true, true, true});
  }
}

void ClientSession::on_valve_changed(flow::Valve& valve) {
  if (!valve.is_held()) {
    held_exchange_ = nullptr;
    request_hold_.release();
  } else if (!slots_.empty() && slots_.back().exchange && !slots_.back().request_done) {
    held_exchange_ = slots_.back().exchange;
    request_hold_ = held_exchange_->request_valve().hold();
  } else if (is_tunnel_ && !slots_.empty() && slots_.front().exchange) {
    held_exchange_ = slots_.front().exchange;
    request_hold_ = held_exchange_->request_valve().hold();
  }
}

void ClientSession::arm_timer() {
  const flow::UpstreamInfo* info = connection_->upstream();
  Duration wait = info ? info->read_timeout : Duration::max();
  if (options_.pipelining > 1) wait = std::min(wait, late_answer);
  if (wait == Duration::max() || timer_.is_armed()) return;
  runtime_.loop.arm(timer_, wait);
}

void ClientSession::on_timer() {
  if (slots_.empty() || is_tunnel_) return;
  const Slot& front = slots_.front();
  const Duration silent = runtime_.loop.now() - std::max(last_activity_, front.begun);
  const flow::UpstreamInfo* info = connection_->upstream();
  // While our own side holds the answer, or the request is still on its way, the upstream is not to blame.
  const bool is_awaited = !front_is_held() && front.request_done;
  if (!is_awaited) last_activity_ = runtime_.loop.now();
  else if (info && info->is_connected && info->read_timeout != Duration::max() &&
           silent >= info->read_timeout) {
    lost(Error{ErrorCode::ReadTimeout, Side::Upstream, {}});
    return;
  }
  held_looks_ = front_is_held() ? static_cast<uint8_t>(held_looks_ + 1) : uint8_t{0};
  const bool is_stuck = held_looks_ >= held_looks_max;
  if (is_stuck) held_looks_ = 0;
  if (slots_.size() > 1 && (is_stuck || (silent >= late_answer && owner_.may_move_requests(*this))))
    move_followers();
  const Duration wait =
      info && info->read_timeout != Duration::max() ? info->read_timeout - silent : late_answer;
  runtime_.loop.arm(timer_,
                    options_.pipelining > 1 ? std::min(wait, late_answer) : std::max<Duration>(wait, 1ms));
}

}  // namespace perilune::upstream
