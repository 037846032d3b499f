#pragma once

#include <boost/intrusive/list.hpp>
#include <memory>

#include "edge/connection_counts.hpp"
#include "edge/session.hpp"
#include "net/network.hpp"

namespace perilune::edge {

struct ServerOptions {
  net::ListenOptions listen;
  SessionOptions session;
  /// Accepting pauses at this many open connections of the listener in all workers; 0: no limit. Those that
  /// come in the same moment to other workers are one more each at most. Connections that wait for their
  /// client's next message, or for the first, for limits::idle_age_min are then ended for the newcomers, the
  /// longest ones first.
  size_t connections_max = 0;
  /// Newcomers of a client (an IPv4 address, an IPv6 network of 64 bits) that has this many are reset at
  /// once; 0: no limit. Trusted proxies and clients of unix sockets are not counted.
  size_t connections_per_ip_max = 0;
  /// Nor are clients on this machine.
  bool spares_loopback = false;
};

struct ServerStats {
  uint64_t accepted = 0;
  /// Reset at once because of connections_per_ip_max.
  uint64_t refused = 0;
  /// How often accepting paused at connections_max.
  uint64_t pauses = 0;
  /// Idle ones that were ended to make room.
  uint64_t idle_ended = 0;
};

/// One listening address of one worker and the sessions it accepted.
class Server final : public net::ListenHandler, public SessionHandler {
 public:
  /// `counts` are those of the listener in all workers, and outlive this.
  Server(flow::Runtime& runtime, flow::PipelinePlan& plan, const ServerOptions& options,
         ListenerCounts& counts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Errors (Side::Engine): Resources, with the system's words.
  Result<void> listen(net::Network& network, const net::Address& address);
  net::Address local() const { return listener_->local(); }
  /// Takes no more connections; those that are open go on.
  void stop_accepting();
  /// Cuts every session.
  void cut_all(const Error& error);
  size_t sessions() const { return sessions_count_; }
  const ServerStats& stats() const { return stats_; }

 private:
  void on_accept(std::unique_ptr<net::Stream> stream) override;
  void on_accept_paused(const Error& error) override;
  void on_session_over(Session& session) override;
  /// The client to count a connection for; none where it is not counted.
  std::optional<uint64_t> counted_client(const std::string& ip) const;
  void refuse(const std::string& ip);
  void pause_at_limit();
  /// While it is paused: other workers make room too, without a word.
  void look_for_room();
  void end_idle();

  flow::Runtime& runtime_;
  Ref<flow::PipelinePlan> plan_;
  const ServerOptions options_;
  std::unique_ptr<net::Listener> listener_;
  boost::intrusive::list<Session> sessions_;
  ListenerCounts& counts_;
  size_t sessions_count_ = 0;
  bool is_at_limit_ = false;
  ServerStats stats_;
  // When the next line about each may be written.
  Instant next_pause_log_{};
  Instant next_limit_log_{};
  Instant next_refusal_log_{};
  loop::MemberTimer<Server, &Server::look_for_room> room_timer_{*this};
};

}  // namespace perilune::edge
