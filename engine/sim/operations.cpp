#include "sim/operations.hpp"

#include "sim/listener.hpp"
#include "sim/stream.hpp"

namespace perilune::sim {

namespace {

// As Linux does it: requests at 0, 1, 3, 7… s, until the caller gives up.
constexpr Duration longest_try = 64s;

Error drawn_failure(const std::string& name) {
  return {ErrorCode::ResolveFailure, Side::Upstream, name + ": Timeout while contacting DNS servers"};
}

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

SimLookup::SimLookup(SimWorld& world, SimDriver& driver)
    : SimTarget(driver), world_(world), id_(world.next_id_++) {
  ++world_.pending_operations_;
  world_.operations_[id_] = this;
}

SimLookup::~SimLookup() {
  if (world_.operations_.erase(id_) > 0) --world_.pending_operations_;
}

bool SimLookup::is_to_fail(const std::string& name) {
  return world_.dns_.is_known(name) && world_.draw(world_.faults().resolve_failure);
}

void SimLookup::answer_later(const std::string& name) {
  if (!world_.dns_.is_answered(name)) return;
  const auto most = static_cast<uint64_t>(world_.faults().resolve_time_max.count());
  world_.schedule(world_.now() + Duration(world_.below(most + 1)), [&world = world_, id = id_] {
    const auto operation = world.operations_.find(id);
    if (operation != world.operations_.end()) operation->second->make_ready(Other);
  });
}

void SimLookup::finish(size_t answers) {
  world_.operations_.erase(id_);
  --world_.pending_operations_;
  world_.note(2, id_, answers);
}

SimResolve::SimResolve(SimWorld& world, SimDriver& driver, const net::Address& name,
                       net::ResolveHandler& handler)
    : SimLookup(world, driver), handler_(handler) {
  result_ = world.dns().addresses_of(name);
  if (!name.needs_resolving()) {
    make_ready(Other);
    return;
  }
  if (is_to_fail(name.host)) result_ = drawn_failure(name.host);
  answer_later(name.host);
}

void SimResolve::on_ready(uint8_t) {
  finish(result_ ? result_->addresses.size() : 0);
  handler_.on_resolved(std::move(result_));
}

SimServiceLookup::SimServiceLookup(SimWorld& world, SimDriver& driver, const std::string& name,
                                   net::ServiceHandler& handler)
    : SimLookup(world, driver), handler_(handler) {
  result_ = world.dns().service_of(name);
  if (is_to_fail(name)) result_ = drawn_failure(name);
  answer_later(name);
}

void SimServiceLookup::on_ready(uint8_t) {
  finish(result_ ? result_->endpoints.size() : 0);
  handler_.on_service(std::move(result_));
}

}  // namespace perilune::sim
