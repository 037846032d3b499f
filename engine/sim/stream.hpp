#pragma once

#include "sim/connection.hpp"
#include "sim/driver.hpp"

namespace perilune::sim {

class SimNetwork;

/// One side of a simulated connection.
class SimStream final : public net::Stream, public SimTarget {
 public:
  SimStream(SimNetwork& network, SimConnection& connection, SimConnection::Side side);
  ~SimStream() override;

  void set_handler(net::StreamHandler* handler) override { handler_ = handler; }
  net::Transfer read(std::span<const iovec> room) override { return connection_.read(side_, room); }
  net::Transfer write(std::span<const iovec> data) override { return connection_.write(side_, data); }
  void shutdown_write() override { connection_.shutdown_write(side_); }
  void reset_on_close() override { close_ = SimConnection::Close::Reset; }
  bool was_reset() const override { return connection_.was_reset(side_); }
  bool is_quiet() const override { return connection_.is_quiet(side_); }
  net::Address local() const override { return connection_.address_of(side_); }
  net::Address peer() const override {
    return connection_.address_of(side_ == SimConnection::Client ? SimConnection::Server
                                                                 : SimConnection::Client);
  }

 private:
  void on_ready(uint8_t what) override;

  SimNetwork& network_;
  SimConnection& connection_;
  const SimConnection::Side side_;
  SimConnection::Close close_ = SimConnection::Close::Plain;
  net::StreamHandler* handler_ = nullptr;
};

}  // namespace perilune::sim
