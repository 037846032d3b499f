#pragma once

#include <memory>
#include <vector>

#include "flow/hook.hpp"
#include "upstream/connection_pool.hpp"

namespace perilune::upstream {

/// Functions of a script that see a cluster's connections come back and go. They may wait; a connection whose
/// release they look at is nobody's until they are done.
class HookRuns {
 public:
  explicit HookRuns(flow::Runtime& runtime);
  ~HookRuns();
  HookRuns(const HookRuns&) = delete;
  HookRuns& operator=(const HookRuns&) = delete;

  /// Runs `hook` with the connection's ctx; true when it waits, and finishes the release itself.
  bool run_at_release(flow::Hook& hook, PooledConnection& connection);
  /// Runs `hook` with the connection's ctx and why it goes.
  void run_at_end(flow::Hook& hook, PooledConnection& connection, std::string_view reason);
  /// Calls off what waits.
  void stop();

 private:
  class Run;
  void forget(Run& run);
  void clear_done();

  flow::Runtime& runtime_;
  std::vector<std::unique_ptr<Run>> running_;
  std::vector<std::unique_ptr<Run>> done_;
  loop::MemberTask<HookRuns, &HookRuns::clear_done> clear_task_{*this};
};

}  // namespace perilune::upstream
