#include "filter/codecs.hpp"

#include "http/framing.hpp"
#include "http/h1_writer.hpp"

namespace perilune::filter {

using flow::Event;
using message::BodyKind;

namespace {

template <typename Codec>
class CodecPlan final : public flow::FilterPlan {
 public:
  explicit CodecPlan(http::Kind kind) : kind_(kind) {}
  std::unique_ptr<flow::Filter> make() const override { return std::make_unique<Codec>(kind_); }

 private:
  const http::Kind kind_;
};

http::Kind kind_of(const FilterCall& call) {
  return call.spec.name.ends_with("Request") ? http::Kind::Request : http::Kind::Response;
}

}  // namespace

Result<std::unique_ptr<flow::FilterPlan>> make_decode_plan(FilterCall& call) {
  return std::unique_ptr<flow::FilterPlan>(std::make_unique<CodecPlan<DecodeHttp>>(kind_of(call)));
}

Result<std::unique_ptr<flow::FilterPlan>> make_encode_plan(FilterCall& call) {
  return std::unique_ptr<flow::FilterPlan>(std::make_unique<CodecPlan<EncodeHttp>>(kind_of(call)));
}

void DecodeHttp::on_event(Event&& event) {
  if (event.is_data()) {
    parser_->feed(std::move(event.slice()));
    pump(false);
  } else if (event.is_stream_end()) {
    if (!event.error()) pump(true);
    if (!is_ended()) output(std::move(event));
  }
}

void DecodeHttp::expect_response() {
  if (kind_ == http::Kind::Request || is_expecting_) return;
  const flow::Message* request = context().request();
  parser_->expect_response_to(request && request->request() ? request->request()->method : std::string("GET"));
  is_expecting_ = true;
}

void DecodeHttp::pump(bool has_ended) {
  while (!is_ended()) {
    expect_response();
    http::Item item = parser_->next();
    using ItemKind = http::Item::Kind;
    if (item.kind == ItemKind::NeedMore && has_ended && !parser_->at_boundary()) item = parser_->finish();
    switch (item.kind) {
      case ItemKind::NeedMore: return;
      case ItemKind::Head:
        if (kind_ == http::Kind::Request) context().set_request(item.head);
        else context().set_response(item.head);
        output(Event::message_start(std::move(item.head)));
        break;
      case ItemKind::Body: output(Event::data(std::move(item.body))); break;
      case ItemKind::End:
        is_expecting_ = false;
        output(Event::message_end(std::move(item.trailers)));
        break;
      case ItemKind::Failed: fail(parser_->failure()); return;
    }
    if (item.ends && !is_ended()) {
      is_expecting_ = false;
      output(Event::message_end());
    }
  }
}

void DecodeHttp::on_reset() {
  parser_.reset();
  is_expecting_ = false;
}

void EncodeHttp::encode_head(message::Head& head) {
  if (kind_ == http::Kind::Request) {
    auto& request = static_cast<message::RequestHead&>(head);
    const message::BodyFraming framing = http::outgoing_request_framing(request);
    body_ = framing.kind;
    http::write_request_head(request, {framing}, scratch_, chunks());
    return;
  }
  auto& response = static_cast<message::ResponseHead&>(head);
  const flow::Message* asked = context().request();
  const message::RequestHead* request = asked ? asked->request() : nullptr;
  const message::Version client = request ? request->version : message::Version::Http11;
  const message::BodyFraming framing =
      response.is_interim() ? message::BodyFraming{}
                            : http::outgoing_response_framing(response, client, request ? request->method : "GET");
  body_ = framing.kind;
  const bool keeps = !request || request->keep_alive;
  http::write_response_head(
      response, {framing, client, keeps ? http::Persistence::KeepAlive : http::Persistence::Close, {}}, scratch_,
      chunks());
}

void EncodeHttp::send_scratch() {
  while (!scratch_.empty()) output(Event::data(scratch_.take_slice()));
}

void EncodeHttp::on_event(Event&& event) {
  switch (event.kind()) {
    case Event::Kind::MessageStart:
      if ((event.head()->is_request()) != (kind_ == http::Kind::Request)) {
        fail({ErrorCode::ScriptError, Side::Script,
              kind_ == http::Kind::Request ? "encodeHTTPRequest takes requests, not responses"
                                           : "encodeHTTPResponse takes responses, not requests"});
        return;
      }
      encode_head(*event.head());
      break;
    case Event::Kind::Data:
      if (body_ == BodyKind::None) return;
      if (body_ == BodyKind::Chunked) http::write_chunk(std::move(event.slice()), scratch_, chunks());
      else scratch_.append(std::move(event.slice()));
      break;
    case Event::Kind::MessageEnd:
      if (event.error()) {
        output(Event::stream_end(event.take_error()));
        return;
      }
      if (body_ == BodyKind::Chunked) http::write_last_chunk(event.trailers().get(), scratch_, chunks());
      if (body_ == BodyKind::UntilClose) output(Event::stream_end());
      break;
    case Event::Kind::StreamEnd: output(std::move(event)); return;
  }
  send_scratch();
}

}  // namespace perilune::filter
