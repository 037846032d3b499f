#include "upstream/discovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/log.hpp"
#include "sim/network.hpp"

namespace perilune::upstream {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = DiscoveryOptions::Kind;

const std::string host = "api.test";
const std::string service = "_http._tcp.test";

/// Notes what a discovery tells, and when.
struct Listener : DiscoveryHandler {
  explicit Listener(sim::SimWorld& its_world) : world(its_world) {}
  void on_endpoints(const std::vector<DiscoveredEndpoint>& endpoints) override {
    ++changes;
    told_at = world.now();
    lines.clear();
    for (const DiscoveredEndpoint& endpoint : endpoints) {
      std::string line = endpoint.address.to_string();
      if (endpoint.weight != 1 || endpoint.priority != 0)
        line += " " + std::to_string(endpoint.priority) + "/" + std::to_string(endpoint.weight);
      lines.push_back(line);
    }
    if (on_change) on_change();
  }
  void on_discovery_failed(const Error& error) override {
    failures.push_back(error.detail);
    failed_at.push_back(world.now());
    if (on_failure) on_failure();
  }

  sim::SimWorld& world;
  std::vector<std::string> lines;
  int changes = 0;
  Instant told_at{};
  std::vector<std::string> failures;
  std::vector<Instant> failed_at;
  std::function<void()> on_change;
  std::function<void()> on_failure;
};

using TtlCases = std::vector<std::pair<Duration, Duration>>;  // of the answer, and when DNS is asked again

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() {
    sim::SimFaults faults;
    faults.resolve_time_max = 0ns;
    world_.set_faults(faults);
    log::capture([this](std::string_view line) { log_.emplace_back(line); });
  }
  ~DiscoveryTest() override {
    log::capture(nullptr);
    discovery_.reset();
    EXPECT_EQ(worker_.loop.timers().armed(), 0u);
    EXPECT_EQ(world_.pending_operations(), 0u);
  }
  void start(DiscoveryOptions options = {}) {
    if (options.name.host.empty())
      options.name = {net::Address::Kind::Name, options.kind == Kind::Service ? service : host, 80};
    listener_.changes = 0;
    discovery_.emplace(worker_.loop, worker_.network, listener_, options);
    discovery_->start();
    EXPECT_EQ(listener_.changes, 0) << "never from within the call";
    world_.run_for(1ms);
  }
  /// How long until DNS is asked next.
  Duration wait() const {
    const auto next = discovery_->next_lookup();
    return next ? *next - world_.now() : Duration::min();
  }
  void expect_wait(Duration least) const {
    EXPECT_GE(wait(), least - 2ms);
    EXPECT_LE(wait(), least + least / 10);
  }
  void run_past_lookup() { world_.run_for(wait() + 1ms); }
  sim::SimDns& dns() { return world_.dns(); }

  sim::SimWorld world_{7};
  sim::SimWorker worker_{world_};
  Listener listener_{world_};
  std::vector<std::string> log_;
  std::optional<Discovery> discovery_;
};

TEST_F(DiscoveryTest, TellsTheAddressesOfAName) {
  dns().set(host, {"10.0.0.2", "fd00::1", "10.0.0.1", "10.0.0.2"});
  start();
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.1:80", "10.0.0.2:80", "[fd00::1]:80"));
  EXPECT_EQ(discovery_->endpoints()->size(), 3u);
  EXPECT_FALSE(discovery_->failure());
}

TEST_F(DiscoveryTest, TellsOnlyWhatChanges) {
  dns().set(host, {"10.0.0.1", "10.0.0.2"}, 10s);
  start();
  dns().set(host, {"10.0.0.2", "10.0.0.1"}, 10s);  // turned, as servers do
  world_.run_for(5min);
  EXPECT_EQ(listener_.changes, 1);
  dns().set(host, {"10.0.0.2", "10.0.0.3"}, 10s);
  run_past_lookup();
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.2:80", "10.0.0.3:80"));
  EXPECT_EQ(listener_.changes, 2);
}

TEST_F(DiscoveryTest, AsksAgainWhenTheTtlIsOver) {
  for (const auto& [ttl, waits] : TtlCases{{20s, 20s}, {0s, 1s}, {24h, 1h}}) {
    dns().set(host, {"10.0.0.1"}, ttl);
    start();
    expect_wait(waits);
  }
}

TEST_F(DiscoveryTest, HoldsTheTtlToItsOptions) {
  for (const auto& [ttl, waits] : TtlCases{{20s, 20s}, {1s, 5s}, {2h, 60s}}) {
    dns().set(host, {"10.0.0.1"}, ttl);
    start({.ttl_min = 5s, .ttl_max = 60s});
    expect_wait(waits);
  }
  start({.ttl_min = 0s, .ttl_max = 0s});
  expect_wait(1s);
}

TEST_F(DiscoveryTest, ALiteralAddressIsAskedAboutHourly) {
  start({.name = net::Address::parse("10.1.1.1:81").value()});
  EXPECT_THAT(listener_.lines, ElementsAre("10.1.1.1:81"));
  expect_wait(1h);
}

TEST_F(DiscoveryTest, ManyDoNotAskTogether) {
  dns().set(host, {"10.0.0.1"}, 100s);
  std::vector<Duration> waits;
  for (int i = 0; i < 100; ++i) {
    start();
    waits.push_back(wait());
  }
  const auto [least, most] = std::ranges::minmax(waits);
  EXPECT_GE(least, 99s);
  EXPECT_LT(least, 102s);
  EXPECT_GT(most, 108s);
  EXPECT_LE(most, 110s);
}

TEST_F(DiscoveryTest, AFailureKeepsTheLastSet) {
  dns().set(host, {"10.0.0.1"}, 10s);
  start();
  dns().fail(host);
  world_.run_for(24h);
  EXPECT_EQ(listener_.changes, 1);
  EXPECT_THAT(*discovery_->endpoints(), ::testing::SizeIs(1));
  ASSERT_TRUE(discovery_->failure());
  EXPECT_EQ(discovery_->failure()->code, ErrorCode::ResolveFailure);
  EXPECT_EQ(discovery_->failure()->side, Side::Upstream);
  ASSERT_EQ(log_.size(), 1u) << "one line for one trouble";
  EXPECT_THAT(log_[0], HasSubstr("keeps 1 endpoint name=api.test"));

  dns().set(host, {"10.0.0.2"}, 10s);
  world_.run_for(34s);
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.2:80"));
  EXPECT_FALSE(discovery_->failure());
}

TEST_F(DiscoveryTest, AsksMoreAndMoreSeldomWhileItFails) {
  dns().fail(host);
  start();
  for (const Duration waits : {1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}) {
    expect_wait(waits);
    run_past_lookup();
  }
  EXPECT_EQ(listener_.failures.size(), 9u);
  EXPECT_EQ(listener_.changes, 0) << "nothing is known: not even that there is nothing";
  EXPECT_FALSE(discovery_->endpoints());

  dns().set(host, {"10.0.0.1"}, 10s);
  run_past_lookup();
  dns().fail(host);
  run_past_lookup();
  expect_wait(1s);
}

TEST_F(DiscoveryTest, ANetworkThatNeverAnswersIsAFailure) {
  dns().silence(host);
  start();
  EXPECT_FALSE(discovery_->next_lookup());
  world_.run_for(7s);
  EXPECT_THAT(listener_.failures, ElementsAre("api.test: no answer in time"));
  dns().set(host, {"10.0.0.1"});
  world_.run_for(10s);
  EXPECT_EQ(listener_.changes, 1);
}

TEST_F(DiscoveryTest, AnEmptiedNameIsBelievedAfterAMinute) {
  const std::vector<std::pair<const char*, std::function<void()>>> cases{
      {"no such name", [&] { dns().remove(host); }}, {"no records", [&] { dns().set(host, {}); }}};
  for (const auto& [why, empty] : cases) {
    log_.clear();
    dns().set(host, {"10.0.0.1"}, 10s);
    start();
    listener_.changes = 0;
    empty();
    run_past_lookup();
    const Instant first_absence = world_.now() - 1ms;
    EXPECT_THAT(discovery_->failure()->detail, HasSubstr(why));
    world_.run_for(58s);
    EXPECT_EQ(listener_.changes, 0) << why;
    world_.run_for(10s);
    EXPECT_EQ(listener_.changes, 1) << why;
    EXPECT_THAT(listener_.lines, IsEmpty());
    EXPECT_GE(listener_.told_at - first_absence, 60s);
    EXPECT_THAT(log_.back(), HasSubstr("names no endpoints"));
    world_.run_for(1h);
    EXPECT_EQ(log_.size(), 2u) << "the failure, then the end";

    dns().set(host, {"10.0.0.9"}, 10s);
    world_.run_for(34s);
    EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.9:80"));
  }
}

TEST_F(DiscoveryTest, ASlipInAZoneIsNotNoticed) {
  dns().set(host, {"10.0.0.1"}, 10s);
  start();
  for (int i = 0; i < 3; ++i) {
    dns().remove(host);
    run_past_lookup();
    world_.run_for(50s);
    EXPECT_TRUE(discovery_->failure());
    dns().set(host, {"10.0.0.1"}, 10s);
    world_.run_for(34s);
    EXPECT_FALSE(discovery_->failure());
  }
  EXPECT_EQ(listener_.changes, 1);
}

TEST_F(DiscoveryTest, FailuresInBetweenNeitherProlongNorCompleteTheGrace) {
  dns().set(host, {"10.0.0.1"}, 10s);
  start();
  dns().remove(host);
  run_past_lookup();
  dns().fail(host);
  world_.run_for(1h);
  EXPECT_EQ(listener_.changes, 1);
  dns().remove(host);
  world_.run_for(34s);
  EXPECT_EQ(listener_.changes, 2);
  EXPECT_THAT(listener_.lines, IsEmpty());
}

TEST_F(DiscoveryTest, TheGraceIsAnOption) {
  dns().set(host, {"10.0.0.1"}, 10s);
  start({.empty_grace = 0s});
  dns().remove(host);
  run_past_lookup();
  EXPECT_EQ(listener_.changes, 2);
  EXPECT_THAT(listener_.lines, IsEmpty());
}

TEST_F(DiscoveryTest, NeverIsATimeToo) {
  dns().set(host, {"10.0.0.1"}, 10s);
  start({.empty_grace = Duration::max()});
  dns().remove(host);
  world_.run_for(24h);
  EXPECT_EQ(listener_.changes, 1);
  start({.name = net::Address::parse("10.1.1.1:81").value(), .ttl_max = Duration::max()});
  expect_wait(24h * 365);
}

TEST_F(DiscoveryTest, ANameThatWasNeverThereIsToldAtOnce) {
  start();
  EXPECT_EQ(listener_.changes, 1);
  EXPECT_THAT(listener_.lines, IsEmpty());
  EXPECT_THAT(discovery_->failure()->detail, HasSubstr("api.test: no such name"));
  ASSERT_EQ(log_.size(), 1u);
  dns().set(host, {"10.0.0.1"});
  run_past_lookup();
  EXPECT_EQ(listener_.changes, 2);
}

TEST_F(DiscoveryTest, TellsTheEndpointsOfAService) {
  dns().set("a.test", {"10.0.0.2", "10.0.0.1"}, 30s);
  dns().set("b.test", {"10.0.0.3"}, 15s);
  dns().set_service(service, {{"b.test", 81, 2, 0}, {"a.test", 80, 1, 70}, {"gone.test", 82, 1, 1}}, 40s);
  start({.kind = Kind::Service});
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.1:80 1/70", "10.0.0.2:80 1/70", "10.0.0.3:81 2/1"));
  expect_wait(15s);

  dns().set_service(service, {{"b.test", 81, 2, 9}, {"a.test", 80, 1, 70}});
  run_past_lookup();
  EXPECT_EQ(listener_.changes, 2) << "a weight is a change";
  EXPECT_EQ(listener_.lines.back(), "10.0.0.3:81 2/9");
}

TEST_F(DiscoveryTest, OfAnAddressThatIsNamedTwiceTheFirstPriorityCounts) {
  dns().set("a.test", {"10.0.0.1"});
  dns().set("b.test", {"10.0.0.1"});
  dns().set_service(service, {{"a.test", 80, 5, 100}, {"b.test", 80, 3, 7}, {"a.test", 80, 3, 9}});
  start({.kind = Kind::Service});
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.1:80 3/9"));
}

TEST_F(DiscoveryTest, TargetsWithoutAnAnswerKeepTheirEndpoints) {
  dns().set("a.test", {"10.0.0.1"}, 10s);
  dns().set("b.test", {"10.0.0.2"}, 10s);
  dns().set("c.test", {"10.0.0.3"}, 10s);
  dns().set_service(service, {{"a.test", 80, 0, 1}, {"b.test", 80, 0, 1}}, 10s);
  start({.kind = Kind::Service});
  dns().fail("b.test");
  dns().set_service(service, {{"c.test", 80, 0, 1}, {"b.test", 80, 0, 1}}, 10s);
  run_past_lookup();
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.2:80", "10.0.0.3:80")) << "a.test is out, b.test is not";
  ASSERT_TRUE(discovery_->failure());
  EXPECT_THAT(discovery_->failure()->detail, HasSubstr("no answer for b.test"));
  expect_wait(1s);

  dns().fail("c.test");
  run_past_lookup();
  EXPECT_EQ(listener_.lines.size(), 2u);
  dns().set_service(service, {{"c.test", 80, 0, 1}}, 10s);
  dns().set("c.test", {"10.0.0.3"}, 10s);
  world_.run_for(5s);
  EXPECT_THAT(listener_.lines, ElementsAre("10.0.0.3:80"));
  EXPECT_FALSE(discovery_->failure());
}

TEST_F(DiscoveryTest, TargetsWithoutAnyAddressNeedTheGraceToo) {
  dns().set("a.test", {"10.0.0.1"}, 10s);
  dns().set_service(service, {{"a.test", 80, 0, 1}}, 10s);
  start({.kind = Kind::Service});
  dns().remove("a.test");
  world_.run_for(50s);
  EXPECT_EQ(listener_.changes, 1);
  // Even when others are not answered: what is left would be nothing.
  dns().fail("b.test");
  dns().set_service(service, {{"a.test", 80, 0, 1}, {"b.test", 80, 0, 1}}, 10s);
  world_.run_for(1h);
  EXPECT_EQ(listener_.changes, 1);
  dns().set_service(service, {{"a.test", 80, 0, 1}}, 10s);
  world_.run_for(34s);
  EXPECT_THAT(listener_.lines, IsEmpty());
}

TEST_F(DiscoveryTest, TooManyEndpointsAreCutAndTheLogWarnedOnce) {
  std::vector<std::string> hosts;
  for (int i = 0; i < 1200; ++i)
    hosts.push_back("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256));
  std::vector<std::string> sorted = hosts;
  std::ranges::sort(sorted);
  dns().set(host, hosts, 10s);
  start();
  ASSERT_EQ(listener_.lines.size(), limits::discovered_endpoints_max);
  EXPECT_EQ(listener_.lines.back(), sorted[limits::discovered_endpoints_max - 1] + ":80");
  for (int i = 0; i < 20; ++i) {
    std::ranges::rotate(hosts, hosts.begin() + 77);
    dns().set(host, hosts, 10s);
    run_past_lookup();
  }
  EXPECT_EQ(listener_.changes, 1) << "always the same ones";
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_THAT(log_[0], HasSubstr("200 left out"));
}

TEST_F(DiscoveryTest, TheHandlerMayEndIt) {
  dns().set(host, {"10.0.0.1"});
  listener_.on_change = [&] { discovery_.reset(); };
  start();
  EXPECT_FALSE(discovery_);
  EXPECT_EQ(listener_.changes, 1);
  listener_.on_failure = [&] { discovery_.reset(); };
  dns().fail(host);
  start();
  EXPECT_FALSE(discovery_);
}

TEST_F(DiscoveryTest, EndsWithAQuestionOpen) {
  dns().silence(host);
  start();
  EXPECT_EQ(world_.pending_operations(), 1u);
}

TEST(DiscoverySeeds, EndsUpWithWhatDnsSaysWhateverWasBefore) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    log::capture([](std::string_view) {});
    sim::SimFaults faults;
    faults.resolve_failure = 0.4;
    faults.resolve_time_max = 2s;
    sim::SimWorld world(seed, faults);
    sim::SimWorker worker(world);
    Listener listener(world);
    Discovery discovery(worker.loop, worker.network, listener,
                        {.kind = Kind::Service, .name = {net::Address::Kind::Name, service, 0}});
    discovery.start();
    for (int step = 0; step < 50; ++step) {
      const std::string target = "t" + std::to_string(world.below(4)) + ".test";
      switch (world.below(5)) {
        case 0: world.dns().fail(target); break;
        case 1: world.dns().silence(target); break;
        case 2: world.dns().remove(target); break;
        case 3: world.dns().remove(service); break;
        default:
          world.dns().set(target, {"10.0.0." + std::to_string(world.below(9))},
                          Duration(world.below(9'000'000'000)));
          world.dns().set_service(service, {{target, 80, 0, 1}, {"t0.test", 81, 1, 2}}, 5s);
      }
      world.run_for(Duration(world.below(100'000'000'000)));
    }
    world.set_faults({});
    world.dns().set("t0.test", {"10.9.9.9"}, 5s);
    world.dns().set_service(service, {{"t0.test", 80, 0, 3}}, 5s);
    world.run_for(2min);
    EXPECT_THAT(listener.lines, ElementsAre("10.9.9.9:80 0/3"));
    log::capture(nullptr);
  }
}

}  // namespace
}  // namespace perilune::upstream
