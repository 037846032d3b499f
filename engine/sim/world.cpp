#include "sim/world.hpp"

#include <algorithm>

#include "base/expect.hpp"
#include "sim/connection.hpp"
#include "sim/listener.hpp"
#include "sim/network.hpp"

namespace perilune::sim {

namespace {

// Every world begins at the same moment, some hours after its machine started.
constexpr Instant first_moment{10'000s};
constexpr double first_wall_seconds = 1'750'000'000;

// Events and turns in a moment; more means that something asks for the next turn for ever.
constexpr int steps_per_moment_max = 2'000'000;

constexpr uint16_t first_ephemeral_port = 49152;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

}  // namespace

SimWorld::SimWorld(uint64_t seed, SimFaults faults)
    : seed_(seed), faults_(faults), random_(seed), now_(first_moment) {}

SimWorld::~SimWorld() { PERILUNE_EXPECT(workers_.empty(), "a world outlives its workers"); }

double SimWorld::wall_seconds() const { return first_wall_seconds + to_seconds(now_ - first_moment); }

void SimWorld::set_behaviour(const net::Address& address, const SimBehaviour& behaviour) {
  behaviours_[address.to_string()] = behaviour;
}

void SimWorld::clear_behaviour(const net::Address& address) { behaviours_.erase(address.to_string()); }

void SimWorld::partition(const net::Address& address) { partitions_.insert(address.to_string()); }

void SimWorld::heal(const net::Address& address) {
  partitions_.erase(address.to_string());
  for (auto& held : std::exchange(held_, {})) schedule(now_, std::move(held));
}

void SimWorld::schedule(Instant when, std::function<void()> event) {
  events_.emplace(EventKey{std::max(when, now_), random_.next(), next_id_++}, std::move(event));
}

void SimWorld::at(Instant when, std::function<void()> action) {
  schedule(when, [this, action = std::move(action)] {
    action();
    expect_turns();
  });
}

void SimWorld::run_event() {
  const auto first = events_.begin();
  now_ = std::max(now_, std::get<0>(first->first));
  const auto event = std::move(first->second);
  events_.erase(first);
  event();
}

void SimWorld::expect_turns() {
  for (SimWorker* worker : workers_) worker->driver.turns_due_ = 2;
}

bool SimWorld::is_runnable(SimWorker& worker) const {
  if (worker.loop.is_stopped()) return false;
  return worker.driver.turns_due_ > 0 || worker.driver.has_news() ||
         worker.loop.timers().next_deadline() <= now_;
}

SimWorker* SimWorld::pick_runnable() {
  const auto runnable =
      std::ranges::count_if(workers_, [&](SimWorker* worker) { return is_runnable(*worker); });
  if (runnable == 0) return nullptr;
  uint64_t skip = below(static_cast<uint64_t>(runnable));
  for (SimWorker* worker : workers_) {
    if (is_runnable(*worker) && skip-- == 0) return worker;
  }
  return nullptr;
}

Instant SimWorld::next_moment() const {
  Instant next = next_event();
  for (SimWorker* worker : workers_) {
    if (!worker->loop.is_stopped()) next = std::min(next, worker->loop.timers().next_deadline());
  }
  return next;
}

SimWorld::Outcome SimWorld::run(const std::function<bool()>& condition, Instant deadline) {
  int steps = 0;
  for (;;) {
    if (condition()) return Outcome::Met;
    PERILUNE_EXPECT(++steps < steps_per_moment_max, "simulated time goes on");
    SimWorker* worker = pick_runnable();
    const bool is_event_due = next_event() <= now_;
    if (is_event_due && (!worker || below(2) == 0)) {
      run_event();
    } else if (worker) {
      note(0, static_cast<uint64_t>(std::ranges::find(workers_, worker) - workers_.begin()), 0);
      worker->loop.run_turn();
    } else {
      const Instant next = next_moment();
      if (next == Instant::max() && deadline == Instant::max()) return Outcome::Quiet;
      if (next > deadline || next == Instant::max()) {
        now_ = std::max(now_, deadline);
        return next == Instant::max() ? Outcome::Quiet : Outcome::TimeOut;
      }
      now_ = next;
      steps = 0;
    }
  }
}

SimWorld::Outcome SimWorld::run_until(const std::function<bool()>& condition, Instant deadline) {
  PERILUNE_EXPECT(!is_running_, "a world is run by one caller");
  is_running_ = true;
  expect_turns();
  const Outcome outcome = run(condition, deadline);
  is_running_ = false;
  return outcome;
}

SimWorld::Outcome SimWorld::run_until_quiet(Instant deadline) {
  return run_until([] { return false; }, deadline);
}

void SimWorld::run_for(Duration time) {
  const Instant until = now_ + time;
  run_until([] { return false; }, until);
  now_ = until;
}

void SimWorld::advance_until(const std::function<bool()>& condition, Instant deadline) {
  while (!condition()) {
    const Instant next = next_event();
    if (next > now_ && deadline <= now_) return;
    if (next > deadline) {
      now_ = deadline;
      return;
    }
    PERILUNE_EXPECT(next != Instant::max(), "a simulated wait ends");
    run_event();
  }
}

void SimWorld::note(uint64_t what, uint64_t who, uint64_t how_much) {
  const auto moment = static_cast<uint64_t>(now_.time_since_epoch().count());
  trace_hash_ = mix(mix(mix(mix(trace_hash_, moment), what), who), how_much);
}

const SimBehaviour* SimWorld::behaviour_of(const net::Address& address) const {
  const auto found = behaviours_.find(address.to_string());
  return found == behaviours_.end() ? nullptr : &found->second;
}

bool SimWorld::is_partitioned(const net::Address& address) const {
  return !partitions_.empty() && partitions_.contains(address.to_string());
}

SimConnection* SimWorld::connection(uint64_t id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

SimListener* SimWorld::listener_for(const net::Address& address) {
  const bool is_exact =
      std::ranges::any_of(listeners_, [&](SimListener* listener) { return listener->local() == address; });
  std::vector<SimListener*> takers;
  for (SimListener* listener : listeners_) {
    if (is_exact ? listener->local() == address : listener->takes(address)) takers.push_back(listener);
  }
  return takers.empty() ? nullptr : takers[below(takers.size())];
}

net::Address SimWorld::ephemeral_address(const net::Address& target) {
  if (target.kind == net::Address::Kind::Unix) return {net::Address::Kind::Unix, {}, 0};
  const uint16_t port = next_port_++;
  if (next_port_ < first_ephemeral_port) next_port_ = first_ephemeral_port;
  if (target.kind == net::Address::Kind::Ip6) return {net::Address::Kind::Ip6, "::1", port};
  return {net::Address::Kind::Ip4, "127.0.0.1", port};
}

}  // namespace perilune::sim
