#include "filter/demux_http.hpp"

#include "base/log.hpp"
#include "filter/option_reading.hpp"

namespace perilune::filter {

using flow::Event;
using namespace std::literals;

namespace {

/// When a body that began at `begun` and of which `bytes` have come is too slow: it has a time of grace, and
/// a second more for each `rate_min` bytes. Instant::max() without a rate.
Instant rate_deadline(Instant begun, uint64_t bytes, uint64_t rate_min) {
  if (rate_min == 0) return Instant::max();
  return begun + limits::body_grace + 1s * static_cast<int64_t>(bytes / rate_min);
}

// Requests that one connection begins in a turn. Answers that a script gives at once would else let who sends
// thousands in a row keep all others waiting.
constexpr int requests_a_turn = 32;

}  // namespace

Result<std::unique_ptr<flow::FilterPlan>> DemuxHttpPlan::make_plan(FilterCall& call) {
  auto plan = std::make_unique<DemuxHttpPlan>();
  plan->services = &call.services;
  plan->target = Ref<flow::PipelinePlan>(call.arguments[0].value.object_as<flow::PipelinePlan>());
  plan->error_page = call.options.hook("errorPage");
  plan->messages_max = call.options.count("maxMessages", 0);
  plan->pipelined_max =
      std::max<uint64_t>(call.options.count("pipelining", limits::pipelined_requests_max), 1);
  plan->parser_limits.head_bytes_max = call.options.size("maxHeaderSize", limits::head_bytes_max);
  plan->parser_limits.head_fields_max = call.options.count("maxHeaders", limits::head_fields_max);
  plan->parser_limits.request_line_bytes_max =
      call.options.size("maxRequestLine", limits::request_line_bytes_max);
  for (const auto& [name, limit] : {std::pair{"maxHeaderSize", plan->parser_limits.head_bytes_max},
                                    {"maxHeaders", plan->parser_limits.head_fields_max},
                                    {"maxRequestLine", plan->parser_limits.request_line_bytes_max}})
    if (limit == 0) return wrong_option(name, "with 0 every request is refused");
  plan->allows_connect = call.options.boolean("connect", false);
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> DemuxHttpPlan::make() const { return std::make_unique<DemuxHttp>(*this); }

void DemuxHttp::on_start() {
  output_valve().set_watcher(this);
  is_last_ = is_last();
  ++plan_.services->stats.sessions;
  since_ = loop().now();
  if (flow::ClientInfo* client = context().client()) {
    client->leave_time_to_protocol();
    if (client->has_moved) phase_ = Phase::Idle;
    arm_timer();
  }
}

void DemuxHttp::on_event(Event&& event) {
  if (is_closed_) return;
  if (event.is_data()) {
    if (has_tunnel_) {
      if (!streams_.empty()) streams_.front().feed(std::move(event));
      return;
    }
    if (!parser_) parser_ = std::make_unique<http::H1Parser>(http::Kind::Request, plan_.parser_limits);
    parser_->feed(std::move(event.slice()));
    pump();
  } else if (event.is_stream_end()) {
    if (event.error()) {
      output(std::move(event));
      return;
    }
    input_ended_ = true;
    if (has_tunnel_) {
      if (!streams_.empty()) streams_.front().feed(std::move(event));
    } else {
      pump();
    }
  }
}

bool DemuxHttp::may_parse() const {
  if (is_closed_ || stops_parsing_) return false;
  if (receiving_) return receiving_->response_done_ || !receiving_->request_valve_.is_held();
  // What comes behind the last request is not answered, so it must not be done either (RFC 9112 section 9.6).
  if (awaits_upgrade_ || has_last_ || is_resting_) return false;
  if (is_moving_ && !input_ended_ && (!parser_ || parser_->at_boundary())) return false;
  // Who does not read answers gets no more requests answered.
  if (output_valve().is_held() || waiting_bytes_ > limits::buffer_bytes_max) return false;
  if (streams_count_ == 0) return true;
  // There is a descriptor for one upstream connection of each client (limits::descriptors_per_client): one
  // may have more only as long as others do not need them.
  return streams_count_ < plan_.pipelined_max && !plan_.services->network.is_crowded();
}

void DemuxHttp::pump() {
  if (is_pumping_ || is_ended()) return;
  is_pumping_ = true;
  const uint64_t rests_at = messages_ + requests_a_turn;
  while (parser_ && may_parse()) {
    if (messages_ == rests_at && !receiving_) {
      is_resting_ = true;
      pump_task_.withdraw();
      loop().defer_to_next_turn(pump_task_);
      break;
    }
    http::Item item = parser_->next();
    using ItemKind = http::Item::Kind;
    if (item.kind == ItemKind::NeedMore && input_ended_) item = parser_->finish();
    if (item.kind == ItemKind::NeedMore) break;
    switch (item.kind) {
      case ItemKind::Head:
        begin_request(
            Ref<message::RequestHead>::attach(static_cast<message::RequestHead*>(item.head.detach())));
        break;
      case ItemKind::Body:
        body_bytes_ += item.body.size();
        since_ = loop().now();
        if (receiving_->response_done_) drop_body(item.body.size());
        else receiving_->feed(Event::data(std::move(item.body)));
        break;
      case ItemKind::End: end_request(std::move(item.trailers)); break;
      default: refuse(parser_->failure());
    }
    if (item.ends && !stops_parsing_) end_request(nullptr);
  }
  is_pumping_ = false;
  if (is_ended()) return;
  was_blocked_ = !may_parse();
  settle();
}

void DemuxHttp::pump_again() {
  is_resting_ = false;
  pump();
}

void DemuxHttp::begin_request(Ref<message::RequestHead> head) {
  ++messages_;
  ++plan_.services->stats.requests;
  body_bytes_ = dropped_bytes_ = 0;
  since_ = body_since_ = loop().now();
  phase_ = Phase::Busy;
  auto stream = make_ref<DemuxStream>(*this);
  stream->add_reference();  // the list's
  streams_.push_back(*stream);
  ++streams_count_;
  if (streams_count_ == 1) stream->is_front_ = true;
  receiving_ = stream;
  if (!head->keep_alive || is_closing_ || (plan_.messages_max > 0 && messages_ >= plan_.messages_max))
    stream->closes_ = has_last_ = true;
  if (head->method == "CONNECT"sv && !plan_.allows_connect) {
    stops_parsing_ = true;
    stream->request_done_ = true;
    stream->request_ = std::move(head);
    stream->closes_ = true;
    stream->open_record();
    stream->fail({ErrorCode::MethodNotAllowed, Side::Client, "CONNECT"});
    return;
  }
  const bool has_body =
      head->body.kind == message::BodyKind::Length || head->body.kind == message::BodyKind::Chunked;
  // A request that offers another protocol is whole before anything else is parsed (RFC 9110 section 7.8).
  if (has_body) head->upgrade.clear();
  stream->request_done_ = !has_body;
  awaits_upgrade_ = stream->offers_upgrade_ = !head->upgrade.empty() || head->method == "CONNECT"sv;
  stream->start(std::move(head));
}

void DemuxHttp::end_request(Ref<message::Trailers> trailers) {
  const Ref<DemuxStream> whole = std::move(receiving_);
  if (whole && whole->demux_) whole->feed(Event::message_end(std::move(trailers)));
}

void DemuxHttp::drop_body(size_t bytes) {
  dropped_bytes_ += static_cast<uint32_t>(bytes);
  if (dropped_bytes_ > limits::drain_bytes_max) stops_parsing_ = true;
}

void DemuxHttp::end_upgrade(DemuxStream& stream) {
  awaits_upgrade_ = false;
  if (!stream.is_tunnel_) {
    loop().defer(pump_task_);
    return;
  }
  has_tunnel_ = stops_parsing_ = true;
  loop().defer(settle_task_);  // what was held while the offer was open is let go
  ++plan_.services->stats.tunnels;
  buffer::Buffer rest = parser_->take_rest();
  while (!rest.empty() && stream.demux_) stream.feed(Event::data(rest.take_slice()));
  if (input_ended_ && stream.demux_) stream.feed(Event::stream_end());
}

void DemuxHttp::refuse(const Error& cause) {
  stops_parsing_ = true;
  if (cause.code == ErrorCode::Truncated && !receiving_)
    return;  // half a head and the client is gone: no one asks
  const Error error = cause.code == ErrorCode::Truncated
                          ? Error{ErrorCode::ClientGone, Side::Client, "the request was cut off"}
                          : cause;
  if (receiving_) {
    const Ref<DemuxStream> stream = std::move(receiving_);
    if (!stream->demux_) return;
    stream->closes_ = true;
    const Ref<flow::Pipeline> pipeline = stream->pipeline_;
    if (!stream->response_begun_) stream->fail(error);
    if (pipeline && stream->demux_)
      pipeline->on_event(Event::message_end({}, std::make_unique<Error>(error)));
    if (stream->demux_ && !stream->response_done_ && stream->response_begun_) stream->fail(error);
    return;
  }
  auto stream = make_ref<DemuxStream>(*this);
  stream->add_reference();
  streams_.push_back(*stream);
  if (++streams_count_ == 1) stream->is_front_ = true;
  stream->request_done_ = stream->closes_ = true;
  stream->open_record();
  stream->answer_error(error);
}

void DemuxHttp::settle() {
  if (is_pumping_ || is_ended() || is_closed_) return;
  while (!streams_.empty()) {
    DemuxStream& front = streams_.front();
    front.become_front();
    if (is_closed_ || is_ended()) return;
    if (!front.response_done_) break;
    const bool closes = front.closes_;
    // Its own close, and it is bound to send nothing behind (RFC 9112 section 9.6): no lingering for what
    // cannot come.
    const bool client_closes = closes && front.request_done_ && !front.is_tunnel_ && front.request_ &&
                               !front.request_->keep_alive && is_between_messages();
    retire_front(nullptr);
    if (closes) {
      if (flow::ClientInfo* client = client_closes ? context().client() : nullptr) client->expect_no_more();
      close_connection();
      return;
    }
  }
  const bool has_more = was_blocked_ && may_parse();
  if (streams_.empty() && (stops_parsing_ || (input_ended_ && !has_more && !is_resting_))) {
    close_connection();
    return;
  }
  if (has_more) loop().defer(pump_task_);
  note_time();
  update_hold();
  if (is_moving_ && is_at_rest())
    if (flow::ClientInfo* client = context().client()) client->on_rest();
}

void DemuxHttp::retire_front(const Error* error) {
  DemuxStream& front = streams_.front();
  streams_.pop_front();
  --streams_count_;
  // It may be one of its own calls that led here.
  loop().release_later(Ref<Object>(&front));
  front.drop_reference();
  front.end(error);
}

void DemuxHttp::close_connection() {
  if (is_closed_) return;
  is_closed_ = true;
  timer_.disarm();
  input_hold_.release();
  receiving_.reset();
  pipeline().stop_input();
  const Error cancelled{ErrorCode::Cancelled, Side::Client, {}};
  while (!streams_.empty()) retire_front(&cancelled);
  output(Event::stream_end());
}

void DemuxHttp::cut(const Error& error) {
  is_closed_ = true;
  output(Event::stream_end(std::make_unique<Error>(error)));
}

void DemuxHttp::send_scratch() {
  while (!plan_.scratch.empty()) output(Event::data(plan_.scratch.take_slice()));
}

bool DemuxHttp::end_if_idle(Instant since) {
  const bool is_unused = phase_ == Phase::FirstHead && is_between_messages();
  if (is_closed_ || since_ > since || !(phase_ == Phase::Idle || is_unused)) return false;
  close_connection();
  return true;
}

bool DemuxHttp::leave(flow::Leaving how) {
  if (how == flow::Leaving::Close) {
    is_closing_ = true;
    if (streams_.empty()) return true;
    // The last one that is under way can still tell, unless its head is out.
    DemuxStream& last = streams_.back();
    if (!last.response_begun_ && !last.offers_upgrade_) last.closes_ = has_last_ = true;
    return false;
  }
  is_moving_ = true;
  if (!is_at_rest()) return false;
  update_hold();
  return true;
}

void DemuxHttp::take_unused(buffer::Buffer& unused) {
  if (parser_ && is_at_rest()) unused.append(parser_->take_rest());
}

void DemuxHttp::update_hold() {
  const bool should_hold = !is_closed_ && !has_tunnel_ && !input_ended_ && !may_parse();
  const bool tunnel_held = has_tunnel_ && !streams_.empty() && streams_.front().request_valve_.is_held();
  if ((should_hold || tunnel_held) && !input_hold_) input_hold_ = input_valve().hold();
  if (!should_hold && !tunnel_held) input_hold_.release();
}

void DemuxHttp::on_valve_changed(flow::Valve& valve) {
  if (!streams_.empty()) streams_.front().set_held(valve.is_held());
  if (!valve.is_held()) loop().defer(pump_task_);
}

void DemuxHttp::log_failure(const Error& error, const message::RequestHead* request, int status) {
  plan_.services->stats.count(error.code);
  const log::Level level = error.side == Side::Client   ? log::Level::Info
                           : error.side == Side::Script ? log::Level::Error
                                                        : log::Level::Warn;
  if (!log::is_enabled(level) || error.code == ErrorCode::Cancelled) return;
  std::string line = error.to_string();
  if (request) line.append(" [").append(request->method).append(" ").append(request->path).append("]");
  line.append(status > 0 ? " -> " + std::to_string(status) : " -> cut");
  if (plan_.services->log_limit.allows(loop().now(), static_cast<size_t>(error.code)))
    log::write(level, line);
}

void DemuxHttp::note_time() {
  const Phase before = phase_;
  if (receiving_) phase_ = receiving_->request_valve_.is_held() ? Phase::Busy : Phase::Body;
  else if (parser_ && !parser_->at_boundary())
    phase_ = before == Phase::FirstHead ? Phase::FirstHead : Phase::Head;
  else if (!streams_.empty()) phase_ = Phase::Busy;
  else if (messages_ > 0) phase_ = Phase::Idle;
  if (phase_ == Phase::Idle && is_between_messages()) parser_.reset();
  if (phase_ == before) return;
  since_ = body_since_ = loop().now();
  body_bytes_ = 0;
  if (phase_ != Phase::Busy) arm_timer();
}

void DemuxHttp::arm_timer() {
  flow::ClientInfo* client = context().client();
  if (!client || is_closed_) return;
  const flow::SessionTimes& times = client->rules->times;
  Duration wait = Duration::max();
  if (phase_ == Phase::FirstHead || phase_ == Phase::Head) wait = times.head_timeout;
  else if (phase_ == Phase::Idle) wait = times.idle_timeout;
  else if (phase_ == Phase::Body) wait = times.body_timeout;
  Instant deadline = wait == Duration::max() ? Instant::max() : since_ + wait;
  if (phase_ == Phase::Body)
    deadline = std::min(deadline, rate_deadline(body_since_, body_bytes_, times.body_rate_min));
  if (deadline == Instant::max()) return;
  // Armed lazily: a timer that fires early looks again; only a nearer deadline moves it.
  if (!timer_.is_armed() || timer_.deadline() > deadline) loop().timers().arm(timer_, deadline);
}

void DemuxHttp::on_timer() {
  flow::ClientInfo* client = context().client();
  if (!client || is_closed_) return;
  const flow::SessionTimes& times = client->rules->times;
  const Duration passed = loop().now() - since_;
  switch (phase_) {
    case Phase::FirstHead:
    case Phase::Head:
      if (passed < times.head_timeout) break;
      // A client that opened a connection and never used it needs no answer.
      if (is_between_messages() && messages_ == 0) close_connection();
      else {
        refuse({ErrorCode::HeadTimeout, Side::Client, {}});
        settle();
      }
      return;
    case Phase::Idle:
      if (passed < times.idle_timeout) break;
      close_connection();
      return;
    case Phase::Body: {
      const bool is_slow = loop().now() >= rate_deadline(body_since_, body_bytes_, times.body_rate_min);
      if (passed < times.body_timeout && !is_slow) break;
      refuse({ErrorCode::BodyTimeout, Side::Client, {}});
      settle();
      return;
    }
    case Phase::Busy: return;
  }
  arm_timer();
}

void DemuxHttp::on_stop() {
  timer_.disarm();
  pump_task_.withdraw();
  settle_task_.withdraw();
  is_closed_ = true;
  input_hold_.release();
  receiving_.reset();
  const Error gone{ErrorCode::ClientGone, Side::Client, {}};
  while (!streams_.empty()) retire_front(pipeline().end_error() ? pipeline().end_error() : &gone);
  output_valve().set_watcher(nullptr);
}

void DemuxHttp::on_reset() {
  parser_.reset();
  messages_ = body_bytes_ = 0;
  waiting_bytes_ = 0;
  dropped_bytes_ = 0;
  is_pumping_ = input_ended_ = stops_parsing_ = is_closed_ = has_tunnel_ = awaits_upgrade_ = has_last_ =
      is_resting_ = is_moving_ = is_closing_ = false;
  phase_ = Phase::FirstHead;
}

}  // namespace perilune::filter
