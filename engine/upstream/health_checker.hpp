#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>

#include "flow/pipeline.hpp"
#include "net/network.hpp"
#include "upstream/cluster_record.hpp"

namespace perilune::upstream {

/// Asks each endpoint of a cluster again and again how it is, for all workers: one worker has it. What
/// follows from the results is the record's.
///
/// The first check comes at once, but not all in one moment; then one an interval, from begin to begin, more
/// or less the jitter, and never two of one endpoint at a time. Of all endpoints together
/// limits::health_checks_max run at once, and the others wait their turn. Each change of health is one line
/// in the log.
///
/// A check asks on a connection of its own and closes it after the answer. One that is kept would spare a
/// handshake, but would not see that a server takes no new connections, and would take the end of an idle one
/// for a failure. Checks count to no limit of the cluster. What went wrong on this side (no descriptors, a
/// mistake of the script) counts neither for an endpoint nor against it.
class HealthChecker {
 public:
  struct Parts {
    flow::Runtime& runtime;
    net::Network& network;
    /// Connects to the address that its context's key is: what HTTP checks ask through.
    flow::PipelinePlan& connections;
  };
  /// Does nothing before the first follow(). `options.interval` is above 0.
  HealthChecker(const Parts& parts, std::shared_ptr<ClusterRecord> record, const HealthOptions& options);
  /// Calls off what is under way, and tells nobody.
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  /// Brings the checks in line with the members that the record has now. Those that stay go on as they are;
  /// one that is new begins with the health that its record has, as after a reload.
  void follow();
  /// Checks that are under way.
  size_t running() const { return running_; }

 private:
  class Check;
  void take_turn(Check& check);
  void end_turn();
  void run_waiting();

  const Parts parts_;
  const std::shared_ptr<ClusterRecord> record_;
  const HealthOptions options_;
  std::deque<Check*> waiting_;
  size_t running_ = 0;
  std::map<uint64_t, std::unique_ptr<Check>> checks_;  // by the serial of their endpoint
};

}  // namespace perilune::upstream
