#include "upstream/health_checker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "health_world.hpp"

namespace perilune::upstream {
namespace {

using algo::Health;
using sim::SimBehaviour;
using sim::SimPeer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = HealthOptions::Kind;

const std::string& target = health_target;

// ---- from results to health

/// 'H', 'U' or '?' after each of the checks that get these answers: "+" is a 200, "-" a 503.
std::string healths_after(const std::string& results, const algo::HealthThresholds& thresholds,
                          std::vector<std::string>* lines = nullptr) {
  HealthWorld cluster;
  cluster.options.interval = 1s;
  cluster.options.jitter_percent = 0;
  cluster.options.thresholds = thresholds;
  size_t next = 0;
  cluster.serve(target, [&](SimPeer& peer) {
    const bool passes = next < results.size() && results[next] == '+';
    ++next;
    peer.send(answer_of(passes ? 200 : 503));
  });
  cluster.start();
  cluster.world.run_until([&] { return next == 1; });
  std::string healths;
  for (size_t i = 0; i < results.size(); ++i) {
    cluster.world.run_for(500ms);
    EXPECT_EQ(next, i + 1);
    const Health health = cluster.health();
    healths += health == Health::Healthy ? 'H' : health == Health::Unhealthy ? 'U' : '?';
    cluster.world.run_for(500ms);
  }
  if (lines) *lines = cluster.lines;
  return healths;
}

TEST(HealthCheckerTest, RiseAndFallDecideBehindTheFirstResult) {
  EXPECT_EQ(healths_after("+--+---+-++", {2, 3}), "HHHHHHUUUUH");
  EXPECT_EQ(healths_after("-+-++", {2, 3}), "UUUUH");
  EXPECT_EQ(healths_after("-+-+", {1, 1}), "UHUH");
  EXPECT_EQ(healths_after("+--", {}), "HHH");
  EXPECT_EQ(healths_after("+---", {}), "HHHU") << "limits::health_fall";
  EXPECT_EQ(healths_after("-+", {}), "UU");
  EXPECT_EQ(healths_after("-++", {}), "UUH") << "limits::health_rise";
}

TEST(HealthCheckerTest, OnlyChangesAreLogged) {
  std::vector<std::string> lines;
  healths_after("++--+---++++", {2, 3}, &lines);
  EXPECT_THAT(lines, ElementsAre("info  upstream api: 10.0.0.1:80 is healthy: status 200",
                                 "warn  upstream api: 10.0.0.1:80 is unhealthy: status 503",
                                 "info  upstream api: 10.0.0.1:80 is healthy: status 200"));
}

TEST(HealthCheckerTest, AfterAReloadWhatWasKnownHolds) {
  HealthWorld cluster;
  cluster.options.interval = 1s;
  bool passes = true;
  cluster.serve(target, [&](SimPeer& peer) { peer.send(answer_of(passes ? 200 : 503)); });
  cluster.start();
  cluster.pass_first_check();
  ASSERT_EQ(cluster.health(), Health::Healthy);
  passes = false;
  cluster.restart();
  cluster.world.run_until([&] { return cluster.requests[target].size() == 3; });
  EXPECT_EQ(cluster.health(), Health::Healthy) << "two failures";
  cluster.world.run_for(1200ms);
  EXPECT_EQ(cluster.health(), Health::Unhealthy) << "three";
  passes = true;
  cluster.restart();
  cluster.world.run_until([&] { return cluster.requests[target].size() == 5; });
  cluster.world.run_for(10ms);
  EXPECT_EQ(cluster.health(), Health::Unhealthy) << "one success";
  cluster.world.run_for(1200ms);
  EXPECT_EQ(cluster.health(), Health::Healthy) << "two";
}

TEST(HealthCheckerTest, OurOwnTroubleSaysNothingOfAnEndpoint) {
  for (const Kind kind : {Kind::Http, Kind::Tcp}) {
    HealthWorld cluster;
    cluster.options.kind = kind;
    cluster.options.interval = 1s;
    cluster.serve(target, answers(200));
    cluster.engine.network.set_descriptors_max(0);
    cluster.start();
    cluster.world.run_for(10s);
    EXPECT_EQ(cluster.health(), Health::Unknown);
    EXPECT_THAT(cluster.lines, IsEmpty());
    cluster.engine.network.set_descriptors_max(1);
    cluster.world.run_for(2s);
    EXPECT_EQ(cluster.health(), Health::Healthy);
    cluster.engine.network.set_descriptors_max(0);
    cluster.world.run_for(10s);
    EXPECT_EQ(cluster.health(), Health::Healthy);
  }
}

// ---- when

TEST(HealthCheckerTest, FirstChecksAreSpreadOverASecond) {
  HealthWorld cluster;
  std::vector<std::string> members;
  for (int i = 1; i <= 40; ++i) {
    members.push_back("10.0.0." + std::to_string(i) + ":80");
    cluster.serve(members.back(), answers(200));
  }
  cluster.start(members);
  std::vector<double> firsts;
  const Instant begun = cluster.world.now();
  cluster.world.run_for(1010ms);
  for (const std::string& member : members) {
    ASSERT_EQ(cluster.arrivals[member].size(), 1u) << member;
    firsts.push_back(to_seconds(cluster.arrivals[member][0] - begun));
  }
  std::ranges::sort(firsts);
  EXPECT_LT(firsts.front(), 0.2);
  EXPECT_GT(firsts.back(), 0.8);
  EXPECT_GT(firsts[30] - firsts[10], 0.2) << "not in a heap";
}

TEST(HealthCheckerTest, FirstChecksOfAShortIntervalComeWithinIt) {
  HealthWorld cluster;
  cluster.options.interval = 100ms;
  cluster.serve(target, answers(200));
  cluster.start();
  cluster.world.run_for(101ms);
  EXPECT_EQ(cluster.arrivals[target].size(), 1u);
}

TEST(HealthCheckerTest, IntervalsDifferByTheJitter) {
  for (const Answer& answer : {answers(200), Answer(says_nothing)}) {
    HealthWorld cluster;
    cluster.serve(target, answer);
    cluster.start();
    cluster.world.run_for(300s);
    const std::vector<double> intervals = cluster.intervals();
    EXPECT_GT(intervals.size(), 50u);
    const auto [least, most] = std::ranges::minmax(intervals);
    // limits::health_interval, a tenth less or more, also where each check takes its 2 s.
    EXPECT_GE(least, 4.499);
    EXPECT_LE(most, 5.501);
    EXPECT_LT(least, 4.7);
    EXPECT_GT(most, 5.3);
  }
}

TEST(HealthCheckerTest, WithoutJitterIntervalsAreExact) {
  HealthWorld cluster;
  cluster.options.interval = 3s;
  cluster.options.jitter_percent = 0;
  cluster.serve(target, answers(200));
  cluster.start();
  cluster.world.run_for(30s);
  EXPECT_GE(cluster.intervals().size(), 8u);
  for (const double interval : cluster.intervals()) EXPECT_NEAR(interval, 3, 0.001);
}

TEST(HealthCheckerTest, ChecksOfOneEndpointNeverOverlap) {
  HealthWorld cluster;
  cluster.options.interval = 1s;
  cluster.options.timeout = 3500ms;
  cluster.serve(target, says_nothing);
  cluster.start();
  size_t most = 0;
  for (int i = 0; i < 7000; ++i) {
    cluster.world.run_for(10ms);
    most = std::max(most, cluster.checker->running());
  }
  EXPECT_EQ(most, 1u);
  EXPECT_GE(cluster.intervals().size(), 18u) << "the next one follows at once";
  for (const double interval : cluster.intervals()) EXPECT_NEAR(interval, 3.5, 0.01);
}

TEST(HealthCheckerTest, SoManyChecksAtOnceAndTheOthersTakeTurns) {
  HealthWorld cluster;
  const size_t count = limits::health_checks_max + 16;
  std::vector<std::string> members;
  for (size_t i = 0; i < count; ++i) {
    members.push_back("10.0." + std::to_string(i / 100) + "." + std::to_string(i % 100) + ":80");
    cluster.world.set_behaviour(address_of(members.back()), {.connect = SimBehaviour::Connect::Silent});
  }
  cluster.start(members);
  size_t most = 0;
  for (int i = 0; i < 500; ++i) {
    cluster.world.run_for(10ms);
    most = std::max(most, cluster.checker->running());
    EXPECT_LE(cluster.world.alive_streams(), limits::health_checks_max);
  }
  EXPECT_EQ(most, limits::health_checks_max);
  for (const std::string& member : members) EXPECT_EQ(cluster.health(member), Health::Unhealthy) << member;
}

TEST(HealthCheckerTest, WhoGoesMakesRoomForThoseThatWait) {
  HealthWorld cluster;
  cluster.options.timeout = 1h;
  std::vector<std::string> members;
  const auto add = [&] {
    members.push_back("10.0.0." + std::to_string(members.size()) + ":80");
    cluster.world.set_behaviour(address_of(members.back()), {.connect = SimBehaviour::Connect::BlackHole});
  };
  while (members.size() < limits::health_checks_max) add();
  cluster.start(members);
  cluster.world.run_for(2s);
  ASSERT_EQ(cluster.checker->running(), limits::health_checks_max);
  for (int i = 0; i < 3; ++i) add();
  cluster.set_members(members);
  cluster.world.run_for(2s);
  ASSERT_EQ(cluster.world.pending_operations(), limits::health_checks_max) << "three wait";
  // One that waits goes, and one that is asked: there is room for one of the two others.
  members.erase(members.end() - 2);
  members.erase(members.begin());
  cluster.set_members(members);
  EXPECT_EQ(cluster.checker->running(), limits::health_checks_max);
  EXPECT_EQ(cluster.world.pending_operations(), limits::health_checks_max);
  // All that were asked go: the last one has its turn.
  members.erase(members.begin(), members.end() - 2);
  cluster.set_members(members);
  EXPECT_EQ(cluster.checker->running(), 2u);
  EXPECT_EQ(cluster.world.pending_operations(), 2u);
  cluster.set_members({});
  EXPECT_EQ(cluster.checker->running(), 0u);
  EXPECT_EQ(cluster.world.pending_operations(), 0u);
}

// ---- members

TEST(HealthCheckerTest, MembersComeAndGo) {
  HealthWorld cluster;
  cluster.options.jitter_percent = 0;
  cluster.options.interval = 2s;
  cluster.serve("10.0.0.1:80", answers(503));
  cluster.serve("10.0.0.2:80", answers(200));
  cluster.serve("10.0.0.3:80", answers(200));
  cluster.start({"10.0.0.1:80", "10.0.0.2:80"});
  cluster.world.run_for(5s);
  ASSERT_EQ(cluster.health("10.0.0.1:80"), Health::Unhealthy);
  ASSERT_EQ(cluster.health("10.0.0.2:80"), Health::Healthy);
  const EndpointRef gone = cluster.record->members()[0];
  const size_t asked = cluster.arrivals["10.0.0.1:80"].size();

  cluster.set_members({"10.0.0.2:80", "10.0.0.3:80"});
  EXPECT_EQ(cluster.health("10.0.0.2:80"), Health::Healthy);
  EXPECT_EQ(cluster.health("10.0.0.3:80"), Health::Unknown);
  cluster.world.run_for(1100ms);
  EXPECT_EQ(cluster.health("10.0.0.3:80"), Health::Healthy);
  cluster.world.run_for(20s);
  EXPECT_EQ(cluster.arrivals["10.0.0.1:80"].size(), asked) << "nobody asks who is gone";
  EXPECT_GE(cluster.intervals("10.0.0.2:80").size(), 12u);
  for (const double interval : cluster.intervals("10.0.0.2:80"))
    EXPECT_NEAR(interval, 2, 0.001) << "who stays goes on as before";

  // It comes back as another one.
  cluster.set_members({"10.0.0.1:80", "10.0.0.2:80"});
  EXPECT_EQ(cluster.health("10.0.0.1:80"), Health::Unknown);
  cluster.world.run_for(1100ms);
  EXPECT_EQ(cluster.health("10.0.0.1:80"), Health::Unhealthy);
}

TEST(HealthCheckerTest, WhoGoesTakesItsCheckAlong) {
  for (const Kind kind : {Kind::Http, Kind::Tcp}) {
    HealthWorld cluster;
    cluster.options.kind = kind;
    cluster.serve(target, says_nothing);
    // A dial takes 2 s and more, so a TCP check is under way as well.
    cluster.world.set_behaviour(address_of(target), {.latency = kind == Kind::Tcp ? 1s : 1ms});
    cluster.start();
    cluster.world.run_for(1100ms);
    const EndpointRef gone = cluster.record->members()[0];
    ASSERT_EQ(cluster.checker->running(), 1u);
    cluster.set_members({});
    EXPECT_EQ(cluster.checker->running(), 0u);
    cluster.world.run_for(1100ms);
    EXPECT_EQ(cluster.plan->alive(), 0u);
    EXPECT_EQ(cluster.world.alive_streams(), 0u) << "the connection is closed";
    cluster.world.run_for(10s);
    EXPECT_EQ(gone->health.load(), Health::Unknown);
    EXPECT_THAT(cluster.lines, IsEmpty());
  }
}

// ---- the end

TEST(HealthCheckerTest, EndsCleanAtAnyMoment) {
  for (const Kind kind : {Kind::Http, Kind::Tcp}) {
    for (Duration moment = 0ms; moment < 3200ms; moment += 37ms) {
      HealthWorld cluster;
      SCOPED_TRACE(to_seconds(moment));
      cluster.options.kind = kind;
      cluster.options.interval = 300ms;
      cluster.options.timeout = 1s;
      sim::SimFaults slow;
      slow.latency = 50ms;
      cluster.world.set_faults(slow);
      cluster.world.dns().set("api.test", {"10.0.0.1"});
      cluster.world.dns().silence("silent.test");
      cluster.serve("10.0.0.1:80", answers(200));
      cluster.serve("10.0.0.2:80", says_nothing);
      cluster.serve("10.0.0.3:80", [](SimPeer& peer) { peer.send_slowly(answer_of(200), 5, 20ms); });
      cluster.serve("10.0.0.4:80", [](SimPeer& peer) { peer.reset(); });
      cluster.world.set_behaviour(address_of("10.0.0.5:80"), {.connect = SimBehaviour::Connect::BlackHole});
      cluster.start({"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80", "10.0.0.5:80", "10.0.0.6:80",
                     "api.test:80", "silent.test:80"});
      cluster.world.run_for(moment);
    }
  }
}

TEST(HealthCheckerTest, EndsCleanWhateverTheNetworkDoes) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    HealthWorld cluster(seed, sim::SimFaults::of_seed(seed));
    cluster.options.kind = seed % 4 == 0 ? Kind::Tcp : Kind::Http;
    cluster.options.interval = 200ms;
    std::vector<std::string> members;
    for (int i = 1; i <= 8; ++i) {
      members.push_back("10.0.0." + std::to_string(i) + ":80");
      cluster.serve(members.back(), [](SimPeer& peer) { peer.send(answer_of(200, std::string(300, 'b'))); });
    }
    cluster.start(members);
    for (int i = 0; i < 20; ++i) {
      cluster.world.run_for(Duration(cluster.world.below(1'000'000'000)));
      std::vector<std::string> some;
      for (const std::string& member : members)
        if (cluster.world.draw(0.7)) some.push_back(member);
      cluster.set_members(some);
    }
    cluster.world.run_for(Duration(cluster.world.below(3'000'000'000)));
  }
}

}  // namespace
}  // namespace perilune::upstream
