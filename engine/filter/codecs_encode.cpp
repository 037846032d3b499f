#include "filter/codecs.hpp"
#include "http/framing.hpp"
#include "http/h1_writer.hpp"
#include "http/max_forwards.hpp"

// How the codecs put messages on a wire.
namespace perilune::filter {

using flow::Event;
using message::BodyFraming;
using message::BodyKind;

void EncodeMessages::begin_body(const BodyFraming& framing) {
  body_ = framing.kind;
  body_left_ = framing.length;
}

void EncodeMessages::write_body(buffer::Slice slice) {
  if (body_ == BodyKind::None) return;
  if (body_ == BodyKind::Chunked) {
    http::write_chunk(std::move(slice), scratch_, chunks());
    return;
  }
  // What is too much would be read as the next message.
  if (body_ == BodyKind::Length) {
    if (slice.size() > body_left_) slice = slice.sub(0, body_left_);
    body_left_ -= slice.size();
  }
  if (!slice.empty()) scratch_.append(std::move(slice));
}

bool EncodeMessages::finish_body(const message::Trailers* trailers) {
  if (body_ == BodyKind::Length && body_left_ > 0) {
    fail({ErrorCode::Truncated, Side::Script, "the body is shorter than its content-length"});
    return false;
  }
  if (body_ == BodyKind::Chunked) http::write_last_chunk(trailers, scratch_, chunks());
  body_ = BodyKind::None;
  return true;
}

void EncodeMessages::send() {
  while (!scratch_.empty() && !is_ended()) output(Event::data(scratch_.take_slice()));
}

void EncodeMessages::on_reset() {
  scratch_ = {};
  exchanges_.reset();
  begin_body({});
}

void EncodeRequests::on_start() {
  exchanges_ = OpenExchanges::of(context());
  exchanges_->has_request_encoder = true;
}

void EncodeRequests::on_event(Event&& event) {
  switch (event.kind()) {
    case Event::Kind::MessageStart:
      if (message::RequestHead* head = event.request()) write_head(*head);
      else fail({ErrorCode::ScriptError, Side::Script, "encodeHTTPRequest takes requests, not responses"});
      break;
    case Event::Kind::Data:
      if (exchanges_->is_tunnel) output(std::move(event));
      else write_body(std::move(event.slice()));
      break;
    case Event::Kind::MessageEnd:
      if (event.error()) output(Event::stream_end(event.take_error()));
      else finish_body(event.trailers().get());
      break;
    case Event::Kind::StreamEnd: output(std::move(event)); return;
  }
  send();
}

void EncodeRequests::write_head(message::RequestHead& head) {
  if (head.method == "CONNECT") {
    fail({ErrorCode::MethodNotAllowed, Side::Client, "CONNECT"});
    return;
  }
  if (http::count_hop(head) == http::Hop::Last) {
    begin_body({});
    answer(Event::message_start(http::answer_at_last_hop(head)));
    answer(Event::message_end());
    return;
  }
  AskedQueue& queue = exchanges_->to_upstream;
  if (queue.is_full() && exchanges_->has_response_decoder) {
    fail({ErrorCode::QueueFull, Side::Script, "too many requests without an answer"});
    return;
  }
  if (queue.is_full()) queue.pop();  // nobody counts
  queue.push(Asked::by(head));
  const BodyFraming framing = http::outgoing_request_framing(head);
  begin_body(framing);
  // Who reads no answers leaves the end of the connection to the upstream.
  const bool is_blind = exchanges_->has_request_decoder && !exchanges_->has_response_encoder;
  const auto persistence =
      is_blind && !head.keep_alive ? http::Persistence::Close : http::Persistence::KeepAlive;
  http::write_request_head(head, {framing, persistence}, scratch_, chunks());
}

void EncodeResponses::on_start() {
  exchanges_ = OpenExchanges::of(context());
  exchanges_->has_response_encoder = true;
}

void EncodeResponses::on_reset() {
  EncodeMessages::on_reset();
  asked_ = {};
}

void EncodeResponses::on_event(Event&& event) {
  if (exchanges_->is_over && !event.is_stream_end()) return;
  switch (event.kind()) {
    case Event::Kind::MessageStart:
      message::make_own(event.head());
      if (message::ResponseHead* head = event.response()) write_head(*head);
      else fail({ErrorCode::ScriptError, Side::Script, "encodeHTTPResponse takes responses, not requests"});
      break;
    case Event::Kind::Data: write_body(std::move(event.slice())); break;
    case Event::Kind::MessageEnd: write_end(std::move(event)); return;
    case Event::Kind::StreamEnd: output(std::move(event)); return;
  }
  send();
}

void EncodeResponses::write_head(message::ResponseHead& head) {
  if (exchanges_->has_request_decoder) {
    if (exchanges_->of_client.empty()) {
      fail({ErrorCode::ScriptError, Side::Script, "a response that answers no request"});
      return;
    }
    asked_ = exchanges_->of_client.front();
  } else {
    const flow::Message* message = context().request();
    asked_ = message && message->request() ? Asked::by(*message->request()) : Asked{};
  }
  if (head.is_interim()) {
    if (asked_.version != message::Version::Http10) http::write_response_head(head, {}, scratch_, chunks());
    return;
  }
  if (head.status == 101 && asked_.offer == http::UpgradeOffer::None) {
    fail({ErrorCode::ScriptError, Side::Script, "a 101 to a request that offered no other protocol"});
    return;
  }
  const BodyFraming framing = http::outgoing_response_framing(head, asked_.version, asked_.method_name());
  // An answer to HEAD says how long the body would have been (RFC 9110 section 9.3.2).
  if (asked_.method == Asked::Method::Head && head.body.kind == BodyKind::Length &&
      !head.headers.has(message::Name::ContentLength))
    head.headers.add("Content-Length", std::to_string(head.body.length), message::Name::ContentLength);
  begin_body(framing);
  if (body_ == BodyKind::UntilClose) asked_.keep_alive = false;
  const auto persistence = asked_.keep_alive ? http::Persistence::KeepAlive : http::Persistence::Close;
  http::write_response_head(head, {framing, asked_.version, persistence, {}}, scratch_, chunks());
  if (body_ != BodyKind::Tunnel) return;
  exchanges_->is_tunnel = true;
  if (exchanges_->reader) loop().defer(*exchanges_->reader);
}

void EncodeResponses::write_end(Event&& event) {
  if (event.error()) {
    output(Event::stream_end(event.take_error()));
    return;
  }
  const bool is_tunnel = body_ == BodyKind::Tunnel;
  if (!finish_body(asked_.accepts_trailers ? event.trailers().get() : nullptr)) return;
  send();
  if (is_ended()) return;
  if (exchanges_->has_request_decoder && !exchanges_->of_client.empty()) exchanges_->of_client.pop();
  if (!asked_.keep_alive || is_tunnel) {
    exchanges_->is_over = true;
    pipeline().stop_input();
    output(Event::stream_end());
  }
  if (exchanges_->reader && !is_ended()) loop().defer(*exchanges_->reader);
}

}  // namespace perilune::filter
