#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <string>

#include "edge/session.hpp"
#include "net/network.hpp"

namespace perilune::edge {

struct ServerOptions {
  net::ListenOptions listen;
  SessionOptions session;
  /// Accepting pauses at this many open connections; 0: no limit.
  size_t connections_max = 0;
  /// Newcomers of an address that has this many are closed at once; 0: no limit.
  size_t connections_per_ip_max = 0;
};

/// One listening address of one worker and the sessions it accepted.
class Server final : public net::ListenHandler, public SessionHandler {
 public:
  Server(flow::Runtime& runtime, flow::PipelinePlan& plan, const ServerOptions& options);
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
  uint64_t accepted() const { return accepted_; }

 private:
  void on_accept(std::unique_ptr<net::Stream> stream) override;
  void on_accept_paused(const Error& error) override;
  void on_session_over(Session& session) override;

  flow::Runtime& runtime_;
  Ref<flow::PipelinePlan> plan_;
  const ServerOptions options_;
  std::unique_ptr<net::Listener> listener_;
  boost::intrusive::list<Session> sessions_;
  /// Open connections by address; kept only where a limit asks for it.
  boost::unordered_flat_map<std::string, size_t> connections_by_ip_;
  size_t sessions_count_ = 0;
  bool is_at_limit_ = false;
  uint64_t accepted_ = 0;
  Instant next_pause_log_{};
};

}  // namespace perilune::edge
