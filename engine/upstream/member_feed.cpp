#include "upstream/member_feed.hpp"

#include <algorithm>

namespace perilune::upstream {
namespace {

// At most a fifth of the members goes at a time, and the rest has a second to take over what these carried.
constexpr size_t removal_share = 5;
constexpr Duration removal_interval = 1s;

}  // namespace

MemberFeed::MemberFeed(loop::Loop& loop, net::Network& network, std::shared_ptr<ClusterRecord> record,
                       const DiscoveryOptions& options)
    : loop_(loop),
      record_(std::move(record)),
      discovery_(std::make_unique<Discovery>(loop, network, *this, options)) {}

void MemberFeed::start() { discovery_->start(); }

void MemberFeed::on_endpoints(const std::vector<DiscoveredEndpoint>& endpoints) {
  wanted_.clear();
  for (const DiscoveredEndpoint& each : endpoints)
    wanted_.push_back({each.address, each.weight, each.priority});
  apply();
  if (record_->is_waiting_for_discovery()) record_->note_discovered();
}

void MemberFeed::on_discovery_failed(const Error&) {
  if (record_->is_waiting_for_discovery()) record_->note_discovered();
}

void MemberFeed::apply() {
  timer_.disarm();
  const size_t removals_max = std::max<size_t>(record_->members().size() / removal_share, 1);
  if (record_->change_members(wanted_, removals_max, loop_.now())) loop_.arm(timer_, removal_interval);
}

}  // namespace perilune::upstream
