#pragma once

#include <string>
#include <vector>

#include "filter/cluster_settings.hpp"
#include "upstream/cluster.hpp"

namespace perilune::filter {

/// A cluster as scripts hold it, and where it was defined. While it lives it is known to the worker's other
/// scripts.
class UpstreamObject final : public Object {
 public:
  /// Makes the cluster, which follows the record of that name in `services`. The record is as it was, and nothing is
  /// connected, before cluster->start(). Errors (Side::Script): another script file has an upstream of this name
  /// with other endpoints.
  static Result<Ref<UpstreamObject>> make(Services& services, std::string name, const Place& place,
                                          ClusterSettings settings);
  ~UpstreamObject() override;

  const std::string name;
  const Place place;

 private:
  UpstreamObject(Services& services, std::string its_name, const Place& its_place, ClusterSettings settings);

  Services& services_;
  /// The wire of its connections; behind the cluster in the order of destruction.
  const Ref<flow::PipelinePlan> connections_;

 public:
  const Ref<upstream::Cluster> cluster;
};

}  // namespace perilune::filter
