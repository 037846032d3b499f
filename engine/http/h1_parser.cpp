#include "http/h1_parser.hpp"

#include "http/field_lines.hpp"
#include "http/grammar.hpp"
#include "http/hop_by_hop.hpp"

namespace perilune::http {

using message::Trailers;

void H1Parser::feed(buffer::Buffer&& bytes) {
  while (!bytes.empty()) input_.feed(bytes.take_slice());
}

void H1Parser::expect_response_to(std::string_view request_method, UpgradeOffer offer) {
  PERILUNE_EXPECT(kind_ == Kind::Response && expected_ == Expected::Nothing,
                  "one response is expected at a time");
  expected_ = request_method == "HEAD"      ? Expected::Head
              : request_method == "CONNECT" ? Expected::Connect
                                            : Expected::Any;
  offer_ = offer;
  interims_ = 0;
}

Item H1Parser::finish() {
  Item item = next();
  if (item.kind != Item::Kind::NeedMore) return item;
  switch (state_) {
    case State::UntilClose: return end_message(nullptr);
    case State::Tunnel: return item;
    case State::Start:
      if (section_.is_begun()) break;
      if (expected_ == Expected::Nothing) return item;
      return fail({ErrorCode::Closed, Side::Upstream, "closed before the response"});
    default: break;
  }
  const Side side = kind_ == Kind::Request ? Side::Client : Side::Upstream;
  return fail({ErrorCode::Truncated, side, "the connection ended within a message"});
}

buffer::Buffer H1Parser::take_rest() {
  PERILUNE_EXPECT(at_boundary() || is_tunnel(), "the rest is taken between messages or from a tunnel");
  return input_.take_all();
}

Item H1Parser::fail(Error error) {
  state_ = State::Failed;
  failure_ = std::make_unique<Error>(std::move(error));
  return Item{.kind = Item::Kind::Failed};
}

Item H1Parser::next() {
  switch (state_) {
    case State::Start: return read_start();
    case State::Head: return read_head();
    case State::FixedBody:
    case State::UntilClose: return read_body();
    case State::Chunked: return read_chunked();
    case State::Trailers: return read_trailers();
    case State::Tunnel: break;
    case State::Failed: return Item{.kind = Item::Kind::Failed};
  }
  return Item{};
}

Item H1Parser::read_start() {
  while (input_.refill()) {
    const char first = *input_.front().data();
    if (kind_ == Kind::Response) {
      if (expected_ == Expected::Nothing)
        return refuse(ErrorCode::BadRequest, "bytes that answer no request");
      // What is not HTTP at all is known by its first byte; why wait for the end of a line.
      if (first != 'H') return refuse(ErrorCode::BadRequest, "not an HTTP response");
      return read_head();
    }
    // Consumed byte by byte, so that an idle connection with a stray line end holds nothing.
    if (empty_line_ == EmptyLine::None && first == '\r') {
      empty_line_ = EmptyLine::Return;
    } else if (empty_line_ == EmptyLine::Return) {
      if (first != '\n') return refuse(ErrorCode::BadRequest, "bare CR");
      empty_line_ = EmptyLine::Skipped;
    } else {
      if (!is_a(TokenChar, first)) return refuse(ErrorCode::BadRequest, "not an HTTP request");
      return read_head();
    }
    input_.drop(1);
  }
  return Item{};
}

Item H1Parser::refuse(HeadScan::Outcome outcome) {
  switch (outcome) {
    case HeadScan::Outcome::FirstLineTooLong: return refuse(ErrorCode::UriTooLong, "start line too long");
    case HeadScan::Outcome::TooLarge: return refuse(ErrorCode::HeadTooLarge, "header section too large");
    case HeadScan::Outcome::TooManyLines: return refuse(ErrorCode::HeadTooLarge, "too many fields");
    default: return refuse(ErrorCode::BadRequest, "bare LF");
  }
}

Item H1Parser::read_body() {
  if (!input_.refill()) return Item{};
  Item item{.kind = Item::Kind::Body};
  if (state_ == State::UntilClose) {
    item.body = input_.take(input_.front().size());
    return item;
  }
  item.body = input_.take(body_left_);
  body_left_ -= item.body.size();
  if (body_left_ == 0) {
    item.ends = true;
    begin_next();
  }
  return item;
}

Item H1Parser::read_chunked() {
  while (input_.refill()) {
    const auto step = chunked_.advance(input_.front().view(), limits_->chunk_line_bytes_max);
    if (step.outcome == ChunkedDecoder::Outcome::Malformed)
      return refuse(ErrorCode::BadChunk, "malformed chunk");
    input_.drop(step.consumed);
    if (step.outcome == ChunkedDecoder::Outcome::LastChunk) {
      state_ = State::Trailers;
      return read_trailers();
    }
    if (step.outcome != ChunkedDecoder::Outcome::Data || !input_.refill()) continue;
    Item item{.kind = Item::Kind::Body};
    item.body = input_.take(chunked_.data_left());
    chunked_.take_data(item.body.size());
    return item;
  }
  return Item{};
}

Item H1Parser::read_trailers() {
  const ScanLimits scan_limits{no_line_limit, limits_->head_bytes_max, limits_->head_fields_max};
  for (;;) {
    const auto outcome = section_.advance(input_, scan_limits);
    if (outcome == HeadScan::Outcome::NeedMore) return Item{};
    if (outcome == HeadScan::Outcome::FirstLine) continue;
    if (outcome != HeadScan::Outcome::Complete) return refuse(outcome);
    break;
  }
  const std::string_view block = section_.text(input_).substr(0, section_.size());
  Ref<Trailers> trailers;
  if (block.size() > 2) {
    trailers = make_ref<Trailers>();
    if (auto parsed = parse_field_lines(block, kind_, trailers->headers); !parsed)
      return fail(std::move(parsed.error()));
    message::Headers& fields = trailers->headers;
    fields.each([&](std::string_view name, std::string_view, message::Name) {
      if (is_forbidden_trailer(name)) fields.remove(name);
    });
    if (fields.empty()) trailers.reset();
  }
  section_.done(input_);
  return end_message(std::move(trailers));
}

void H1Parser::begin_next() {
  state_ = State::Start;
  empty_line_ = EmptyLine::None;
  chunked_ = {};
}

Item H1Parser::end_message(Ref<Trailers> trailers) {
  begin_next();
  return Item{.kind = Item::Kind::End, .trailers = std::move(trailers)};
}

}  // namespace perilune::http
