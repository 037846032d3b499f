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
  /// How often accepting paused at connections_max, with a newcomer waiting.
  uint64_t pauses = 0;
  /// That a version of the scripts took over from the one before.
  uint64_t inherited = 0;
  /// Idle ones that were ended to make room.
  uint64_t idle_ended = 0;
};

/// What became of the sessions of a server whose version was replaced.
struct Departures {
  size_t moving = 0;   // at once, or after what is under way
  size_t staying = 0;  // cannot: relays, tunnels, clients of addresses that nobody listens on any more
};

/// One listening address of one worker and the sessions it accepted.
class Server final : public net::ListenHandler, public SessionHandler, private Newcomers::Host {
 public:
  /// `counts` are those of the listener in all workers, and outlive this.
  Server(flow::Runtime& runtime, flow::PipelinePlan& plan, const net::Address& address,
         const ServerOptions& options, ListenerCounts& counts);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Listens, and accepts nothing before open(): clients wait in the kernel's queue. Errors (Side::Engine):
  /// Resources, with the system's words.
  Result<void> listen(net::Network& network);
  void open();
  /// As it was asked for.
  const net::Address& address() const { return address_; }
  /// Takes the listening socket of `before`, which had the same address in the version that this one
  /// replaces.
  void inherit(Server& before);
  /// The version that this server belongs to was replaced. Sessions move to `heir` between two requests of
  /// theirs, some of them a turn; the others, and all where there is no heir, close with their next answer,
  /// or when they end.
  Departures retire(Server* heir);
  /// The process ends: sessions that only wait are closed, the others with the answer that is under way.
  void wind_down();
  /// With the real port; as asked for once it has stopped accepting.
  net::Address local() const { return listener_ ? listener_->local() : address_; }
  /// Takes no more connections; those that are open go on.
  void stop_accepting();
  /// Cuts every session.
  void cut_all(const Error& error);
  size_t sessions() const { return sessions_count_; }
  const ServerStats& stats() const { return stats_; }

 private:
  bool may_accept() override;
  void on_accept(std::unique_ptr<net::Stream> stream) override;
  void on_accept_paused(const Error& error) override;
  void on_session_over(Session& session) override;
  void on_session_at_rest(Session& session) override;
  void move_some();
  void move(Session& session);
  void take_over(Session& session);
  void let_go(Session& session);
  /// The client to count a connection for; none where it is not counted.
  std::optional<uint64_t> counted_client(const std::string& ip) const;
  void refuse(const std::string& ip);
  void pause_at_limit();
  /// While it is paused: other workers make room too, without a word.
  void look_for_room();
  /// Ends idle sessions of this worker until as many give way as newcomers wait, and asks the other workers.
  void seek_room();
  void make_room();
  void on_newcomers() override;
  void accept_again();
  /// It has had a place while newcomers waited at other workers: the next is theirs, if they come for it.
  bool yields() const;
  size_t waiting_elsewhere() const;
  void count_waiting(size_t waiting);

  flow::Runtime& runtime_;
  Ref<flow::PipelinePlan> plan_;
  const ServerOptions options_;
  const net::Address address_;
  std::unique_ptr<net::Listener> listener_;
  using Sessions = boost::intrusive::list<Session>;
  Sessions sessions_;
  /// The next one to be asked to leave.
  Sessions::iterator next_to_leave_ = sessions_.end();
  Server* heir_ = nullptr;
  bool is_retired_ = false;
  bool is_serving_ = false;
  ListenerCounts& counts_;
  size_t sessions_count_ = 0;
  size_t waiting_ = 0;  // as the newcomers know it
  bool is_at_limit_ = false;
  bool has_had_its_turn_ = false;
  uint64_t ids_ = 0;
  ServerStats stats_;
  // When the next line about each may be written.
  Instant next_pause_log_{};
  Instant next_limit_log_{};
  Instant next_refusal_log_{};
  loop::MemberTimer<Server, &Server::look_for_room> room_timer_{*this};
  loop::MemberTask<Server, &Server::move_some> move_task_{*this};
};

}  // namespace perilune::edge
