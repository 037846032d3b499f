#include "script/test_desk.hpp"

#include "base/limits.hpp"

namespace perilune::script {

Result<net::Address> TestDesk::locate(std::string_view text) {
  auto address = net::Address::parse(text);
  if (!address) return Error{ErrorCode::ScriptError, Side::Script, address.error().detail};
  if (!address->needs_resolving()) return address;
  sim::SimDns& dns = host.world().dns();
  auto known = dns.addresses_of(*address);
  if (known && !known->addresses.empty()) return known->addresses.front();
  // A network that is set apart for tests (RFC 2544).
  const uint32_t number = ++names_;
  const std::string ip = "198.18." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250);
  dns.set(address->host, {ip});
  return net::Address{net::Address::Kind::Ip4, ip, address->port};
}

void TestDesk::take_down(const net::Address& address) {
  const auto found = servers_.find(address.to_string());
  if (found == servers_.end()) return;
  found->second->close();
  closed_.push_back(std::move(found->second));
  servers_.erase(found);
}

Result<void> TestDesk::put_up(const net::Address& address, std::unique_ptr<TestServer> server,
                              const Result<void>& listening) {
  closed_.push_back(std::move(server));
  if (!listening) return listening.error();
  servers_[address.to_string()] = std::move(closed_.back());
  closed_.pop_back();
  served_[address.to_string()] = address;
  return {};
}

Result<void> TestDesk::serve(const net::Address& address, const Place& place, const TestServerHooks& hooks) {
  take_down(address);
  set_fate(address, Fate::Good);
  auto server = std::make_unique<TestHttpServer>(services_, place, hooks);
  const auto listening = server->listen(host.outside().network, address);
  return put_up(address, std::move(server), listening);
}

Result<TestRawServer*> TestDesk::serve_raw(const net::Address& address) {
  take_down(address);
  set_fate(address, Fate::Good);
  auto server = std::make_unique<TestRawServer>(host.outside(), services_.runtime.chunks);
  TestRawServer* const made = server.get();
  const auto listening = made->listen(address);
  if (auto up = put_up(address, std::move(server), listening); !up) return up.error();
  return made;
}

void TestDesk::set_fate(const net::Address& address, Fate fate, uint64_t bytes) {
  sim::SimWorld& world = host.world();
  world.heal(address);
  world.clear_behaviour(address);
  if (fate == Fate::Refuse || fate == Fate::Silent) take_down(address);
  if (fate == Fate::BlackHole) world.partition(address);
  if (fate == Fate::Silent) world.set_behaviour(address, {.connect = sim::SimBehaviour::Connect::Silent});
  if (fate == Fate::Reset) world.set_behaviour(address, {.reset_after_bytes = bytes});
  if (fate == Fate::Cut) world.set_behaviour(address, {.cut_after_bytes = bytes});
}

void TestDesk::begin_chaos() {
  sim::SimWorld& world = host.world();
  sim::SimFaults faults = sim::SimFaults::of_seed(world.seed());
  // A client whose connection nobody serves waits for ever, which says nothing about the script: that is for
  // upstreams only, below.
  faults.silent = 0;
  world.set_faults(faults);
  for (const auto& [name, address] : served_) {
    const auto later = [&](uint64_t most) { return std::chrono::milliseconds(world.below(most)); };
    if (world.draw(0.1)) world.set_behaviour(address, {.connect = sim::SimBehaviour::Connect::Silent});
    if (world.draw(0.2)) {
      const Duration begin = later(5000);
      world.after(begin, [&world, there = address] { world.partition(there); });
      world.after(begin + later(30'000), [&world, there = address] { world.heal(there); });
    }
  }
}

void TestDesk::end_chaos() {
  sim::SimWorld& world = host.world();
  sim::SimFaults good;
  good.latency = 0ns;
  world.set_faults(good);
  for (const auto& [name, address] : served_) {
    world.heal(address);
    world.clear_behaviour(address);
  }
}

void TestDesk::stop() {
  for (auto& [address, server] : servers_) {
    server->close();
    closed_.push_back(std::move(server));
  }
  servers_.clear();
}

}  // namespace perilune::script
