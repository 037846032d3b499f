#include "net/resolver.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <map>

#include "net/socket_address.hpp"
#include "net_support.hpp"

namespace perilune::net {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint16_t type_a = 1;
constexpr uint16_t type_aaaa = 28;

/// A name server on the loopback interface (RFC 1035 section 4.1), for A and AAAA.
class NameServer final : EventTarget {
 public:
  struct Record {
    std::string ip4 = {};
    std::string ip6 = {};
    uint32_t ttl = 60;
    /// Questions for A fail (SERVFAIL), those for AAAA are answered last.
    bool ip4_fails = false;
  };

  explicit NameServer(AsioDriver& driver)
      : EventTarget(driver), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    auto address = *to_socket_address(address_of("127.0.0.1:0"));
    EXPECT_EQ(bind(fd_.get(), &address.any, address.size), 0);
    socklen_t size = sizeof address.path;
    getsockname(fd_.get(), &address.any, &size);
    servers = to_address(address).to_string();
    EXPECT_TRUE(driver.watch(fd_.get(), EPOLLIN, *this));
  }

  std::string servers;
  std::map<std::string, Record> records;
  bool is_silent = false;
  std::map<std::string, int> questions;  // A questions by name

 private:
  void on_events(uint32_t) override {
    std::array<char, 512> room;
    SocketAddress client;
    for (;;) {
      client.size = sizeof client.path;
      const ssize_t count = recvfrom(fd_.get(), room.data(), room.size(), 0, &client.any, &client.size);
      if (count < 0) return;
      if (is_silent) continue;
      const std::string answer = answer_to(std::string(room.data(), static_cast<size_t>(count)));
      if (is_to_hold_) {
        held_ = answer;
        continue;
      }
      sendto(fd_.get(), answer.data(), answer.size(), 0, &client.any, client.size);
      if (held_.empty() || !was_last_try_) continue;
      sendto(fd_.get(), held_.data(), held_.size(), 0, &client.any, client.size);
      held_.clear();
    }
  }

  std::string answer_to(const std::string& question) {
    std::string name;
    size_t at = 12;
    while (question[at] != 0) {
      const auto bytes = static_cast<size_t>(question[at]);
      if (!name.empty()) name += '.';
      name += question.substr(at + 1, bytes);
      at += bytes + 1;
    }
    const auto type = static_cast<uint16_t>(question[at + 2]);
    if (type == type_a) ++questions[name];
    const auto found = records.find(name);
    const bool exists = found != records.end();
    const bool fails = exists && found->second.ip4_fails;
    was_last_try_ = questions[name] >= 2;
    is_to_hold_ = fails && type == type_aaaa && !was_last_try_;
    std::string data;
    if (exists) {
      const std::string& text = type == type_a ? found->second.ip4 : found->second.ip6;
      const auto address = text.empty()
                               ? std::nullopt
                               : std::optional(PackedEndpoint::of(*to_socket_address(
                                     {type == type_a ? Address::Kind::Ip4 : Address::Kind::Ip6, text, 0})));
      if (address) data.assign(reinterpret_cast<const char*>(address->bytes.data()), type == type_a ? 4 : 16);
    }
    std::string answer = question.substr(0, 2);
    answer += static_cast<char>(0x81);
    // No error, a server failure, or no such name.
    answer += static_cast<char>(fails && type == type_a ? 0x82 : exists ? 0x80 : 0x83);
    answer += std::string("\0\1\0", 3) + static_cast<char>(data.empty() ? 0 : 1) + std::string(4, '\0');
    answer += question.substr(12, at + 5 - 12);
    if (data.empty()) return answer;
    answer += std::string("\xc0\x0c\0", 3) + static_cast<char>(type) + std::string("\0\1", 2);
    for (int shift = 24; shift >= 0; shift -= 8) answer += static_cast<char>(found->second.ttl >> shift);
    return answer + '\0' + static_cast<char>(data.size()) + data;
  }

  Descriptor fd_;
  bool is_to_hold_ = false;
  bool was_last_try_ = false;
  std::string held_;
};

class ResolverTest : public ::testing::Test {
 protected:
  Answer ask(std::string_view name) {
    Answer answer;
    answer.operation = resolver_.resolve(address_of(name), answer);
    EXPECT_EQ(answer.calls, 0) << "never from within the call";
    EXPECT_TRUE(run_until([&] { return answer.calls > 0; })) << name;
    return answer;
  }
  template <typename Condition>
  bool run_until(Condition condition) {
    const Instant latest = driver_.now() + patience;
    while (!condition() && driver_.now() < latest) loop_.run_turn(latest);
    return condition();
  }

  AsioDriver driver_;
  loop::Loop loop_{driver_};
  NameServer server_{driver_};
  Resolver resolver_{driver_, loop_, {.servers = server_.servers, .timeout = 200ms}};
};

TEST_F(ResolverTest, AnswersLiteralsInALaterTurn) {
  EXPECT_THAT(ask("127.0.0.1:80").addresses, ElementsAre(address_of("127.0.0.1:80")));
  EXPECT_THAT(ask("[::1]:81").addresses, ElementsAre(address_of("[::1]:81")));
  EXPECT_THAT(ask("unix:/run/app.sock").addresses, ElementsAre(address_of("unix:/run/app.sock")));
  EXPECT_TRUE(server_.questions.empty());
}

TEST_F(ResolverTest, ReadsTheHostsFile) {
  const Answer answer = ask("localhost:8080");
  EXPECT_FALSE(answer.addresses.empty()) << answer.error.to_string();
  EXPECT_THAT(answer.addresses, Each(AnyOf(address_of("127.0.0.1:8080"), address_of("[::1]:8080"))));
  EXPECT_TRUE(server_.questions.empty());
}

TEST_F(ResolverTest, AsksForBothFamilies) {
  server_.records["both.example"] = {.ip4 = "192.0.2.7", .ip6 = "2001:db8::7"};
  const Answer answer = ask("both.example:443");
  EXPECT_EQ(answer.addresses.size(), 2u) << answer.error.to_string();
  EXPECT_THAT(answer.addresses, Contains(address_of("192.0.2.7:443")));
  EXPECT_THAT(answer.addresses, Contains(address_of("[2001:db8::7]:443")));
}

TEST_F(ResolverTest, WhatIsNotThereIsAnAnswer) {
  const Answer missing = ask("missing.example:80");
  EXPECT_THAT(missing.addresses, IsEmpty());
  EXPECT_EQ(missing.resolution.absence, Absence::NoName) << missing.error.to_string();
  server_.records["bare.example"] = {};
  EXPECT_EQ(ask("bare.example:80").resolution.absence, Absence::NoRecords);
  EXPECT_EQ(resolver_.cached_names(), 0u);
}

TEST_F(ResolverTest, NoRecordsOfOneFamilyHideNoFailureOfTheOther) {
  server_.records["half.example"] = {.ip4_fails = true};
  const Answer answer = ask("half.example:80");
  EXPECT_EQ(answer.error.code, ErrorCode::ResolveFailure);
  EXPECT_EQ(answer.error.side, Side::Upstream);
  EXPECT_THAT(answer.error.detail, HasSubstr("half.example: "));

  server_.records["six.example"] = {.ip6 = "2001:db8::6", .ip4_fails = true};
  EXPECT_THAT(ask("six.example:80").addresses, ElementsAre(address_of("[2001:db8::6]:80")))
      << "one is enough";
}

TEST_F(ResolverTest, TellsHowLongAnAnswerHolds) {
  server_.records["short.example"] = {.ip4 = "192.0.2.1", .ttl = 30};
  EXPECT_EQ(ask("short.example:80").resolution.ttl, 30s);
  const Duration left = ask("short.example:80").resolution.ttl;
  EXPECT_LT(left, 30s) << "the answer has grown older";
  EXPECT_GT(left, 0s);
  server_.records["long.example"] = {.ip4 = "192.0.2.1", .ttl = 86400};
  EXPECT_EQ(ask("long.example:80").resolution.ttl, 1h);
  EXPECT_EQ(ask("localhost:80").resolution.ttl, 1s);
  EXPECT_EQ(ask("127.0.0.1:80").resolution.ttl, Duration::max());
}

TEST(ParseServers, TakesAddressesWithAndWithoutPorts) {
  EXPECT_THAT(*parse_servers("10.0.0.1, 10.0.0.2:5353,[fd00::1],[fd00::2]:54"),
              ElementsAre(address_of("10.0.0.1:53"), address_of("10.0.0.2:5353"), address_of("[fd00::1]:53"),
                          address_of("[fd00::2]:54")));
  for (const char* text : {"", ",", "10.0.0.1,", "dns.example:53", "::1", "10.0.0.1:0", "10.0.0.1:99999",
                           "10.0.0", "unix:/run/dns.sock", "10.0.0.1;10.0.0.2"}) {
    EXPECT_FALSE(parse_servers(text)) << text;
  }
  EXPECT_THAT(parse_servers("10.0.0.1,x y").error().detail, HasSubstr("\"x y\""));
}

TEST_F(ResolverTest, ASilentServerEndsInATimeout) {
  server_.is_silent = true;
  const Instant start = driver_.now();
  const Answer answer = ask("slow.example:80");
  EXPECT_EQ(answer.error.code, ErrorCode::ResolveFailure);
  EXPECT_THAT(answer.error.detail, HasSubstr("no answer in time"));
  EXPECT_GE(driver_.now() - start, 200ms);
}

TEST_F(ResolverTest, KeepsAnswersAsLongAsTheyLive) {
  server_.records["kept.example"] = {.ip4 = "192.0.2.1"};
  ask("kept.example:80");
  EXPECT_THAT(ask("KEPT.example:81").addresses, ElementsAre(address_of("192.0.2.1:81")));
  EXPECT_EQ(server_.questions["kept.example"], 1);

  server_.records["brief.example"] = {.ip4 = "192.0.2.2", .ttl = 0};
  ask("brief.example:80");
  const Instant gone = driver_.now() + 1s;  // the least that an answer is kept
  while (driver_.now() < gone) loop_.run_turn(gone);
  ask("brief.example:80");
  EXPECT_EQ(server_.questions["brief.example"], 2);
}

TEST_F(ResolverTest, KeepsABoundedNumberOfNames) {
  for (int i = 0; i < 1030; ++i) {
    const std::string name = "n" + std::to_string(i) + ".example";
    server_.records[name] = {.ip4 = "192.0.2.3"};
    ask(name + ":80");
  }
  EXPECT_EQ(resolver_.cached_names(), 1024u);
}

TEST_F(ResolverTest, LookupsOfOneNameAtATimeAreOne) {
  server_.records["busy.example"] = {.ip4 = "192.0.2.4"};
  std::array<Answer, 3> answers;
  for (size_t i = 0; i < answers.size(); ++i) {
    const Address name{Address::Kind::Name, "busy.example", static_cast<uint16_t>(80 + i)};
    answers[i].operation = resolver_.resolve(name, answers[i]);
  }
  answers[1].operation.reset();
  ASSERT_TRUE(run_until([&] { return answers[0].calls + answers[2].calls == 2; }));
  EXPECT_EQ(server_.questions["busy.example"], 1);
  EXPECT_THAT(answers[0].addresses, ElementsAre(address_of("192.0.2.4:80")));
  EXPECT_THAT(answers[2].addresses, ElementsAre(address_of("192.0.2.4:82")));
  EXPECT_EQ(answers[1].calls, 0);
}

TEST_F(ResolverTest, ACalledOffLookupTellsNobody) {
  server_.is_silent = true;
  Answer waiting;
  waiting.operation = resolver_.resolve(address_of("gone.example:80"), waiting);
  loop_.run_turn(driver_.now() + 1ms);
  waiting.operation.reset();
  Answer literal;
  literal.operation = resolver_.resolve(address_of("127.0.0.1:80"), literal);
  literal.operation.reset();
  ask("[::1]:80");
  EXPECT_EQ(waiting.calls + literal.calls, 0);
}

}  // namespace
}  // namespace perilune::net
