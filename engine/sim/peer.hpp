#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/network.hpp"

namespace perilune::sim {

/// One end of a connection in the hands of a test: sends what it is told, collects what comes. It keeps what
/// it has seen after the connection is gone.
class SimPeer final : private net::StreamHandler {
 public:
  SimPeer(SimWorker& worker, std::unique_ptr<net::Stream> stream);
  SimPeer(const SimPeer&) = delete;
  SimPeer& operator=(const SimPeer&) = delete;

  /// Sends as fast as the connection takes it.
  void send(std::string_view bytes);
  /// Sends `bytes` in pieces, the first one now and one every `pause`.
  void send_slowly(std::string_view bytes, size_t piece_bytes, Duration pause);
  /// Sends an end when everything is sent; reading goes on.
  void finish_sending();
  /// Closes when everything is sent.
  void close_when_sent();
  void close();
  void reset();
  void pause_reading() { is_reading_ = false; }
  void resume_reading();
  /// While reading is paused: reads at most `bytes` of what is there.
  void read_some(size_t bytes);

  const std::string& received() const { return received_; }
  /// Removes and returns what was received.
  std::string take_received() { return std::exchange(received_, {}); }
  /// Puts bytes that were taken too early back in front.
  void give_back(std::string_view bytes) { received_.insert(0, bytes); }
  size_t unsent_bytes() const { return unsent_.size(); }
  bool has_ended() const { return has_ended_; }
  bool was_reset() const { return was_reset_; }
  /// Ended, reset or closed from this side.
  bool is_over() const { return has_ended_ || was_reset_ || !stream_; }
  bool is_open() const { return stream_ != nullptr; }
  net::Stream& stream() { return *stream_; }

  /// Called after each arrival, also of an end or a reset. May close this peer, may not destroy it.
  std::function<void(SimPeer&)> on_news = {};

 private:
  enum class AfterSending { Nothing, End, Close };
  void on_readable() override;
  void on_writable() override { flush(); }
  void on_next_piece();
  void flush();

  SimWorker& worker_;
  std::unique_ptr<net::Stream> stream_;
  std::string received_;
  std::string unsent_;
  std::string pieces_;
  size_t piece_bytes_ = 0;
  Duration pause_{};
  loop::MemberTimer<SimPeer, &SimPeer::on_next_piece> piece_timer_{*this};
  AfterSending after_sending_ = AfterSending::Nothing;
  bool is_reading_ = true;
  bool has_ended_ = false;
  bool was_reset_ = false;
};

/// A listening end in the hands of a test.
class SimServer final : private net::ListenHandler {
 public:
  /// The address must be free.
  SimServer(SimWorker& worker, const net::Address& address, const net::ListenOptions& options = {});

  net::Address local() const { return listener_->local(); }
  net::Listener& listener() { return *listener_; }
  void close() { listener_.reset(); }
  std::vector<std::unique_ptr<SimPeer>>& peers() { return peers_; }
  size_t pauses() const { return pauses_; }

  /// Called for each new connection; a place to set its on_news.
  std::function<void(SimPeer&)> on_peer = {};

 private:
  void on_accept(std::unique_ptr<net::Stream> stream) override;
  void on_accept_paused(const Error&) override { ++pauses_; }

  SimWorker& worker_;
  std::vector<std::unique_ptr<SimPeer>> peers_;
  size_t pauses_ = 0;
  std::unique_ptr<net::Listener> listener_;
};

/// A connecting end in the hands of a test.
class SimClient final : private net::ConnectHandler {
 public:
  SimClient(SimWorker& worker, const net::Address& address, const net::ConnectOptions& options = {});

  bool is_connected() const { return peer_ != nullptr; }
  bool has_failed() const { return calls_ > 0 && !peer_; }
  /// Why connecting failed.
  const Error& error() const { return error_; }
  int calls() const { return calls_; }
  /// Only when connected.
  SimPeer& peer() { return *peer_; }
  /// Calls the attempt off, or closes the connection.
  void drop();
  /// Sent as soon as the connection is there.
  void send(std::string_view bytes);

  /// Called when connected; a place to set the peer's on_news.
  std::function<void(SimPeer&)> on_peer = {};
  /// Called when it failed.
  std::function<void()> on_failure = {};

 private:
  void on_connected(Result<std::unique_ptr<net::Stream>> stream) override;

  SimWorker& worker_;
  std::string first_bytes_;
  std::unique_ptr<SimPeer> peer_;
  Error error_;
  int calls_ = 0;
  std::unique_ptr<net::Operation> operation_;
};

}  // namespace perilune::sim
