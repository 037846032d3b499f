#pragma once

#include "net/asio_stream.hpp"

namespace perilune::net {

/// One connection attempt to a resolved address. The stream is there from the start, so that a connection is
/// put into the epoll set once in its life.
class AsioConnect final : public Operation, private EventTarget, private ConnectWatcher {
 public:
  AsioConnect(AsioDriver& driver, const Address& address, const ConnectOptions& options,
              ConnectHandler& handler);

 private:
  void start(const ConnectOptions& options);
  void fail_later(ErrorCode code, std::string detail);
  void on_events(uint32_t events) override;
  void on_connect_ready(uint32_t events) override;

  Address address_;
  ConnectHandler& handler_;
  std::unique_ptr<AsioStream> stream_;
  Error error_;
};

}  // namespace perilune::net
