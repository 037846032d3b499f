#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "buffer/buffer.hpp"
#include "flow/message.hpp"
#include "http/h1_parser.hpp"
#include "sim/peer.hpp"

namespace perilune::script {

/// One end of a simulated connection in the hands of a test: bytes both ways, and responses, read by the
/// engine's strict parser. What comes is kept until it is asked for, at most limits::test_body_bytes_max.
class TestConnection final : public Object {
 public:
  /// What a test waits for.
  struct Wanted {
    enum class Kind : uint8_t {
      Connected,
      Some,      // whatever comes next
      Count,     // exactly `bytes`
      Until,     // up to and with `text`
      All,       // up to the end
      Response,  // to a request with the method `text`; interim ones are skipped
    };
    Kind kind = Kind::Some;
    size_t bytes = 0;
    std::string text = {};
  };
  struct Reading {
    std::string bytes = {};
    Ref<flow::Message> message = {};
  };

  /// Connects.
  TestConnection(sim::SimWorker& worker, buffer::ChunkPool& chunks, const net::Address& to,
                 const net::ConnectOptions& options);
  /// Takes what was accepted.
  TestConnection(sim::SimWorker& worker, buffer::ChunkPool& chunks, std::unique_ptr<net::Stream> stream);
  ~TestConnection() override;

  /// What is wanted, once it is there, or why it will never be; none as long as it may still come. Errors: as
  /// connect and the parser give them; Closed and Reset (Side::Upstream) when the other side ended first.
  std::optional<Result<Reading>> read(const Wanted& wanted);
  /// Sends as fast as the other side takes it. False when this side is closed already.
  bool send(std::string_view bytes);
  /// The head of a request.
  bool send(const message::RequestHead& head, message::BodyFraming body, bool closes);
  void finish_sending();
  void close();
  void reset();

  enum class State : uint8_t { Connecting, Failed, Open, Ended, Reset, Closed };
  State state() const;
  net::Address peer() const { return peer_address_; }
  /// Bytes that came and were not read.
  size_t unread() const;

  /// Called after each arrival, and at the end.
  std::function<void()> on_news = {};

 private:
  sim::SimPeer* end();
  const sim::SimPeer* end() const { return const_cast<TestConnection*>(this)->end(); }
  void watch(sim::SimPeer& peer);
  std::optional<Result<Reading>> read_response(std::string_view method);
  std::optional<Result<Reading>> take_items();
  void go_on_reading();
  Error ending() const;

  buffer::ChunkPool& chunks_;
  std::unique_ptr<sim::SimClient> client_;
  std::unique_ptr<sim::SimPeer> accepted_;
  net::Address peer_address_;
  bool is_closed_ = false;
  bool is_paused_ = false;  // more has come than is kept
  // The response that is being read.
  std::unique_ptr<http::H1Parser> parser_;
  Ref<flow::Message> response_;
  bool is_finished_ = false;  // the parser was told of the end
};

}  // namespace perilune::script
