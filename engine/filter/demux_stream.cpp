#include <cmath>

#include "filter/demux_http.hpp"
#include "filter/message_output.hpp"
#include "http/framing.hpp"
#include "http/h1_writer.hpp"

namespace perilune::filter {

using flow::Event;
using message::BodyKind;
using namespace std::literals;

namespace {

std::string_view date_of_now(Services& services) {
  const Instant now = services.runtime.loop.now();
  if (now >= services.date_until) {
    const double wall = services.runtime.loop.driver().wall_seconds();
    const double second = std::floor(wall);
    services.date = http::format_date(static_cast<int64_t>(second));
    services.date_until = now + from_seconds(second + 1 - wall);
  }
  return services.date.view();
}

}  // namespace

void DemuxStream::RequestWatcher::on_valve_changed(flow::Valve& valve) {
  if (!stream_.demux_) return;
  DemuxHttp& demux = *stream_.demux_;
  if (valve.is_held()) demux.loop().defer(demux.settle_task_);
  else demux.loop().defer(demux.pump_task_);
}

void DemuxStream::start(Ref<message::RequestHead> head) {
  request_ = std::move(head);
  method_ = request_->method == "HEAD"sv ? "HEAD" : request_->method == "CONNECT"sv ? "CONNECT" : "GET";
  request_valve_.set_watcher(&request_watcher_);
  context_ = flow::Context::make_child(demux_->context(), demux_->loop().now());
  context_->set_request(request_);
  context_->note_forwarded_client(request_->headers);
  open_record();
  context_->set_control(this);
  pipeline_ =
      flow::Pipeline::create(*demux_->plan_.target, context_, {request_valve_, response_valve_, *this});
  pipeline_->start();
  pipeline_->on_event(Event::message_start(request_));
}

void DemuxStream::open_record() {
  flow::Context& context = context_ ? *context_ : demux_->context();
  const flow::ClientInfo* client = context.client();
  if (client && client->rules->access_log)
    record_ = client->rules->access_log->begin(context.client_ip(), request_.get());
}

void DemuxStream::close_record(const Error* error) {
  if (!record_) return;
  if (error && !response_done_ && record_->failure.empty()) record_->failure = code_name(error->code);
  const flow::UpstreamInfo* upstream = context_ ? context_->upstream() : nullptr;
  demux_->context().client()->rules->access_log->end(record_,
                                                     upstream ? std::string_view(upstream->endpoint) : "");
  record_ = nullptr;
}

void DemuxStream::feed(Event&& event) {
  if (event.is_message_end()) request_done_ = true;
  if (pipeline_) pipeline_->on_event(std::move(event));
}

void DemuxStream::ask_for_body() {
  if (!request_->expects_continue || sent_continue_ || response_begun_) return;
  asked_for_body_ = true;
  if (!is_front_) return;  // asked for when its turn comes
  sent_continue_ = true;
  request_->expects_continue = false;
  request_->headers.remove(message::Name::Expect);
  if (request_->version == message::Version::Http10) return;
  auto head = message::ResponseHead::make();
  head->status = 100;
  http::write_response_head(*head, {}, demux_->plan_.scratch, demux_->chunks());
  demux_->send_scratch();
}

void DemuxStream::on_event(Event&& event) {
  if (response_done_ || !demux_) return;
  if (event.is_message_start()) {
    if (event.head()->is_request()) {
      if (saw_response_head_) return;  // it was refused, and its pipeline only learned of it
      fail({ErrorCode::NoAnswer, Side::Script,
            "no filter of pipeline \"" + pipeline_->plan().name() + "\" answered"});
      return;
    }
    if (!event.is_interim()) saw_response_head_ = true;
  } else if (event.is_stream_end()) {
    if (const Error* error = event.error()) fail(*error);
    else if (is_tunnel_) write_end(Event::message_end());
    else if (!saw_response_head_) fail({ErrorCode::NoAnswer, Side::Script, {}});
    return;
  } else if (!saw_response_head_) {
    // The rest of a request that nobody answered; its head was answered for already.
    return;
  }
  if (may_write_at_once(event)) {
    write(std::move(event));
    return;
  }
  if (event.is_data()) {
    demux_->waiting_bytes_ += static_cast<uint32_t>(event.slice().size());
    waiting_body_.append_compact(std::move(event.slice()), demux_->chunks());
  } else {
    waiting_.push_back(std::move(event));
  }
  // The answers of a connection that wait share one bound: who holds back the first holds back all behind it.
  if (demux_->waiting_bytes_ > limits::buffer_bytes_max && !response_hold_)
    response_hold_ = response_valve_.hold();
  if (is_front_) demux_->loop().defer(demux_->settle_task_);
}

bool DemuxStream::may_write_at_once(const Event& event) const {
  if (!is_front_ || has_waiting()) return false;
  if (!demux_->is_pumping_) return true;
  // Inside the call that brought the request only what neither closes nor calls anybody: the bytes of a good
  // answer to a request that is whole.
  return request_done_ && !offers_upgrade_ && demux_->is_last_ && !event.error();
}

void DemuxStream::drop_waiting() {
  waiting_.clear();
  if (demux_) demux_->waiting_bytes_ -= static_cast<uint32_t>(waiting_body_.size());
  waiting_body_.clear();
}

void DemuxStream::become_front() {
  is_front_ = true;
  if (asked_for_body_) ask_for_body();
  if (!has_waiting()) return;
  auto waiting = std::move(waiting_);
  waiting_.clear();
  buffer::Buffer body = std::move(waiting_body_);
  demux_->waiting_bytes_ -= static_cast<uint32_t>(body.size());
  const auto may_write = [this] { return !response_done_ && demux_; };
  auto event = waiting.begin();
  for (; event != waiting.end() && event->is_message_start(); ++event)
    if (may_write()) write(std::move(*event));
  while (!body.empty() && may_write()) write(Event::data(body.take_slice()));
  for (; event != waiting.end(); ++event)
    if (may_write()) write(std::move(*event));
  if (demux_ && !demux_->output_valve().is_held()) response_hold_.release();
}

void DemuxStream::set_held(bool is_held) {
  if (!is_held && is_front_) response_hold_.release();
  else if (is_held && is_front_ && !response_hold_) response_hold_ = response_valve_.hold();
}

void DemuxStream::write(Event&& event) {
  buffer::Buffer& out = demux_->plan_.scratch;
  switch (event.kind()) {
    case Event::Kind::MessageStart: write_head(std::move(event.head())); break;
    case Event::Kind::Data: {
      buffer::Slice slice = std::move(event.slice());
      if (body_ == BodyKind::None) return;
      if (body_ == BodyKind::Length) {
        if (slice.size() > body_left_) slice = slice.sub(0, body_left_);
        body_left_ -= slice.size();
      }
      sent_bytes_ += slice.size();
      if (record_) record_->body_bytes += slice.size();
      if (body_ == BodyKind::Chunked) {
        http::write_chunk(std::move(slice), out, demux_->chunks());
        demux_->send_scratch();
      } else if (!slice.empty()) {
        demux_->output(Event::data(std::move(slice)));
      }
      break;
    }
    case Event::Kind::MessageEnd: write_end(std::move(event)); break;
    case Event::Kind::StreamEnd: break;
  }
}

void DemuxStream::write_head(Ref<message::Head> head) {
  if (method_ == "HEAD") message::make_own(head);
  auto& response = static_cast<message::ResponseHead&>(*head);
  const message::Version client = request_ ? request_->version : message::Version::Http11;
  Services& services = *demux_->plan_.services;
  buffer::Buffer& out = demux_->plan_.scratch;
  if (response.is_interim()) {
    const bool is_second_continue = response.status == 100 && sent_continue_;
    if (client == message::Version::Http10 || is_second_continue || response_begun_) return;
    if (response.status == 100) sent_continue_ = true;
    http::write_response_head(response, {}, out, demux_->chunks());
    demux_->send_scratch();
    return;
  }
  if (response_begun_) return;
  response_begun_ = true;
  if (context_) context_->set_response(head);
  const message::BodyFraming framing = http::outgoing_response_framing(response, client, method_);
  // An answer to HEAD says how long the body would have been (RFC 9110 section 9.3.2).
  if (method_ == "HEAD" && response.body.kind == BodyKind::Length &&
      !response.headers.has(message::Name::ContentLength))
    response.headers.add("Content-Length", std::to_string(response.body.length),
                         message::Name::ContentLength);
  body_ = framing.kind;
  body_left_ = framing.length;
  is_tunnel_ = body_ == BodyKind::Tunnel;
  const bool awaits_continue = request_ && request_->expects_continue && !sent_continue_ && !request_done_;
  const bool is_out_of_step = response.error && !request_done_;
  // An answer of our own to a request whose body is not worth reading to its end.
  const bool is_early = !request_done_ && request_ && context_ && !context_->upstream() &&
                        request_->body.kind == BodyKind::Length &&
                        request_->body.length > demux_->body_bytes_ + limits::drain_bytes_max;
  if (!request_ || !request_->keep_alive || body_ == BodyKind::UntilClose || awaits_continue ||
      is_out_of_step || is_early)
    closes_ = true;
  const Instant now = demux_->loop().now();
  services.stats.count_response(response.status, context_ ? now - context_->started() : Duration::zero());
  if (record_) {
    record_->status = response.status;
    if (response.error) record_->failure = code_name(response.error->code);
  }
  if (response.error) {
    demux_->log_failure(*response.error, request_.get(), response.status);
    is_logged_ = true;
  }
  http::ResponseForm form{framing, client, closes_ ? http::Persistence::Close : http::Persistence::KeepAlive,
                          date_of_now(services)};
  http::write_response_head(response, form, out, demux_->chunks());
  demux_->send_scratch();
  if (offers_upgrade_) demux_->end_upgrade(*this);
}

void DemuxStream::write_end(Event&& event) {
  if (const Error* error = event.error()) {
    fail(*error);
    return;
  }
  if (!response_begun_) return;
  if (body_ == BodyKind::Length && body_left_ > 0) {
    fail({ErrorCode::Truncated, Side::Upstream, "the body is shorter than its content-length"});
    return;
  }
  if (body_ == BodyKind::Chunked) {
    const bool takes_trailers = request_ && request_->accepts_trailers;
    http::write_last_chunk(takes_trailers ? event.trailers().get() : nullptr, demux_->plan_.scratch,
                           demux_->chunks());
    demux_->send_scratch();
  }
  response_done_ = true;
  if (flow::Message* response = context_ ? context_->response() : nullptr; response && !response->has_body)
    response->body_size = sent_bytes_;
  if (is_tunnel_) closes_ = true;
  if (!demux_->is_pumping_) demux_->loop().defer(demux_->settle_task_);
}

void DemuxStream::fail(const Error& error) {
  if (response_done_ || !demux_) return;
  const Error reason = error;
  if (response_begun_) {
    ++demux_->plan_.services->stats.cut;
    if (record_) record_->failure = code_name(reason.code);
    if (!is_logged_) demux_->log_failure(reason, request_.get(), 0);
    response_done_ = closes_ = true;
    // Where the end of the body is the end of the connection, only a reset tells a cut from an end.
    if (body_ == BodyKind::UntilClose || is_tunnel_) demux_->cut(reason);
    else demux_->loop().defer(demux_->settle_task_);
    return;
  }
  drop_waiting();
  saw_response_head_ = true;
  answer_error(reason);
}

void DemuxStream::answer_error(const Error& error) {
  Ref<flow::Message> answer;
  if (flow::Hook* page = demux_->plan_.error_page.get(); page && !request_) {
    struct Silent final : flow::HookHandler {
      void on_hook_done(flow::HookCall&) override {}
    } handler;
    flow::HookCall call(handler);
    call.error = &error;
    call.may_wait = false;
    call.run(*page, flow::HookShape::Error, demux_->context());
    if (auto* made = call.value.object_as<flow::Message>(); made && made->response()) {
      answer = made->copy();
      answer->response()->error = std::make_unique<Error>(error);
      settle_framing(*answer);
    }
  }
  if (!answer) answer = error_message(error, demux_->chunks());
  // RFC 9110 section 15.5.6
  if (error.code == ErrorCode::MethodNotAllowed)
    answer->head->headers.add("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE");
  if (error.side == Side::Client) closes_ = true;
  saw_response_head_ = true;
  // Out through the same gate as any answer: it waits for its turn there.
  struct Gate final : flow::Sink {
    explicit Gate(DemuxStream& stream) : stream_(stream) {}
    void on_event(Event&& event) override { stream_.on_event(std::move(event)); }
    DemuxStream& stream_;
  } gate(*this);
  give_message(*answer, gate);
}

void DemuxStream::end(const Error* error) {
  close_record(error);
  drop_waiting();
  demux_ = nullptr;
  response_done_ = true;
  if (pipeline_) pipeline_->end(error);
  response_hold_.release();
}

}  // namespace perilune::filter
