#pragma once

#include <deque>

#include "loop/loop.hpp"
#include "net/network.hpp"
#include "sim/driver.hpp"
#include "sim/world.hpp"

namespace perilune::sim {

/// Who shares listening sockets: workers of one process listen together, other processes find the address in
/// use. Port 0 is one port for the workers of a process, as in net::ListenSockets.
enum class SimProcess : uint32_t { Engine = 0, Outside = 1 };

/// The network of a world as one worker sees it.
class SimNetwork final : public net::Network {
 public:
  SimNetwork(SimWorld& world, SimDriver& driver, loop::Loop& loop, SimProcess process)
      : world_(world), driver_(driver), loop_(loop), process_(process) {}

  Result<std::unique_ptr<net::Listener>> listen(const net::Address& address,
                                                const net::ListenOptions& options,
                                                net::ListenHandler& handler) override;
  std::unique_ptr<net::Operation> connect(const net::Address& address, const net::ConnectOptions& options,
                                          net::ConnectHandler& handler) override;
  std::unique_ptr<net::Operation> resolve(const net::Address& name, net::ResolveHandler& handler) override;
  std::unique_ptr<net::Operation> resolve_service(const std::string& name,
                                                  net::ServiceHandler& handler) override;
  bool is_crowded() const override { return descriptors_ > descriptors_max_ / 2; }

  /// Connections that this worker may have; beyond it accepting rests and connecting fails with Resources.
  void set_descriptors_max(size_t count) { descriptors_max_ = count; }

 private:
  friend class SimConnect;
  friend class SimListener;
  friend class SimStream;
  bool has_descriptors() const { return descriptors_ < descriptors_max_; }

  SimWorld& world_;
  SimDriver& driver_;
  loop::Loop& loop_;
  const SimProcess process_;
  size_t descriptors_ = 0;
  size_t descriptors_max_ = SIZE_MAX;
};

/// A worker in a world: what a thread is in the real one. Registered with the world, which runs its loop.
class SimWorker {
 public:
  explicit SimWorker(SimWorld& world, SimProcess process = SimProcess::Engine);
  SimWorker(const SimWorker&) = delete;
  SimWorker& operator=(const SimWorker&) = delete;
  ~SimWorker();

 private:
  SimWorld& world_;

 public:
  SimDriver driver;
  loop::Loop loop;
  SimNetwork network;
};

}  // namespace perilune::sim
