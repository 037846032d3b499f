#include <gmock/gmock.h>

#include "base/log.hpp"
#include "unit/net/dnsmasq.hpp"
#include "unit/net/net_support.hpp"
#include "upstream/discovery.hpp"

/// A discovery on real sockets, against a name server that others wrote, whose answers change.
namespace perilune::upstream {
namespace {

using Lines = std::vector<std::string>;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Listener : DiscoveryHandler {
  void on_endpoints(const std::vector<DiscoveredEndpoint>& endpoints) override {
    lines.clear();
    for (const DiscoveredEndpoint& endpoint : endpoints) {
      lines.push_back(std::to_string(endpoint.priority) + "/" + std::to_string(endpoint.weight) + " " +
                      endpoint.address.to_string());
    }
    ++changes;
  }
  void on_discovery_failed(const Error& error) override { failures.push_back(error.detail); }
  Lines lines;
  int changes = 0;
  Lines failures;
};

class DiscoveryPlay : public ::testing::Test {
 protected:
  DiscoveryPlay() {
    log::capture([](std::string_view) {});
  }
  ~DiscoveryPlay() override { log::capture(nullptr); }
  template <typename Condition>
  bool run_until(Condition condition) {
    return worker_.run_until(condition);
  }

  net::Dnsmasq dns_{{"--local-ttl=1"}};
  net::ListenSockets sockets_;
  net::Worker worker_{sockets_, {.servers = dns_.servers(), .timeout = 500ms}};
  Listener listener_;
};

TEST_F(DiscoveryPlay, FollowsAName) {
  dns_.set_hosts("10.0.0.1 api.test\nfd00::1 api.test\n");
  dns_.reload();
  Discovery discovery(worker_.loop, worker_.network, listener_,
                      {.name = net::address_of("api.test:80"), .empty_grace = 2s});
  discovery.start();
  ASSERT_TRUE(run_until([&] { return listener_.changes == 1; }));
  EXPECT_THAT(listener_.lines, ElementsAre("0/1 10.0.0.1:80", "0/1 [fd00::1]:80"));

  dns_.set_hosts("10.0.0.2 api.test\n");
  dns_.reload();
  ASSERT_TRUE(run_until([&] { return listener_.changes == 2; }));
  EXPECT_THAT(listener_.lines, ElementsAre("0/1 10.0.0.2:80"));

  dns_.freeze();
  ASSERT_TRUE(run_until([&] { return listener_.failures.size() >= 2; }));
  EXPECT_EQ(listener_.changes, 2) << "a silent name server takes nothing away";
  dns_.thaw();

  dns_.set_hosts("");
  dns_.reload();
  ASSERT_TRUE(run_until([&] { return listener_.changes == 3; }));
  EXPECT_TRUE(listener_.lines.empty());
  EXPECT_THAT(discovery.failure()->detail, HasSubstr("api.test: no such name"));
}

TEST_F(DiscoveryPlay, FollowsAService) {
  dns_.restart({"--local-ttl=1", "--host-record=a.test,10.0.0.1", "--host-record=b.test,10.0.0.2",
                "--srv-host=_http._tcp.test,a.test,80,1,7", "--srv-host=_http._tcp.test,b.test,81,2,0"});
  Discovery discovery(
      worker_.loop, worker_.network, listener_,
      {.kind = DiscoveryOptions::Kind::Service, .name = {net::Address::Kind::Name, "_http._tcp.test", 0}});
  discovery.start();
  ASSERT_TRUE(run_until([&] { return listener_.changes == 1; }));
  EXPECT_THAT(listener_.lines, ElementsAre("1/7 10.0.0.1:80", "2/1 10.0.0.2:81"));
  dns_.restart(
      {"--local-ttl=1", "--host-record=a.test,10.0.0.1", "--srv-host=_http._tcp.test,a.test,80,1,8"});
  ASSERT_TRUE(run_until([&] { return listener_.changes == 2; }));
  EXPECT_THAT(listener_.lines, ElementsAre("1/8 10.0.0.1:80"));
}

}  // namespace
}  // namespace perilune::upstream
