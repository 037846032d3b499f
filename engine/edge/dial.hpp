#pragma once

#include <memory>
#include <vector>

#include "flow/pipeline.hpp"
#include "net/network.hpp"

namespace perilune::edge {

/// Told once how a dial ended, from the loop.
class DialHandler {
 public:
  /// Errors (Side::Upstream): ResolveFailure, ConnectFailure, ConnectTimeout, Resources.
  virtual void on_dialled(Result<std::unique_ptr<net::Stream>> stream) = 0;

 protected:
  ~DialHandler() = default;
};

struct DialOptions {
  /// For everything together: resolving, and every address that is tried.
  Duration timeout = limits::connect_timeout;
  net::Address bind = {};
};

/// Resolves a name and connects to its addresses in their order until one accepts. Destroying it calls it
/// off.
class Dial final : public net::ConnectHandler, public net::ResolveHandler {
 public:
  Dial(flow::Runtime& runtime, net::Network& network, DialHandler& handler);
  ~Dial();
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  void start(const net::Address& target, const DialOptions& options);

 private:
  void on_resolved(Result<net::Resolution> resolution) override;
  void on_connected(Result<std::unique_ptr<net::Stream>> stream) override;
  void on_timer();
  void try_next();
  void finish(Result<std::unique_ptr<net::Stream>> result);

  flow::Runtime& runtime_;
  net::Network& network_;
  DialHandler& handler_;
  net::Address target_;
  net::Address bind_;
  std::vector<net::Address> addresses_;
  size_t next_address_ = 0;
  std::unique_ptr<net::Operation> operation_;
  loop::MemberTimer<Dial, &Dial::on_timer> timer_{*this};
};

}  // namespace perilune::edge
