#include "net/asio_network.hpp"

#include "net/asio_connect.hpp"
#include "net/asio_listener.hpp"
#include "net/service_lookup.hpp"

namespace perilune::net {

Result<std::unique_ptr<Listener>> AsioNetwork::listen(const Address& address, const ListenOptions& options,
                                                      ListenHandler& handler) {
  auto socket = sockets_.lend(address, options, this);
  if (!socket) return socket.error();
  auto listener = AsioListener::make(driver_, loop_, std::move(*socket), handler);
  if (!listener) return listener.error();
  return std::unique_ptr<Listener>(std::move(*listener));
}

std::unique_ptr<Operation> AsioNetwork::connect(const Address& address, const ConnectOptions& options,
                                                ConnectHandler& handler) {
  return std::make_unique<AsioConnect>(driver_, address, options, handler);
}

std::unique_ptr<Operation> AsioNetwork::resolve(const Address& name, ResolveHandler& handler) {
  return resolver_.resolve(name, handler);
}

std::unique_ptr<Operation> AsioNetwork::resolve_service(const std::string& name, ServiceHandler& handler) {
  return std::make_unique<ServiceLookup>(ServiceLookup::Place{driver_, loop_, resolver_}, name, handler);
}

}  // namespace perilune::net
