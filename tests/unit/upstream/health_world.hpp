#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "key_dial.hpp"
#include "sim/network.hpp"
#include "sim/peer.hpp"
#include "upstream/health_checker.hpp"

namespace perilune::upstream {

using Answer = std::function<void(sim::SimPeer&)>;

/// The endpoint of tests that have one.
inline const std::string health_target = "10.0.0.1:80";

inline net::Address address_of(const std::string& text) { return net::Address::parse(text).value(); }

inline std::string answer_of(int status, const std::string& body = "fine") {
  return "HTTP/1.1 " + std::to_string(status) + " Word\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}
inline Answer answers(int status) {
  return [status](sim::SimPeer& peer) { peer.send(answer_of(status)); };
}
inline Answer sends(const std::string& bytes) {
  return [bytes](sim::SimPeer& peer) { peer.send(bytes); };
}
inline Answer closes_after(const std::string& bytes) {
  return [bytes](sim::SimPeer& peer) {
    peer.send(bytes);
    peer.close_when_sent();
  };
}
inline void says_nothing(sim::SimPeer&) {}

/// A cluster "api", its checker, and the servers that are checked.
class HealthWorld {
 public:
  explicit HealthWorld(uint64_t seed = 1, const sim::SimFaults& faults = {})
      : world(seed, faults), engine(world), outside(world, sim::SimProcess::Outside) {
    options.kind = HealthOptions::Kind::Http;
    plan->add(std::make_unique<KeyDialPlan>(engine.network));
    log::set_level(log::Level::Info);
    log::capture([this](std::string_view line) { lines.emplace_back(line); });
  }
  HealthWorld(const HealthWorld&) = delete;
  HealthWorld& operator=(const HealthWorld&) = delete;
  ~HealthWorld() {
    EXPECT_EQ(end(), "");
    log::capture(nullptr);
  }

  /// Ends everything, and says what is left.
  std::string end() {
    checker.reset();
    engine.loop.settle();
    std::string left;
    const auto add = [&](const char* what, size_t count) {
      if (count > 0) left += std::to_string(count) + " " + what + "; ";
    };
    add("pipelines", plan->alive());
    add("timers", engine.loop.timers().armed());
    arena.release_memory();
    add("chunks", chunks.alive());
    for (const auto& server : servers)
      for (const auto& peer : server->peers()) peer->close();
    servers.clear();
    world.run_for(1s);
    add("streams", world.alive_streams());
    add("operations", world.pending_operations());
    return left;
  }

  /// A server that does `answer` with each whole request.
  void serve(const std::string& address, Answer answer) {
    servers.push_back(std::make_unique<sim::SimServer>(outside, address_of(address)));
    servers.back()->on_peer = [this, address, answer](sim::SimPeer& peer) {
      arrivals[address].push_back(world.now());
      peer.on_news = [this, address, answer](sim::SimPeer& end) {
        if (end.received().ends_with("\r\n\r\n") && !end.has_ended()) {
          requests[address].push_back(end.take_received());
          answer(end);
        }
        if (end.is_open() && end.is_over()) end.close();
      };
    };
  }
  void set_members(const std::vector<std::string>& addresses) {
    std::vector<EndpointSpec> specs;
    for (const std::string& address : addresses) specs.push_back({address_of(address)});
    record->set_members(specs, engine.loop.now());
    if (checker) checker->follow();
  }
  void start(const std::vector<std::string>& addresses = {health_target}) {
    set_members(addresses);
    restart();
  }
  /// As a reload does.
  void restart() {
    checker.reset();
    checker = std::make_unique<HealthChecker>(HealthChecker::Parts{runtime, engine.network, *plan}, record,
                                              options);
    checker->follow();
  }
  algo::Health health(const std::string& address = health_target) const {
    for (const EndpointRef& member : record->members())
      if (member->address == address_of(address)) return member->health.load();
    ADD_FAILURE() << address << " is no member";
    return algo::Health::Unknown;
  }
  /// Until it has been decided.
  void pass_first_check() {
    world.run_until([&] { return health() != algo::Health::Unknown; }, world.now() + 20s);
  }
  std::vector<double> intervals(const std::string& address = health_target) {
    std::vector<double> result;
    const std::vector<Instant>& times = arrivals[address];
    for (size_t i = 1; i < times.size(); ++i) result.push_back(to_seconds(times[i] - times[i - 1]));
    return result;
  }

  sim::SimWorld world;
  sim::SimWorker engine;
  sim::SimWorker outside;
  buffer::ChunkPool chunks;
  buffer::ReadArena arena{chunks};
  flow::Runtime runtime{engine.loop, chunks, arena};
  Ref<flow::PipelinePlan> plan = make_ref<flow::PipelinePlan>(runtime, "connections", Place{"test", 1});
  std::shared_ptr<ClusterRecord> record = std::make_shared<ClusterRecord>("api", 1);
  HealthOptions options;
  std::vector<std::unique_ptr<sim::SimServer>> servers;
  std::map<std::string, std::vector<Instant>> arrivals;
  std::map<std::string, std::vector<std::string>> requests;
  std::vector<std::string> lines;
  std::unique_ptr<HealthChecker> checker;
};

}  // namespace perilune::upstream
