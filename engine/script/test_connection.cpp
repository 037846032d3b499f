#include "script/test_connection.hpp"

#include "base/limits.hpp"
#include "http/h1_writer.hpp"

namespace perilune::script {

TestConnection::TestConnection(sim::SimWorker& worker, buffer::ChunkPool& chunks, const net::Address& to,
                               const net::ConnectOptions& options)
    : chunks_(chunks), client_(std::make_unique<sim::SimClient>(worker, to, options)), peer_address_(to) {
  client_->on_peer = [this](sim::SimPeer& peer) { watch(peer); };
  client_->on_failure = [this] {
    if (on_news) on_news();
  };
}

TestConnection::TestConnection(sim::SimWorker& worker, buffer::ChunkPool& chunks,
                               std::unique_ptr<net::Stream> stream)
    : chunks_(chunks), peer_address_(stream->peer()) {
  accepted_ = std::make_unique<sim::SimPeer>(worker, std::move(stream));
  watch(*accepted_);
}

TestConnection::~TestConnection() = default;

void TestConnection::watch(sim::SimPeer& peer) {
  peer.on_news = [this](sim::SimPeer& known) {
    if (known.received().size() > limits::test_body_bytes_max) {
      known.pause_reading();
      is_paused_ = true;
    }
    if (on_news) on_news();
  };
  if (on_news) on_news();
}

sim::SimPeer* TestConnection::end() {
  if (accepted_) return accepted_.get();
  return client_->is_connected() ? &client_->peer() : nullptr;
}

void TestConnection::go_on_reading() {
  if (std::exchange(is_paused_, false)) end()->resume_reading();
}

TestConnection::State TestConnection::state() const {
  const sim::SimPeer* peer = end();
  if (is_closed_) return State::Closed;
  if (!peer) return client_->has_failed() ? State::Failed : State::Connecting;
  if (peer->was_reset()) return State::Reset;
  return peer->has_ended() ? State::Ended : State::Open;
}

size_t TestConnection::unread() const { return end() ? end()->received().size() : 0; }

Error TestConnection::ending() const {
  const std::string who = peer_address_.to_string();
  switch (state()) {
    case State::Failed: return client_->error();
    case State::Reset: return {ErrorCode::Reset, Side::Upstream, who};
    case State::Closed: return {ErrorCode::Closed, Side::Script, "this side closed the connection"};
    default: return {ErrorCode::Closed, Side::Upstream, who};
  }
}

std::optional<Result<TestConnection::Reading>> TestConnection::read(const Wanted& wanted) {
  const State now = state();
  if (now == State::Connecting) return std::nullopt;
  if (now == State::Failed || now == State::Closed) return ending();
  if (wanted.kind == Wanted::Kind::Connected) return Reading{};
  if (wanted.kind == Wanted::Kind::Response) return read_response(wanted.text);

  const bool is_over = now != State::Open;
  sim::SimPeer& peer = *end();
  const std::string& there = peer.received();
  size_t count = 0;
  switch (wanted.kind) {
    case Wanted::Kind::Count: count = there.size() < wanted.bytes ? 0 : wanted.bytes; break;
    case Wanted::Kind::Until:
      if (const size_t at = there.find(wanted.text); at != std::string::npos) count = at + wanted.text.size();
      break;
    case Wanted::Kind::All:
      if (is_over)
        return now == State::Reset ? Result<Reading>(ending())
                                   : Result<Reading>(Reading{peer.take_received()});
      break;
    default: count = there.size();
  }
  if (wanted.kind == Wanted::Kind::Count && wanted.bytes == 0) return Reading{};
  if (count == 0 && there.size() > limits::test_body_bytes_max)
    return Error{ErrorCode::BodyTooLarge, Side::Upstream, "more came than a test holds"};
  if (count == 0) return is_over ? std::optional<Result<Reading>>(ending()) : std::nullopt;
  std::string all = peer.take_received();
  Reading reading{all.substr(0, count)};
  peer.give_back(all.substr(count));
  go_on_reading();
  return reading;
}

std::optional<Result<TestConnection::Reading>> TestConnection::read_response(std::string_view method) {
  if (!parser_) {
    parser_ = std::make_unique<http::H1Parser>(http::Kind::Response);
    parser_->expect_response_to(method);
    is_finished_ = false;
  }
  sim::SimPeer& peer = *end();
  parser_->feed(buffer::buffer_of(peer.take_received(), chunks_));
  go_on_reading();
  auto result = take_items();
  if (!result && state() == State::Reset) result = ending();
  if (result) {
    // What is behind it belongs to the next one.
    if (parser_->at_boundary() || parser_->is_tunnel()) peer.give_back(parser_->take_rest().to_string());
    parser_.reset();
    response_.reset();
  }
  return result;
}

std::optional<Result<TestConnection::Reading>> TestConnection::take_items() {
  using Kind = http::Item::Kind;
  for (;;) {
    http::Item item = is_finished_ ? parser_->finish() : parser_->next();
    bool is_whole = item.ends;
    switch (item.kind) {
      case Kind::NeedMore:
        if (is_finished_) return ending();
        if (state() != State::Ended) return std::nullopt;
        is_finished_ = true;
        continue;
      case Kind::Failed: return parser_->failure();
      case Kind::Head:
        if (static_cast<message::ResponseHead&>(*item.head).is_interim()) continue;
        response_ = flow::Message::of(std::move(item.head));
        response_->has_body = true;
        is_whole = is_whole || parser_->is_tunnel();
        break;
      case Kind::Body:
        response_->body.append_compact(std::move(item.body), chunks_);
        if (response_->body.size() > limits::test_body_bytes_max)
          return Error{ErrorCode::ResponseTooLarge, Side::Upstream, "a body larger than a test holds"};
        break;
      case Kind::End:
        response_->trailers = std::move(item.trailers);
        is_whole = true;
        break;
    }
    if (is_whole) return Reading{{}, std::move(response_)};
  }
}

bool TestConnection::send(std::string_view bytes) {
  if (is_closed_) return false;
  if (accepted_) accepted_->send(bytes);
  else client_->send(bytes);
  return true;
}

bool TestConnection::send(const message::RequestHead& head, message::BodyFraming body, bool closes) {
  buffer::Buffer bytes;
  http::write_request_head(head, {body, closes ? http::Persistence::Close : http::Persistence::KeepAlive},
                           bytes, chunks_);
  return send(bytes.to_string());
}

void TestConnection::finish_sending() {
  if (sim::SimPeer* peer = end(); peer && !is_closed_) peer->finish_sending();
}

void TestConnection::close() {
  is_closed_ = true;
  if (accepted_) accepted_->close_when_sent();
  else if (client_->is_connected()) client_->peer().close_when_sent();
  else client_->drop();
}

void TestConnection::reset() {
  is_closed_ = true;
  if (sim::SimPeer* peer = end()) peer->reset();
  else client_->drop();
}

}  // namespace perilune::script
