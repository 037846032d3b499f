#pragma once

#include "upstream/cluster.hpp"

namespace perilune::filter {

/// A cluster as scripts hold it.
struct UpstreamObject final : Object {
  explicit UpstreamObject(Ref<upstream::Cluster> its_cluster) : cluster(std::move(its_cluster)) {}
  const Ref<upstream::Cluster> cluster;
};

}  // namespace perilune::filter
