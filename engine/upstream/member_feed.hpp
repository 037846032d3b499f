#pragma once

#include <memory>
#include <vector>

#include "loop/loop.hpp"
#include "net/network.hpp"
#include "upstream/cluster_record.hpp"
#include "upstream/discovery.hpp"

namespace perilune::upstream {

/// Brings what is discovered into a cluster's record, for all workers: one worker has it. New endpoints come
/// at once; those that are gone go a few at a time, so that what they carried does not fall on the others at
/// once.
class MemberFeed final : public DiscoveryHandler {
 public:
  MemberFeed(loop::Loop& loop, net::Network& network, std::shared_ptr<ClusterRecord> record,
             const DiscoveryOptions& options);
  MemberFeed(const MemberFeed&) = delete;
  MemberFeed& operator=(const MemberFeed&) = delete;
  void start();

 private:
  void on_endpoints(const std::vector<DiscoveredEndpoint>& endpoints) override;
  void on_discovery_failed(const Error& error) override;
  void apply();

  loop::Loop& loop_;
  const std::shared_ptr<ClusterRecord> record_;
  std::vector<EndpointSpec> wanted_;
  std::unique_ptr<Discovery> discovery_;
  loop::MemberTimer<MemberFeed, &MemberFeed::apply> timer_{*this};
};

}  // namespace perilune::upstream
