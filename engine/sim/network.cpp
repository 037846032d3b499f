#include "sim/network.hpp"

#include <algorithm>

#include "sim/listener.hpp"
#include "sim/operations.hpp"
#include "sim/stream.hpp"

namespace perilune::sim {

SimStream::SimStream(SimNetwork& network, SimConnection& connection, SimConnection::Side side)
    : SimTarget(network.driver_), network_(network), connection_(connection), side_(side) {
  ++network_.world_.alive_streams_;
  ++network_.descriptors_;
  connection_.attach(side, *this);
}

SimStream::~SimStream() {
  --network_.world_.alive_streams_;
  --network_.descriptors_;
  connection_.close(side_, close_);
}

void SimStream::on_ready(uint8_t what) {
  SimDriver& driver = driver_;
  if ((what & Readable) && handler_) {
    handler_->on_readable();
    if (!driver.is_current(this)) return;
  }
  if ((what & Writable) && handler_) handler_->on_writable();
}

Result<std::unique_ptr<net::Listener>> SimNetwork::listen(const net::Address& address,
                                                          const net::ListenOptions& options,
                                                          net::ListenHandler& handler) {
  const auto failed = [&](std::string_view why) {
    return Error{ErrorCode::Resources, Side::Engine, address.to_string() + ": " + std::string(why)};
  };
  if (address.needs_resolving()) return failed("listening needs an IP address or a unix socket's path");

  const auto is_mine = [&](const net::Address& bound) {
    return std::ranges::any_of(world_.listeners_, [&](const SimListener* listener) {
      return listener->local() == bound && &listener->network() == this;
    });
  };
  net::Address bound = address;
  const bool is_portless = address.port == 0 && address.kind != net::Address::Kind::Unix;
  for (const SimListener* listener : world_.listeners_) {
    const bool is_shared = listener->process() == process_ && listener->asked() == address;
    if (is_shared && !is_mine(listener->local())) {
      bound = listener->local();
      break;
    }
    if (!is_portless && listener->local() == address) return failed("Address already in use");
  }
  if (bound.port == 0 && is_portless) bound.port = world_.next_port_++;
  return std::unique_ptr<net::Listener>(
      std::make_unique<SimListener>(*this, address, bound, options, handler));
}

std::unique_ptr<net::Operation> SimNetwork::connect(const net::Address& address,
                                                    const net::ConnectOptions& options,
                                                    net::ConnectHandler& handler) {
  return std::make_unique<SimConnect>(*this, address, options, handler);
}

std::unique_ptr<net::Operation> SimNetwork::resolve(const net::Address& name, net::ResolveHandler& handler) {
  return std::make_unique<SimResolve>(world_, driver_, name, handler);
}

std::unique_ptr<net::Operation> SimNetwork::resolve_service(const std::string& name,
                                                            net::ServiceHandler& handler) {
  return std::make_unique<SimServiceLookup>(world_, driver_, name, handler);
}

SimWorker::SimWorker(SimWorld& world, SimProcess process)
    : world_(world), driver(world), loop(driver), network(world, driver, loop, process) {
  world_.workers_.push_back(this);
}

SimWorker::~SimWorker() { std::erase(world_.workers_, this); }

}  // namespace perilune::sim
