#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/version.hpp"

namespace perilune::app {

/// What the workers of a process share; it outlives them.
struct WorkerShared {
  /// Takes the access logs; without it none are written.
  LineOutputs* outputs = nullptr;
  /// Null: the worker is alone.
  edge::ConnectionCounts* counts = nullptr;
  std::shared_ptr<upstream::ClusterBoard> clusters = nullptr;
  /// Null: its own.
  std::shared_ptr<algo::SharedDictionaries> dictionaries = nullptr;
  /// How long sessions that cannot move may keep a version that was replaced.
  Duration old_version_timeout = limits::old_version_timeout;
  /// How scripts are loaded, but for the worker's number.
  script::StateOptions script = {};
  /// Sees what passes through the pipelines; null: nobody does.
  flow::Tracer* tracer = nullptr;
  /// As net::ListenOptions.
  unsigned unix_mode = 0;
};

/// One worker without its thread: a loop, a network, and the versions of the scripts that it runs. Shares
/// nothing with other workers. The same class runs on the real network and on the simulated one.
///
/// load, listen, start: the scripts run. The same three calls again: a new version of them takes over, and
/// nothing is lost. Where load or listen fail, or discard is called instead of start, nothing has happened.
class Worker {
 public:
  Worker(loop::Loop& loop, net::Network& network, int index, const WorkerShared& shared = {});
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Loads the scripts, side by side. `files`: see Version; `limit`: see StateOptions. Errors: those of
  /// script::State::load.
  Result<void> load(const std::vector<std::string>& paths,
                    std::shared_ptr<script::ScriptFiles> files = nullptr,
                    std::shared_ptr<script::LoadLimit> limit = nullptr);
  /// A script listens, or has tasks for this worker.
  bool has_work() const { return newest() && newest()->has_work(); }
  /// Listens on every new address of the scripts, all or none, and opens their access logs. Errors
  /// (Side::Script): ScriptError with the script's file:line and what the system said.
  Result<void> listen();
  /// What was loaded begins to serve; until then nothing that outlives the scripts has changed. What becomes
  /// of the sessions of the version before.
  edge::Departures start();
  /// Drops what was loaded and not started.
  void discard() { loaded_.reset(); }

  /// Gives back what pools keep for reuse and nobody needed since the last call. How many bytes of chunks and
  /// Lua blocks that were.
  size_t give_back_surplus();
  /// An estimate of the bytes of garbage that the scripts have left.
  size_t garbage_bytes() const { return current_ ? current_->garbage_bytes() : 0; }
  /// Goes on with the collection of the scripts' garbage for about a millisecond. True when that ended a
  /// cycle of every script since the last time it was true.
  bool collect_garbage() { return !current_ || current_->collect_garbage(); }

  /// Takes no more connections.
  void stop_accepting();
  /// Has clients go, the sooner the less they have to do. To be called now and then until sessions() is 0.
  void wind_down();
  /// Open client connections.
  size_t sessions() const;
  /// The version that new connections get; null before start.
  const Version* serving() const { return current_.get(); }
  /// Of the Lua states of all versions.
  size_t lua_bytes() const;
  /// Versions that were replaced and still have something to do.
  size_t old_versions() const { return old_.size(); }
  /// Cuts what is open, ends every script, and lets go of everything. To be followed by a few turns of the
  /// loop.
  void stop();

  const filter::Services& services() const { return services_; }
  /// Of what was loaded last; nothing after stop().
  const std::vector<std::unique_ptr<edge::Server>>& servers() const;
  const std::vector<std::unique_ptr<filter::Program>>& programs() const;
  const std::vector<std::unique_ptr<script::State>>& states() const;
  buffer::ChunkPool& chunks() { return chunks_; }

 private:
  struct OldVersion {
    std::unique_ptr<Version> version;
    Instant cut_at;
  };
  const Version* newest() const { return loaded_ ? loaded_.get() : current_.get(); }
  Version::Parts parts();
  void end_old();

  loop::Loop& loop_;
  net::Network& network_;
  LineOutputs* const outputs_;
  const Duration old_version_timeout_;
  script::StateOptions script_options_;
  const unsigned unix_mode_;
  edge::ConnectionCounts own_counts_;
  edge::ConnectionCounts& counts_;
  buffer::ChunkPool chunks_;
  buffer::ReadArena arena_{chunks_};
  flow::Runtime runtime_{loop_, chunks_, arena_};
  filter::Services services_{runtime_, network_};
  std::unique_ptr<filter::HttpClient> http_;
  std::unique_ptr<Version> loaded_;  // and not started
  std::unique_ptr<Version> current_;
  std::vector<OldVersion> old_;
  loop::MemberTimer<Worker, &Worker::end_old> end_timer_{*this};
};

}  // namespace perilune::app
