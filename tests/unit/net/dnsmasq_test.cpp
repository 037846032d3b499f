#include "dnsmasq.hpp"

#include <gmock/gmock.h>

#include "net_support.hpp"

/// The resolver against a name server that others wrote.
namespace perilune::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const std::string service = "_http._tcp.test";

class DnsmasqTest : public ::testing::Test {
 protected:
  void TearDown() override {
    EXPECT_TRUE(worker_.run_until([&] { return worker_.loop.timers().armed() == 0; })) << "something is left";
  }

  Answer ask(std::string_view name, Worker& worker) {
    Answer answer;
    answer.operation = worker.network.resolve(address_of(name), answer);
    EXPECT_TRUE(worker.run_until([&] { return answer.calls > 0; })) << name;
    return answer;
  }
  Answer ask(std::string_view name) { return ask(name, worker_); }
  ServiceAnswer ask_service(const std::string& name) {
    ServiceAnswer answer;
    answer.operation = worker_.network.resolve_service(name, answer);
    EXPECT_EQ(answer.calls, 0) << "never from within the call";
    EXPECT_TRUE(worker_.run_until([&] { return answer.calls > 0; })) << name;
    return answer;
  }
  void wait(Duration time) {
    const Instant until = worker_.driver.now() + time;
    while (worker_.driver.now() < until) worker_.loop.run_turn(until);
  }

  Dnsmasq dns_{{"--local-ttl=9", "--host-record=four.test,10.0.0.4,40", "--host-record=six.test,fd00::6,30",
                "--host-record=both.test,10.0.0.1,fd00::1,20", "--txt-record=bare.test,hello",
                "--srv-host=_http._tcp.test,both.test,8080,1,60",
                "--srv-host=_http._tcp.test,four.test,8081,2,0",
                "--srv-host=_http._tcp.test,gone.test,8082,1,5", "--srv-host=_none._tcp.test"}};
  ListenSockets sockets_;
  Worker worker_{sockets_, {.servers = dns_.servers(), .timeout = 1s}};
};

TEST_F(DnsmasqTest, ResolvesBothFamiliesWithTheirTtl) {
  EXPECT_THAT(ask("four.test:80").addresses, ElementsAre(address_of("10.0.0.4:80")));
  EXPECT_THAT(ask("six.test:81").addresses, ElementsAre(address_of("[fd00::6]:81")));
  const Answer both = ask("both.test:82");
  EXPECT_THAT(both.addresses, UnorderedElementsAre(address_of("10.0.0.1:82"), address_of("[fd00::1]:82")));
  EXPECT_EQ(both.resolution.ttl, 20s);
}

TEST_F(DnsmasqTest, TellsWhatIsNotThereFromWhatIsNotAnswered) {
  EXPECT_EQ(ask("missing.test:80").resolution.absence, Absence::NoName);
  EXPECT_EQ(ask("bare.test:80").resolution.absence, Absence::NoRecords);
  EXPECT_EQ(ask_service("_missing._tcp.test").resolution.absence, Absence::NoName);
  EXPECT_EQ(ask_service("bare.test").resolution.absence, Absence::NoRecords);
  EXPECT_EQ(ask_service("_none._tcp.test").resolution.absence, Absence::NoRecords) << "a target of \".\"";

  dns_.freeze();
  const Answer answer = ask("other.test:80");
  EXPECT_EQ(answer.error.code, ErrorCode::ResolveFailure);
  EXPECT_EQ(answer.error.side, Side::Upstream);
  const ServiceAnswer silence = ask_service(service);
  EXPECT_EQ(silence.error.code, ErrorCode::ResolveFailure);
  EXPECT_THAT(silence.error.detail, HasSubstr("_http._tcp.test: no answer in time"));
  dns_.thaw();
  dns_.stop();
  EXPECT_EQ(ask("third.test:80").error.code, ErrorCode::ResolveFailure) << "nobody is there";
  EXPECT_EQ(ask_service(service).error.code, ErrorCode::ResolveFailure);
}

TEST_F(DnsmasqTest, ResolvesAServiceWithPrioritiesAndWeights) {
  const ServiceAnswer answer = ask_service(service);
  EXPECT_THAT(answer.lines(), ElementsAre("1 60 both.test 10.0.0.1:8080", "1 60 both.test [fd00::1]:8080",
                                          "2 0 four.test 10.0.0.4:8081"))
      << answer.error.to_string();
  EXPECT_EQ(answer.resolution.ttl, 9s) << "of the service; those of its targets are longer";
  EXPECT_THAT(answer.resolution.unanswered, IsEmpty());
  EXPECT_EQ(answer.resolution.left_out, 0u);
}

TEST_F(DnsmasqTest, TheTtlOfATargetCountsForItsService) {
  dns_.restart({"--local-ttl=60", "--host-record=a.test,10.0.0.1,4", "--srv-host=_http._tcp.test,a.test,80"});
  EXPECT_EQ(ask_service(service).resolution.ttl, 4s);
}

TEST_F(DnsmasqTest, SeesAChangedAnswerWhenTheTtlIsOver) {
  dns_.restart({"--local-ttl=1"});
  dns_.set_hosts("10.0.0.1 api.test\n");
  dns_.reload();
  EXPECT_THAT(ask("api.test:80").addresses, ElementsAre(address_of("10.0.0.1:80")));
  dns_.set_hosts("10.0.0.2 api.test\n10.0.0.3 api.test\n");
  dns_.reload();
  wait(1s);
  EXPECT_THAT(ask("api.test:80").addresses,
              UnorderedElementsAre(address_of("10.0.0.2:80"), address_of("10.0.0.3:80")));
  dns_.set_hosts("");
  dns_.reload();
  wait(1s);
  EXPECT_EQ(ask("api.test:80").resolution.absence, Absence::NoName);
}

TEST_F(DnsmasqTest, LargeServicesAreCutTheSameWayEveryTime) {
  std::vector<std::string> zone{"--host-record=many.test,10.1.0.1"};
  for (int i = 0; i < 300; ++i)
    zone.push_back("--srv-host=_http._tcp.test,many.test," + std::to_string(1000 + i) + ",1,1");
  std::string hosts;
  for (int i = 0; i < 70; ++i) hosts += "10.2.0." + std::to_string(100 + i) + " wide.test\n";
  zone.push_back("--srv-host=_wide._tcp.test,wide.test,80,1,1");
  dns_.restart(zone);
  dns_.set_hosts(hosts);
  dns_.reload();

  const ServiceAnswer many = ask_service(service);  // too long for UDP
  ASSERT_EQ(many.resolution.endpoints.size(), limits::service_targets_max) << many.error.to_string();
  EXPECT_EQ(many.resolution.left_out, 300 - limits::service_targets_max);
  EXPECT_EQ(many.lines().back(), "1 1 many.test 10.1.0.1:1255");

  const ServiceAnswer wide = ask_service("_wide._tcp.test");
  ASSERT_EQ(wide.resolution.endpoints.size(), limits::target_addresses_max) << wide.error.to_string();
  EXPECT_EQ(wide.resolution.left_out, 70 - limits::target_addresses_max);
  EXPECT_EQ(wide.lines().back(), "1 1 wide.test 10.2.0.163:80");
}

TEST_F(DnsmasqTest, TargetsThatAreNotAnsweredAreNamed) {
  // Questions for one are refused, those for another one are passed on to where nobody answers.
  const std::vector<std::string> zone{
      "--host-record=a.test,10.0.0.1", "--srv-host=_http._tcp.test,a.test,8080,1,60",
      "--srv-host=_http._tcp.test,refused.example,81", "--server=/refused.example/#"};
  dns_.restart(zone);
  const ServiceAnswer refused = ask_service(service);
  EXPECT_THAT(refused.lines(), ElementsAre("1 60 a.test 10.0.0.1:8080")) << refused.error.to_string();
  EXPECT_THAT(refused.resolution.unanswered, ElementsAre("refused.example"));

  std::vector<std::string> with_silence = zone;
  with_silence.insert(with_silence.end(), {"--srv-host=_http._tcp.test,silent.example,82",
                                           "--server=/silent.example/127.0.0.1#1"});
  dns_.restart(with_silence);
  EXPECT_THAT(ask_service(service).resolution.unanswered,
              UnorderedElementsAre("refused.example", "silent.example"));

  dns_.restart({"--srv-host=_http._tcp.test,refused.example,81", "--server=/refused.example/#"});
  const ServiceAnswer none = ask_service(service);
  EXPECT_EQ(none.error.code, ErrorCode::ResolveFailure) << "none of all targets";
  EXPECT_THAT(none.error.detail, HasSubstr("refused.example: "));
}

TEST_F(DnsmasqTest, CalledOffLookupsTellNobody) {
  dns_.freeze();
  ServiceAnswer waiting;
  waiting.operation = worker_.network.resolve_service(service, waiting);
  wait(10ms);
  waiting.operation.reset();
  dns_.thaw();
  ServiceAnswer asked;  // called off while it asks for its targets, or before
  asked.operation = worker_.network.resolve_service(service, asked);
  worker_.loop.run_turn(worker_.driver.now() + 1s);
  asked.operation.reset();
  EXPECT_EQ(ask_service(service).calls, 1);
  EXPECT_EQ(waiting.calls + asked.calls, 0);
}

}  // namespace
}  // namespace perilune::net
