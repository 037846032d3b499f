#pragma once

#include "loop/loop.hpp"
#include "net/asio_driver.hpp"
#include "net/listen_sockets.hpp"
#include "net/network.hpp"
#include "net/resolver.hpp"

namespace perilune::net {

/// The kernel's network for one worker. `loop` runs on `driver`; `sockets` is shared by all workers. All
/// three outlive the network, and the network outlives its streams, listeners and operations.
class AsioNetwork final : public Network {
 public:
  AsioNetwork(AsioDriver& driver, loop::Loop& loop, ListenSockets& sockets, ResolverOptions resolver = {})
      : driver_(driver), loop_(loop), sockets_(sockets), resolver_(driver, loop, std::move(resolver)) {}

  Result<std::unique_ptr<Listener>> listen(const Address& address, const ListenOptions& options,
                                           ListenHandler& handler) override;
  std::unique_ptr<Operation> connect(const Address& address, const ConnectOptions& options,
                                     ConnectHandler& handler) override;
  std::unique_ptr<Operation> resolve(const Address& name, ResolveHandler& handler) override;
  std::unique_ptr<Operation> resolve_service(const std::string& name, ServiceHandler& handler) override;
  bool is_crowded() const override { return driver_.is_crowded(); }

 private:
  AsioDriver& driver_;
  loop::Loop& loop_;
  ListenSockets& sockets_;
  Resolver resolver_;
};

}  // namespace perilune::net
