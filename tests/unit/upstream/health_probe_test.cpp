#include "upstream/health_probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "health_world.hpp"

namespace perilune::upstream {
namespace {

using algo::Health;
using sim::SimBehaviour;
using sim::SimPeer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = HealthOptions::Kind;

const std::string& target = health_target;

// ---- what one check says

struct Case {
  std::string name;
  Answer answer = nullptr;  // nobody listens
  std::string verdict;      // as it is in the log
  double seconds = 0;       // that it takes
  SimBehaviour behaviour = {};
  std::function<void(HealthOptions&)> set = nullptr;
};

std::ostream& operator<<(std::ostream& out, const Case& shown) { return out << shown.verdict; }

class HealthCheck : public ::testing::TestWithParam<Case> {};

TEST_P(HealthCheck, SaysWhatItFound) {
  const Case& wanted = GetParam();
  HealthWorld cluster;
  if (wanted.set) wanted.set(cluster.options);
  if (wanted.answer) cluster.serve(target, wanted.answer);
  cluster.world.set_behaviour(address_of(target), wanted.behaviour);
  cluster.start();
  cluster.world.run_until([&] { return cluster.checker->running() == 1; });
  const Instant begun = cluster.world.now();
  cluster.pass_first_check();
  EXPECT_NEAR(to_seconds(cluster.world.now() - begun), wanted.seconds, 0.01);
  const bool is_healthy = wanted.verdict.starts_with("healthy");
  EXPECT_EQ(cluster.health(), is_healthy ? Health::Healthy : Health::Unhealthy);
  EXPECT_THAT(cluster.lines, ElementsAre((is_healthy ? "info  " : "warn  ") +
                                         ("upstream api: " + target + " is " + wanted.verdict)));
  // The connection is closed, whatever came of it.
  cluster.world.run_for(100ms);
  EXPECT_EQ(cluster.plan->alive(), 0u);
  EXPECT_EQ(cluster.checker->running(), 0u);
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

const std::string endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Http, HealthCheck,
    ::testing::Values(
        Case{.name = "Ok", .answer = answers(200), .verdict = "healthy: status 200"},
        Case{.name = "LastOfTheRange", .answer = answers(399), .verdict = "healthy: status 399"},
        Case{.name = "BeyondTheRange", .answer = answers(400), .verdict = "unhealthy: status 400"},
        Case{.name = "OwnRange",
             .answer = answers(404),
             .verdict = "healthy: status 404",
             .set = [](HealthOptions& options) { options.status_min = options.status_max = 404; }},
        Case{.name = "BelowOwnRange",
             .answer = answers(200),
             .verdict = "unhealthy: status 200",
             .set = [](HealthOptions& options) { options.status_min = 201; }},
        Case{.name = "NoBody",
             .answer = sends("HTTP/1.1 204 No Content\r\n\r\n"),
             .verdict = "healthy: status 204"},
        Case{.name = "UntilClose",
             .answer = closes_after("HTTP/1.0 200 OK\r\n\r\nfine"),
             .verdict = "healthy: status 200"},
        Case{.name = "AfterAnInterimHead",
             .answer = sends("HTTP/1.1 103 Early Hints\r\n\r\n" + answer_of(200)),
             .verdict = "healthy: status 200"},
        // A status that is not expected needs no body.
        Case{.name = "AnErrorWithoutItsBody",
             .answer = sends("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n"),
             .verdict = "unhealthy: status 503"},
        Case{.name = "LargeBody",
             .answer = [](SimPeer& peer) { peer.send(answer_of(200, std::string(4'000'000, 'b'))); },
             .verdict = "healthy: status 200"},
        Case{
            .name = "SlowBody",
            .answer = [](SimPeer& peer) { peer.send_slowly(answer_of(200, std::string(190, 'b')), 1, 10ms); },
            .verdict = "unhealthy: the answer did not end within 2 s",
            .seconds = 2},
        Case{.name = "SlowBodyInTime",
             .answer = [](SimPeer& peer) { peer.send_slowly(answer_of(200, std::string(50, 'b')), 1, 10ms); },
             .verdict = "healthy: status 200",
             .seconds = 0.9},
        Case{.name = "EndlessBodyThatTrickles",
             .answer =
                 [](SimPeer& peer) {
                   peer.send(endless);
                   std::string chunks;
                   for (int i = 0; i < 10'000; ++i) chunks += "1\r\nx\r\n";
                   peer.send_slowly(chunks, 6, 100ms);
                 },
             .verdict = "unhealthy: the answer did not end within 2 s",
             .seconds = 2},
        Case{.name = "Refused", .verdict = "unhealthy: Connection refused"},
        Case{.name = "BlackHole",
             .verdict = "unhealthy: not connected within 2 s",
             .seconds = 2,
             .behaviour = {.connect = SimBehaviour::Connect::BlackHole}},
        Case{.name = "Silent",
             .verdict = "unhealthy: no answer within 2 s",
             .seconds = 2,
             .behaviour = {.connect = SimBehaviour::Connect::Silent}},
        Case{.name = "NoAnswerInAShorterTime",
             .answer = says_nothing,
             .verdict = "unhealthy: no answer within 0.25 s",
             .seconds = 0.25,
             .set = [](HealthOptions& options) { options.timeout = 250ms; }},
        Case{.name = "OnlyAnInterimHead",
             .answer = sends("HTTP/1.1 103 Early Hints\r\n\r\n"),
             .verdict = "unhealthy: no answer within 2 s",
             .seconds = 2},
        // Connect and answer share the time: 0.7 s each way make 1.4 and 1.4 s.
        Case{.name = "SlowNetwork",
             .answer = answers(200),
             .verdict = "unhealthy: no answer within 2 s",
             .seconds = 2,
             .behaviour = {.latency = 700ms}},
        Case{.name = "ClosedWithoutAnswer",
             .answer = closes_after(""),
             .verdict = "unhealthy: closed before the response"},
        Case{.name = "Reset",
             .answer = answers(200),
             .verdict = "unhealthy: the connection was reset",
             .behaviour = {.reset_after_bytes = 5}},
        Case{.name = "ResetInTheBody",
             .answer = [](SimPeer& peer) { peer.send(answer_of(200, std::string(100, 'b'))); },
             .verdict = "unhealthy: the message was cut off",
             .behaviour = {.reset_after_bytes = 80}},
        Case{.name = "CutInTheBody",
             .answer = [](SimPeer& peer) { peer.send(answer_of(200, std::string(100, 'b'))); },
             .verdict = "unhealthy: the connection ended within a message",
             .behaviour = {.cut_after_bytes = 80}},
        Case{.name = "NotHttp",
             .answer = sends("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
             .verdict = "unhealthy: not an HTTP response"}),
    name_of);

void by_tcp(HealthOptions& options) { options.kind = Kind::Tcp; }

INSTANTIATE_TEST_SUITE_P(
    Tcp, HealthCheck,
    ::testing::Values(
        Case{.name = "Connected", .answer = says_nothing, .verdict = "healthy: connected", .set = by_tcp},
        Case{.name = "ConnectedToNobody",
             .verdict = "healthy: connected",
             .behaviour = {.connect = SimBehaviour::Connect::Silent},
             .set = by_tcp},
        Case{.name = "Refused", .verdict = "unhealthy: Connection refused", .set = by_tcp},
        Case{.name = "BlackHole",
             .verdict = "unhealthy: not connected within 2 s",
             .seconds = 2,
             .behaviour = {.connect = SimBehaviour::Connect::BlackHole},
             .set = by_tcp}),
    name_of);

TEST(HealthProbeTest, ATcpCheckSendsNothingAndCloses) {
  HealthWorld cluster;
  cluster.options.kind = Kind::Tcp;
  cluster.serve(target, says_nothing);
  cluster.start();
  cluster.world.run_for(1500ms);
  SimPeer& peer = *cluster.servers[0]->peers().at(0);
  EXPECT_TRUE(peer.has_ended());
  EXPECT_FALSE(peer.was_reset());
  EXPECT_EQ(peer.received(), "");
}

TEST(HealthProbeTest, OfALargeBodyOnlyTheBeginIsRead) {
  HealthWorld cluster;
  sim::SimFaults faults;
  faults.buffer_bytes = 16 * 1024;
  cluster.world.set_faults(faults);
  size_t unsent = 0;
  cluster.serve(target, [&](SimPeer& peer) { peer.send(answer_of(200, std::string(4'000'000, 'b'))); });
  cluster.start();
  cluster.pass_first_check();
  unsent = cluster.servers[0]->peers().at(0)->unsent_bytes();
  EXPECT_EQ(cluster.health(), Health::Healthy);
  EXPECT_GT(unsent, 4'000'000 - limits::drain_bytes_max - 3 * faults.buffer_bytes);
}

// ---- what is asked, and whom

TEST(HealthProbeTest, AsksForThePath) {
  HealthWorld cluster;
  cluster.options.path = "/health?deep=1";
  cluster.serve(target, answers(200));
  cluster.start();
  cluster.pass_first_check();
  EXPECT_THAT(cluster.requests[target], ElementsAre("GET /health?deep=1 HTTP/1.1\r\nHost: 10.0.0.1:80\r\n"
                                                    "User-Agent: perilune-health\r\n\r\n"));
}

TEST(HealthProbeTest, KnowsWhatAHostIs) {
  struct HostCase {
    std::string endpoint, server, host, wanted;
    uint16_t port = 0;
  };
  for (const HostCase& wanted : {
           HostCase{"10.0.0.1:80", "10.0.0.1:80", "", "10.0.0.1:80"},
           HostCase{"10.0.0.1:80", "10.0.0.1:80", "api.example", "api.example"},
           HostCase{"10.0.0.1:80", "10.0.0.1:9000", "", "10.0.0.1:9000", 9000},
           HostCase{"[fd00::1]:80", "[fd00::1]:80", "", "[fd00::1]:80"},
           HostCase{"api.test:80", "10.0.0.2:80", "", "api.test:80"},
           HostCase{"api.test:80", "10.0.0.2:9000", "", "api.test:9000", 9000},
           HostCase{"unix:/run/api.sock", "unix:/run/api.sock", "", "localhost"},
           HostCase{"unix:/run/api.sock", "unix:/run/api.sock", "", "localhost", 9000},
       }) {
    SCOPED_TRACE(wanted.endpoint + " at " + wanted.server);
    HealthWorld cluster;
    cluster.world.dns().set("api.test", {"10.0.0.2"});
    cluster.options.host = wanted.host;
    cluster.options.port = wanted.port;
    cluster.serve(wanted.server, answers(200));
    cluster.start({wanted.endpoint});
    cluster.world.run_for(1500ms);
    EXPECT_EQ(cluster.health(wanted.endpoint), Health::Healthy);
    ASSERT_EQ(cluster.requests[wanted.server].size(), 1u);
    EXPECT_THAT(cluster.requests[wanted.server][0], HasSubstr("\r\nHost: " + wanted.wanted + "\r\n"));
    EXPECT_THAT(cluster.lines,
                ElementsAre(StartsWith("info  upstream api: " + wanted.endpoint + " is healthy")));
  }
}

TEST(HealthProbeTest, ANameThatIsNobodysIsUnhealthy) {
  for (const Kind kind : {Kind::Http, Kind::Tcp}) {
    HealthWorld cluster;
    cluster.options.kind = kind;
    cluster.start({"nobody.test:80"});
    cluster.world.run_for(1500ms);
    EXPECT_EQ(cluster.health("nobody.test:80"), Health::Unhealthy);
    EXPECT_THAT(cluster.lines, ElementsAre(StartsWith("warn  upstream api: nobody.test:80 is unhealthy: ")));
  }
}

}  // namespace
}  // namespace perilune::upstream
