#include "upstream/connection_limits.hpp"

#include <gtest/gtest.h>

#include "upstream/cluster_record.hpp"

namespace perilune::upstream {
namespace {

/// A worker that looks, the moment it is asked, whether anybody wants something of it, as another thread may.
struct HastyMember final : ConnectionLimits::Member {
  explicit HastyMember(ConnectionLimits& its_limits) : limits(its_limits) { limits.attach(*this); }
  ~HastyMember() { limits.detach(*this); }
  void post_token(const EndpointRef&, const std::string& key) override { tokens.push_back(key); }
  void post_reclaim(const EndpointRef& endpoint) override {
    ++asked;
    sees_a_want = endpoint ? endpoint->wanted_since.load() != INT64_MAX : limits.is_total_wanted();
  }
  ConnectionLimits& limits;
  std::vector<std::string> tokens;
  int asked = 0;
  bool sees_a_want = false;
};

TEST(ConnectionLimits, WhoIsAskedForAnIdleConnectionSeesThatItIsWanted) {
  for (const bool is_endpoint_full : {false, true}) {
    ConnectionLimits limits;
    EndpointSpec spec;
    spec.address = *net::Address::parse("10.0.0.1:80");
    limits.set_max(is_endpoint_full ? 10 : 1, is_endpoint_full ? 1 : 10);
    const auto endpoint = std::make_shared<EndpointRecord>(spec, 1, 2);
    HastyMember holder(limits);
    HastyMember waiter(limits);
    ASSERT_EQ(limits.take(*endpoint), ConnectionLimits::Answer::Taken);
    limits.want(waiter, endpoint, "key", Instant{});
    EXPECT_EQ(holder.asked, 1);
    EXPECT_TRUE(holder.sees_a_want);
    limits.give_back(*endpoint);
    EXPECT_EQ(waiter.tokens, std::vector<std::string>{"key"});
    limits.want(waiter, endpoint, "key", Instant::max());
    EXPECT_EQ(holder.asked, 1) << "nobody waits any more";
    limits.give_back(*endpoint);
  }
}

}  // namespace
}  // namespace perilune::upstream
