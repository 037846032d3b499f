#pragma once

#include <memory>
#include <vector>

#include "flow/pipeline.hpp"
#include "net/network.hpp"
#include "upstream/cluster_record.hpp"

namespace perilune::upstream {

/// Asks each endpoint of a cluster again and again how it is, for all workers: one worker has it. HTTP checks
/// are requests on a connection of their own, made by the pipeline that the cluster's connections are made by;
/// TCP checks connect and close. What follows from the results is the record's.
class HealthChecker {
 public:
  struct Parts {
    flow::Runtime& runtime;
    net::Network& network;
    flow::PipelinePlan& connections;
  };
  HealthChecker(const Parts& parts, std::shared_ptr<ClusterRecord> record, const HealthOptions& options);
  ~HealthChecker();
  HealthChecker(const HealthChecker&) = delete;
  HealthChecker& operator=(const HealthChecker&) = delete;

  /// Brings the checks in line with the members that the record has now.
  void follow();

 private:
  class Check;
  const Parts parts_;
  const std::shared_ptr<ClusterRecord> record_;
  const HealthOptions options_;
  std::vector<std::unique_ptr<Check>> checks_;
};

}  // namespace perilune::upstream
