#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "net/address.hpp"
#include "net/random.hpp"
#include "sim/dns.hpp"
#include "sim/driver.hpp"
#include "sim/faults.hpp"

namespace perilune::sim {

class SimConnection;
class SimConnect;
class SimListener;
class SimWorker;

/// A network, its clock and its dice, in memory and in one thread: the same seed and the same code give
/// exactly the same run. Time stands still while anybody has something to do, and jumps to the next event
/// when nobody has. Outlives its workers.
class SimWorld {
 public:
  explicit SimWorld(uint64_t seed, SimFaults faults = {});
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;
  ~SimWorld();

  Instant now() const { return now_; }
  double wall_seconds() const;
  uint64_t seed() const { return seed_; }
  const SimFaults& faults() const { return faults_; }
  /// Holds for what happens from now on.
  void set_faults(const SimFaults& faults) { faults_ = faults; }
  void set_behaviour(const net::Address& address, const SimBehaviour& behaviour);
  void clear_behaviour(const net::Address& address);
  /// What names resolve to, from now on.
  SimDns& dns() { return dns_; }
  /// Nothing gets to or from the server at `address` any more; nothing is lost, and all goes on at heal().
  void partition(const net::Address& address);
  void heal(const net::Address& address);

  /// Calls `action` at a moment, outside every loop.
  void at(Instant when, std::function<void()> action);
  void after(Duration delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }

  enum class Outcome {
    Met,      // the condition holds
    Quiet,    // nothing is left that could ever happen
    TimeOut,  // the deadline has come
  };
  /// Runs workers, in an order drawn from the seed, and events until `condition` holds. The deadline is
  /// virtual.
  Outcome run_until(const std::function<bool()>& condition, Instant deadline = Instant::max());
  Outcome run_until_quiet(Instant deadline = Instant::max());
  /// Runs for exactly this long.
  void run_for(Duration time);

  /// What is still open, in all workers: zero after a test that ended clean.
  size_t alive_streams() const { return alive_streams_; }
  size_t alive_listeners() const { return listeners_.size(); }
  size_t pending_operations() const { return pending_operations_; }
  /// A fingerprint of all that has happened.
  uint64_t trace_hash() const { return trace_hash_; }

  /// Random bits of the seed.
  uint64_t random() { return random_.next(); }
  bool draw(double chance) { return chance > 0 && random_.chance(chance); }
  uint64_t below(uint64_t count) { return random_.below(count); }

 private:
  friend class SimConnect;
  friend class SimConnection;
  friend class SimDriver;
  friend class SimListener;
  friend class SimNetwork;
  friend class SimLookup;
  friend class SimStream;
  friend class SimWorker;
  // Time, a draw that decides between equal times, and the order of asking.
  using EventKey = std::tuple<Instant, uint64_t, uint64_t>;
  using EventQueue = std::map<EventKey, std::function<void()>>;

  bool is_running() const { return is_running_; }
  /// For a driver that is not run by this world.
  void advance_until(const std::function<bool()>& condition, Instant deadline);
  Outcome run(const std::function<bool()>& condition, Instant deadline);
  bool is_runnable(SimWorker& worker) const;
  SimWorker* pick_runnable();
  /// When something happens next; Instant::max() for never.
  Instant next_moment() const;
  Instant next_event() const {
    return events_.empty() ? Instant::max() : std::get<0>(events_.begin()->first);
  }
  void schedule(Instant when, std::function<void()> event);
  void run_event();
  void expect_turns();
  void note(uint64_t what, uint64_t who, uint64_t how_much);

  const SimBehaviour* behaviour_of(const net::Address& address) const;
  bool is_partitioned(const net::Address& address) const;
  SimConnection* connection(uint64_t id);
  SimListener* listener_for(const net::Address& address);
  net::Address ephemeral_address(const net::Address& target);

  const uint64_t seed_;
  SimFaults faults_;
  net::Random random_;
  Instant now_;
  EventQueue events_;
  uint64_t next_id_ = 1;
  uint64_t trace_hash_ = 0;
  bool is_running_ = false;
  std::vector<SimWorker*> workers_;
  std::vector<SimListener*> listeners_;
  std::map<uint64_t, std::unique_ptr<SimConnection>> connections_;
  std::map<uint64_t, SimTarget*> operations_;
  std::map<std::string, SimBehaviour> behaviours_;
  SimDns dns_;
  std::unordered_set<std::string> partitions_;
  std::vector<std::function<void()>> held_;  // what waits for a partition to heal
  size_t alive_streams_ = 0;
  size_t pending_operations_ = 0;
  uint16_t next_port_ = 49152;
};

}  // namespace perilune::sim
