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

/// A lookup in the world's table of names.
class SimResolve final : public net::Operation, public SimTarget {
 public:
  SimResolve(SimWorld& world, SimDriver& driver, const net::Address& name, net::ResolveHandler& handler);
  ~SimResolve() override;

 private:
  void look_up();
  void on_ready(uint8_t what) override;

  SimWorld& world_;
  const net::Address name_;
  net::ResolveHandler& handler_;
  const uint64_t id_;
  Result<std::vector<net::Address>> result_{Error{}};
};

}  // namespace perilune::sim
