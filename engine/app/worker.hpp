#pragma once

#include <memory>
#include <string>
#include <vector>

#include "edge/server.hpp"
#include "filter/http_client.hpp"
#include "filter/program.hpp"
#include "script/state.hpp"

namespace perilune::app {

/// What the workers of a process share; it outlives them.
struct WorkerShared {
  /// Takes the access logs; without it none are written.
  LineOutputs* outputs = nullptr;
  /// Null: the worker is alone.
  edge::ConnectionCounts* counts = nullptr;
  std::shared_ptr<upstream::ClusterBoard> clusters = nullptr;
  /// How scripts are loaded, but for the worker's number.
  script::StateOptions script = {};
  /// Sees what passes through the pipelines; null: nobody does.
  flow::Tracer* tracer = nullptr;
};

/// One worker without its thread: a loop, a network, a Lua state for each script file and what the scripts
/// listen on. Shares nothing with other workers. The same class runs on the real network and on the simulated
/// one.
class Worker {
 public:
  Worker(loop::Loop& loop, net::Network& network, int index, const WorkerShared& shared = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Loads the scripts, side by side. Errors: those of script::State::load.
  Result<void> load(const std::vector<std::string>& files);
  /// A script listens, or has tasks for this worker.
  bool has_work() const;
  /// Listens on every address of the scripts, all or none, and opens their access logs. Errors
  /// (Side::Script): ScriptError with the script's file:line and what the system said.
  Result<void> listen();
  /// Starts the scripts' tasks.
  void start();

  /// Gives back what pools keep for reuse and nobody needed since the last call. How many bytes of chunks and Lua blocks
  /// that were.
  size_t give_back_surplus();
  /// An estimate of the bytes of garbage that the scripts have left.
  size_t garbage_bytes() const;
  /// Goes on with the collection of the scripts' garbage for about a millisecond. True when that ended a
  /// cycle of every script since the last time it was true.
  bool collect_garbage();

  /// Takes no more connections.
  void stop_accepting();
  /// Open client connections.
  size_t sessions() const;
  /// Cuts what is open, ends every script, and lets go of everything. To be followed by a few turns of the
  /// loop.
  void stop();

  const filter::Services& services() const { return services_; }
  const std::vector<std::unique_ptr<edge::Server>>& servers() const { return servers_; }
  const std::vector<std::unique_ptr<filter::Program>>& programs() const { return programs_; }
  buffer::ChunkPool& chunks() { return chunks_; }
  const std::vector<std::unique_ptr<script::State>>& states() const { return states_; }

 private:
  Result<void> listen(const filter::ListenPlan& plan);

  loop::Loop& loop_;
  net::Network& network_;
  LineOutputs* const outputs_;
  script::StateOptions script_options_;
  edge::ConnectionCounts own_counts_;
  edge::ConnectionCounts& counts_;
  buffer::ChunkPool chunks_;
  buffer::ReadArena arena_{chunks_};
  flow::Runtime runtime_{loop_, chunks_, arena_};
  filter::Services services_{runtime_, network_};
  std::unique_ptr<filter::HttpClient> http_;
  std::vector<std::unique_ptr<script::State>> states_;
  size_t states_collected_ = 0;
  std::vector<std::unique_ptr<filter::Program>> programs_;
  std::vector<std::unique_ptr<flow::AccessLog>> access_logs_;
  std::vector<std::unique_ptr<edge::Server>> servers_;
};

}  // namespace perilune::app
