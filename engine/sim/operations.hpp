#pragma once

#include "sim/network.hpp"

namespace perilune::sim {

/// A connection attempt: the request travels to the server, the answer back.
class SimConnect final : public net::Operation, public SimTarget {
 public:
  SimConnect(SimNetwork& network, const net::Address& address, const net::ConnectOptions& options,
             net::ConnectHandler& handler);
  ~SimConnect() override;

 private:
  void begin();
  void schedule(Duration delay, void (SimConnect::*step)());
  void knock();
  void end_later() { make_ready(Other); }
  void on_ready(uint8_t what) override;
  Error refusal(ErrorCode code, const char* why) const;

  SimNetwork& network_;
  SimWorld& world_;
  const net::Address address_;
  net::Address local_;
  net::ConnectHandler& handler_;
  const uint64_t id_;
  Duration latency_;
  Duration next_try_ = 1s;
  uint64_t connection_ = 0;  // made at the server, and not handed out here yet
  Error error_;
};

/// A question to the world's DNS: answered after a time that the seed decides, never, or with a failure that
/// the faults ask for.
class SimLookup : public net::Operation, public SimTarget {
 public:
  ~SimLookup() override;

 protected:
  SimLookup(SimWorld& world, SimDriver& driver);
  /// Answers later, or never: `name` is what is asked about.
  void answer_later(const std::string& name);
  /// Draws from the faults.
  bool is_to_fail(const std::string& name);
  /// Called once; what follows may destroy this.
  void finish(size_t answers);

  SimWorld& world_;

 private:
  const uint64_t id_;
};

/// Network::resolve.
class SimResolve final : public SimLookup {
 public:
  SimResolve(SimWorld& world, SimDriver& driver, const net::Address& name, net::ResolveHandler& handler);

 private:
  void on_ready(uint8_t what) override;

  net::ResolveHandler& handler_;
  Result<net::Resolution> result_{Error{}};
};

/// Network::resolve_service.
class SimServiceLookup final : public SimLookup {
 public:
  SimServiceLookup(SimWorld& world, SimDriver& driver, const std::string& name, net::ServiceHandler& handler);

 private:
  void on_ready(uint8_t what) override;

  net::ServiceHandler& handler_;
  Result<net::ServiceResolution> result_{Error{}};
};

}  // namespace perilune::sim
