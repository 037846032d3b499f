#pragma once

#include <algorithm>
#include <functional>

#include "play.hpp"

/// What exact plays are made of: clients and upstreams in the hands of a test, and the texts they send.

namespace perilune::tests {

using sim::SimBehaviour;
using sim::SimPeer;

inline constexpr std::string_view proxy_address = "127.0.0.1:8000";
inline constexpr std::string_view upstream_address = "10.0.0.1:80";
/// The plain reverse proxy; two texts go where options may be.
inline std::string reverse_proxy(const std::string& listen_options = "{}",
                                 const std::string& mux_arguments = "",
                                 const std::string& connect_options = "{}") {
  return "listen(8000, " + listen_options +
         "):demuxHTTP(pipeline():muxHTTP(pipeline():connect('10.0.0.1:80', " + connect_options + ")" +
         mux_arguments + "))";
}

inline std::string get(std::string_view path = "/", std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view body, size_t length) {
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" +
         std::string(body);
}
inline std::string ok(std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) +
         "\r\n" + std::string(body);
}

class SimPlay : public ::testing::Test {
 protected:
  SimPlay() { log::set_level(log::Level::Info); }
  void TearDown() override {
    for (const auto& client : clients_) client->drop();
    if (play.worker) {
      play.world.run_for(100ms);
      EXPECT_EQ(play.settle(3h), "");
      EXPECT_EQ(play.stop(), "");
    }
    for (const auto& server : servers_)
      for (const auto& peer : server->peers()) peer->close();
    servers_.clear();
    play.world.run_for(1s);
    EXPECT_EQ(play.world.alive_streams(), 0u);
    EXPECT_EQ(play.world.alive_listeners(), 0u);
    EXPECT_EQ(play.world.pending_operations(), 0u);
  }

  void start(const std::string& script) { ASSERT_NO_FATAL_FAILURE(play.start(script)); }
  /// An upstream that does nothing by itself.
  sim::SimServer& upstream(std::string_view address = upstream_address) {
    servers_.push_back(std::make_unique<sim::SimServer>(play.outside, address_of(address)));
    return *servers_.back();
  }
  /// An upstream that answers each whole request with what `answer` makes of it.
  sim::SimServer& answering(std::function<std::string(const WireMessage&)> answer,
                            std::string_view address = upstream_address) {
    sim::SimServer& server = upstream(address);
    server.on_peer = [this, answer](SimPeer& peer) {
      auto taken = std::make_shared<size_t>(0);
      peer.on_news = [this, taken, answer](SimPeer& end) {
        while (end.is_open()) {
          const auto stream = std::string_view(end.received()).substr(*taken);
          const WireMessage request = take_message(stream, WireKind::Request, false);
          if (!request.is_complete) break;
          *taken += request.bytes;
          ++requests;
          end.send(answer(request));
        }
        if (end.is_open() && end.is_over()) end.close();
      };
    };
    return server;
  }
  sim::SimServer& answering(const std::string& text) {
    return answering([text](const WireMessage&) { return text; });
  }
  /// Time goes on, and the proxy does nothing: what arrives meanwhile waits for its next turn.
  void pass_without_proxy(Duration time = 1ms) {
    for (const Instant end = play.world.now() + time; play.world.now() < end;)
      play.outside.loop.run_turn(end);
  }
  /// A client that has sent these bytes.
  SimPeer& client(std::string_view bytes, std::string_view from = "") {
    net::ConnectOptions options;
    if (!from.empty()) options.bind = address_of(std::string(from) + ":0");
    clients_.push_back(std::make_unique<sim::SimClient>(play.outside, address_of(proxy_address), options));
    sim::SimClient& added = *clients_.back();
    play.world.run_until([&] { return added.is_connected(); }, play.world.now() + 1s);
    EXPECT_TRUE(added.is_connected());
    added.peer().send(bytes);
    return added.peer();
  }
  /// Runs until it holds and says how many seconds that took; -1 when it does not come.
  double seconds_until(const std::function<bool()>& condition, Duration patience = 10min) {
    const Instant begin = play.world.now();
    const auto outcome = play.world.run_until(condition, begin + patience);
    return outcome == sim::SimWorld::Outcome::Met ? to_seconds(play.world.now() - begin) : -1;
  }
  double seconds_until_answer(const SimPeer& peer) {
    return seconds_until([&] { return peer.received().find("\r\n\r\n") != std::string::npos; });
  }
  double seconds_until_over(const SimPeer& peer) {
    return seconds_until([&] { return peer.is_over(); });
  }
  void pass(Duration time = 50ms) { play.world.run_for(time); }
  static int status(const SimPeer& peer) {
    return take_message(peer.received(), WireKind::Response, true).status();
  }
  static std::string body(const SimPeer& peer) {
    return take_message(peer.received(), WireKind::Response, true).body;
  }
  static std::vector<std::string> bodies(const SimPeer& peer) {
    std::vector<std::string> found;
    std::string_view rest = peer.received();
    while (!rest.empty()) {
      const WireMessage message = take_message(rest, WireKind::Response, peer.has_ended());
      if (!message.is_complete) break;
      found.push_back(message.body);
      rest.remove_prefix(message.bytes);
    }
    return found;
  }

  Play play;
  CapturedLog log;
  int requests = 0;
  std::vector<std::unique_ptr<sim::SimServer>> servers_;
  std::vector<std::unique_ptr<sim::SimClient>> clients_;
};

inline constexpr double exact = 0.02;  // seconds: round trips, and the grain of timers

}  // namespace perilune::tests
