#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "edge/dial.hpp"
#include "upstream/client_session.hpp"
#include "upstream/cluster_options.hpp"

namespace perilune::upstream {

/// What one look at an endpoint came to, in words as well: "status 503", "Connection refused".
struct ProbeResult {
  enum class Verdict : uint8_t {
    Passed,
    Failed,
    Unsure,  // this side could not ask
  };
  Verdict verdict;
  std::string reason;
};

class HealthProbeHandler {
 public:
  /// Told at most once, also from within start(); the probe must not be stopped from within.
  virtual void on_probe_done(ProbeResult result) = 0;

 protected:
  ~HealthProbeHandler() = default;
};

/// One look at how an endpoint is. It has no deadline: who looks stops it.
class HealthProbe : public Object {
 public:
  /// Once.
  virtual void start(const net::Address& target) = 0;
  /// Ends what is left of it, in whatever state it is; its handler is told nothing any more. Must be called.
  virtual void stop() = 0;
  /// What it has been waiting for, when time is over: "no answer".
  virtual std::string_view missing() const = 0;
};

/// Connects, and closes.
class TcpProbe final : public HealthProbe, public edge::DialHandler {
 public:
  TcpProbe(flow::Runtime& runtime, net::Network& network, HealthProbeHandler& handler);
  void start(const net::Address& target) override;
  void stop() override { dial_.reset(); }
  std::string_view missing() const override { return "not connected"; }

 private:
  void on_dialled(Result<std::unique_ptr<net::Stream>> stream) override;

  HealthProbeHandler& handler_;
  std::string target_;
  std::unique_ptr<edge::Dial> dial_;
};

/// Asks for a path on a connection made by `connections`. A status that is expected is not believed before
/// its body has come as well, or limits::drain_bytes_max of it.
class HttpProbe final : public HealthProbe, public ClientSessionOwner, public ClientExchange {
 public:
  /// `options` outlive stop().
  HttpProbe(flow::Runtime& runtime, flow::PipelinePlan& connections, const HealthOptions& options,
            HealthProbeHandler& handler);
  void start(const net::Address& target) override;
  void stop() override;
  std::string_view missing() const override;

 private:
  // ClientExchange
  void on_response(flow::Event&& event) override;
  void on_exchange_failed(ExchangeFailure failure) override { fail(failure.error); }
  flow::Valve& request_valve() override { return request_valve_; }
  bool is_response_held() const override { return false; }
  // ClientSessionOwner
  void on_session_available(ClientSession& session) override { session.drain(); }
  void on_session_finished(ClientSession& session) override;
  bool may_move_requests(const ClientSession&) const override { return false; }

  Ref<message::RequestHead> make_request(const net::Address& target) const;
  void fail(const Error& error);
  void finish(ProbeResult::Verdict verdict, std::string reason);

  flow::Runtime& runtime_;
  flow::PipelinePlan& connections_;
  const HealthOptions& options_;
  HealthProbeHandler* handler_;  // null when it was told, or wants to know nothing any more
  std::string target_;
  int status_ = 0;  // 0: none yet
  size_t body_bytes_ = 0;
  flow::Valve request_valve_;
  Ref<ClientSession> session_;
  Ref<flow::Pipeline> pipeline_;  // ends before the session, whose valves it holds
};

}  // namespace perilune::upstream
