#include "sim/operations.hpp"

#include "base/text.hpp"
#include "sim/listener.hpp"
#include "sim/stream.hpp"

namespace perilune::sim {

namespace {

// As Linux does it: requests at 0, 1, 3, 7… s, until the caller gives up.
constexpr Duration longest_try = 64s;

}  // namespace

SimConnect::SimConnect(SimNetwork& network, const net::Address& address, const net::ConnectOptions& options,
                       net::ConnectHandler& handler)
    : SimTarget(network.driver_),
      network_(network),
      world_(network.world_),
      address_(address),
      local_(world_.ephemeral_address(address)),
      handler_(handler),
      id_(world_.next_id_++),
      latency_(world_.faults().latency) {
  ++world_.pending_operations_;
  world_.operations_[id_] = this;
  if (!options.bind.host.empty()) {
    local_.host = options.bind.host;
    if (options.bind.port != 0) local_.port = options.bind.port;
  }
  begin();
}

SimConnect::~SimConnect() {
  if (world_.operations_.erase(id_) == 0) return;  // done
  --world_.pending_operations_;
  if (SimConnection* connection = world_.connection(connection_)) {
    connection->close(SimConnection::Client, SimConnection::Close::Reset);
  }
}

void SimConnect::schedule(Duration delay, void (SimConnect::*step)()) {
  world_.schedule(world_.now() + delay, [&world = world_, id = id_, step] {
    const auto found = world.operations_.find(id);
    if (found != world.operations_.end()) (static_cast<SimConnect*>(found->second)->*step)();
  });
}

Error SimConnect::refusal(ErrorCode code, const char* why) const {
  return {code, Side::Upstream, address_.to_string() + ": " + why};
}

void SimConnect::begin() {
  const SimFaults& faults = world_.faults();
  const SimBehaviour* behaviour = world_.behaviour_of(address_);
  if (behaviour) latency_ = behaviour->latency.value_or(latency_);
  error_ = refusal(ErrorCode::ConnectFailure, "Connection refused");
  if (!network_.has_descriptors()) {
    error_ = refusal(ErrorCode::Resources, "Too many open files");
    return end_later();
  }
  if (address_.needs_resolving()) {
    error_ = refusal(ErrorCode::ConnectFailure, "not an address");
    return end_later();
  }
  using Connect = SimBehaviour::Connect;
  if (behaviour ? behaviour->connect == Connect::BlackHole : world_.draw(faults.black_hole)) return;
  if (behaviour ? behaviour->connect == Connect::Refuse : world_.draw(faults.refuse)) {
    return schedule(2 * latency_, &SimConnect::end_later);
  }
  schedule(latency_, &SimConnect::knock);
}

void SimConnect::knock() {
  if (world_.is_partitioned(address_)) {
    schedule(next_try_, &SimConnect::knock);
    next_try_ = std::min(2 * next_try_, longest_try);
    return;
  }
  const SimBehaviour* behaviour = world_.behaviour_of(address_);
  const bool is_silent =
      behaviour ? behaviour->connect == SimBehaviour::Connect::Silent : world_.draw(world_.faults().silent);
  SimListener* listener = is_silent ? nullptr : world_.listener_for(address_);
  if (listener && !listener->has_room()) {  // a full backlog drops the request
    schedule(next_try_, &SimConnect::knock);
    next_try_ = std::min(2 * next_try_, longest_try);
    return;
  }
  schedule(latency_, &SimConnect::end_later);
  if (!listener && !is_silent) return;

  connection_ = world_.next_id_++;
  auto& connection = world_.connections_[connection_] =
      std::make_unique<SimConnection>(world_, connection_, address_, local_);
  if (is_silent) {
    connection->make_silent();
  } else {
    listener->push(*connection);
  }
}

void SimConnect::on_ready(uint8_t) {
  world_.operations_.erase(id_);
  --world_.pending_operations_;
  const uint64_t id = std::exchange(connection_, 0);
  world_.note(1, id, id_);
  if (id == 0) return handler_.on_connected(std::move(error_));
  auto stream = std::make_unique<SimStream>(network_, *world_.connection(id), SimConnection::Client);
  handler_.on_connected(std::unique_ptr<net::Stream>(std::move(stream)));
}

SimResolve::SimResolve(SimWorld& world, SimDriver& driver, const net::Address& name,
                       net::ResolveHandler& handler)
    : SimTarget(driver), world_(world), name_(name), handler_(handler), id_(world.next_id_++) {
  ++world_.pending_operations_;
  world_.operations_[id_] = this;
  look_up();
}

SimResolve::~SimResolve() {
  if (world_.operations_.erase(id_) > 0) --world_.pending_operations_;
}

void SimResolve::look_up() {
  if (!name_.needs_resolving()) {
    result_ = std::vector<net::Address>{name_};
    return make_ready(Other);
  }
  const auto found = world_.names_.find(to_lower(name_.host));
  if (found == world_.names_.end() || world_.draw(world_.faults().resolve_failure)) {
    result_ = Error{ErrorCode::ResolveFailure, Side::Upstream, name_.host + ": Domain name not found"};
  } else if (found->second.is_silent) {
    return;
  } else {
    std::vector<net::Address> addresses;
    for (const std::string& host : found->second.hosts) {
      const bool is_ip6 = host.find(':') != std::string::npos;
      addresses.push_back({is_ip6 ? net::Address::Kind::Ip6 : net::Address::Kind::Ip4, host, name_.port});
    }
    result_ = std::move(addresses);
  }
  const auto most = static_cast<uint64_t>(world_.faults().resolve_time_max.count());
  world_.schedule(world_.now() + Duration(world_.below(most + 1)), [&world = world_, id = id_] {
    const auto operation = world.operations_.find(id);
    if (operation != world.operations_.end()) operation->second->make_ready(Other);
  });
}

void SimResolve::on_ready(uint8_t) {
  world_.operations_.erase(id_);
  --world_.pending_operations_;
  world_.note(2, id_, result_ ? result_->size() : 0);
  handler_.on_resolved(std::move(result_));
}

}  // namespace perilune::sim
