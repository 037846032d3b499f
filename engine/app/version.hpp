#pragma once

#include <memory>
#include <string>
#include <vector>

#include "edge/server.hpp"
#include "filter/http_client.hpp"
#include "filter/program.hpp"
#include "script/script_files.hpp"
#include "script/state.hpp"

namespace perilune::app {

/// One load of the scripts in one worker: a Lua state and a program for each file, what they listen on, and
/// the sessions that run in their pipelines. The versions of a worker share its loop, its network and its
/// clusters, nothing else.
class Version {
 public:
  struct Parts {
    loop::Loop& loop;
    net::Network& network;
    filter::Services& services;
    filter::HttpClient& http;
    edge::ConnectionCounts& counts;
    /// Takes the access logs; null: none are written.
    LineOutputs* outputs = nullptr;
    /// How scripts are loaded.
    script::StateOptions script;
    /// As net::ListenOptions.
    unsigned unix_mode = 0;
  };
  /// `files` is where all workers read the same bytes; null: from the disk.
  Version(const Parts& parts, std::shared_ptr<script::ScriptFiles> files);
  ~Version();
  Version(const Version&) = delete;
  Version& operator=(const Version&) = delete;

  /// Loads the scripts, side by side; touches nothing but memory. Errors: those of script::State::load.
  /// `before` is the version whose kept values (`reload.keep`) they find; null: none.
  Result<void> load(const std::vector<std::string>& paths, const Version* before);
  /// A script listens, or has tasks for this worker.
  bool has_work() const;
  /// Listens on every address that `before` does not have, all or none, and accepts nothing yet. Opens access
  /// logs. Errors (Side::Script): ScriptError with the script's file:line and what the system said.
  Result<void> listen(const Version* before);
  /// Takes the listening sockets of `before` and begins to serve. Null: it is the first.
  void start(Version* before);

  /// Another version has taken over: tasks stop, idle upstream connections close, sessions move to the
  /// servers of `heir` or end, see edge::Server::retire. Called again for each version that comes.
  edge::Departures retire(Version& heir);
  /// A step of its end, once its sessions are gone, at most one a turn; `cuts`: those that are left are cut.
  /// True when it can be destroyed.
  bool end_step(bool cuts);
  /// Ends it now, whatever is open. Not from within a turn.
  void stop(const Error& error);

  void stop_accepting();
  void wind_down();
  /// Open client connections.
  size_t sessions() const;
  size_t give_back_surplus();
  size_t garbage_bytes() const;
  /// Of the Lua states.
  size_t lua_bytes() const;
  /// As script::State::collect_garbage, for all of them.
  bool collect_garbage();

  const std::vector<std::unique_ptr<edge::Server>>& servers() const { return servers_; }
  const std::vector<std::unique_ptr<filter::Program>>& programs() const { return programs_; }
  const std::vector<std::unique_ptr<script::State>>& states() const { return states_; }

 private:
  Result<void> listen(const filter::ListenPlan& plan, size_t place_among_equals, const Version* before);
  /// Errors: two files listen at one address.
  Result<void> check_addresses() const;
  edge::Server* find_server(const net::Address& address, size_t place_among_equals) const;
  size_t place_among_equals(const edge::Server& server) const;

  const Parts parts_;
  const std::shared_ptr<script::ScriptFiles> files_;
  std::vector<std::unique_ptr<script::State>> states_;
  std::vector<std::unique_ptr<filter::Program>> programs_;
  std::vector<std::unique_ptr<flow::AccessLog>> access_logs_;
  std::vector<std::unique_ptr<edge::Server>> servers_;
  size_t states_collected_ = 0;
  bool is_ending_ = false;
};

}  // namespace perilune::app
