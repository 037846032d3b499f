#include "net/srv_reply.hpp"

#include <gmock/gmock.h>

namespace perilune::net {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

std::string name(std::string_view text) {
  std::string encoded;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    encoded += static_cast<char>(label.size());
    encoded += label;
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  return encoded + '\0';
}

const std::string question_name = "\xc0\x0c";  // a pointer to the name in the question

std::string record(uint16_t type, uint32_t ttl, const std::string& data) {
  return question_name + number(type, 2) + number(1, 2) + number(ttl, 4) + number(data.size(), 2) + data;
}

std::string srv(uint32_t ttl, int priority, int weight, int port, const std::string& target) {
  return record(33, ttl,
                number(static_cast<uint64_t>(priority), 2) + number(static_cast<uint64_t>(weight), 2) +
                    number(static_cast<uint64_t>(port), 2) + target);
}

std::string message(const std::vector<std::string>& records) {
  std::string text =
      number(0x1234, 2) + number(0x8180, 2) + number(1, 2) + number(records.size(), 2) + number(0, 4);
  text += name("_http._tcp.test") + number(33, 2) + number(1, 2);
  for (const std::string& one : records) text += one;
  return text;
}

Result<SrvReply> parse(const std::string& text) {
  return parse_srv_reply({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
}

TEST(SrvReply, TellsTheRecordsInOrder) {
  const auto reply = parse(message({srv(60, 2, 5, 81, name("b.Test")), srv(60, 1, 65535, 80, name("A.test")),
                                    srv(60, 2, 5, 81, name("b.test"))}));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_THAT(reply->records, ElementsAre(SrvRecord{1, "a.test", 80, 65535}, SrvRecord{2, "b.test", 81, 5}));
  EXPECT_EQ(reply->ttl, 60s);
}

TEST(SrvReply, TheSmallestTtlCounts) {
  const std::string alias = record(5, 7, name("x.test"));
  EXPECT_EQ(parse(message({srv(60, 1, 1, 80, name("a.test")), srv(9, 1, 1, 80, name("b.test"))}))->ttl, 9s);
  EXPECT_EQ(parse(message({alias, srv(60, 1, 1, 80, name("a.test"))}))->ttl, 7s) << "an alias on the way";
  EXPECT_EQ(parse(message({srv(0x80000000, 1, 1, 80, name("a.test"))}))->ttl, 0s) << "RFC 2181 section 8";
}

TEST(SrvReply, UnfoldsNames) {
  // The target is "a" before the "test" of the question, 12 + "\5_http\4_tcp" bytes from the beginning.
  const auto reply = parse(message({srv(60, 1, 1, 80, std::string("\1a\xc0\x17"))}));
  ASSERT_TRUE(reply) << reply.error().to_string();
  EXPECT_EQ(reply->records.at(0).host, "a.test");
}

TEST(SrvReply, ARootTargetIsNone) {
  EXPECT_EQ(parse(message({srv(60, 0, 0, 0, name(""))}))->records.at(0).host, "");
}

TEST(SrvReply, PassesOverWhatIsNoService) {
  const auto reply = parse(message({record(1, 60, number(0x0a000001, 4)), record(5, 60, name("x.test"))}));
  ASSERT_TRUE(reply);
  EXPECT_THAT(reply->records, IsEmpty());
  EXPECT_EQ(reply->ttl, 0s);
}

TEST(SrvReply, EveryCutIsMalformed) {
  const std::string whole = message({srv(60, 1, 2, 80, name("a.test")), srv(60, 1, 2, 81, name("b.test"))});
  ASSERT_TRUE(parse(whole));
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) EXPECT_FALSE(parse(whole.substr(0, bytes))) << bytes;
}

TEST(SrvReply, DataThatIsNotAsLongAsItSaysIsMalformed) {
  EXPECT_FALSE(parse(message({srv(60, 1, 2, 80, name("a.test") + "more")})));
  EXPECT_FALSE(parse(message({record(33, 60, "")})));
  EXPECT_FALSE(parse(message({srv(60, 1, 2, 80, "\1a"), srv(60, 1, 2, 80, name("b.test"))})));
  EXPECT_FALSE(parse(message({srv(60, 1, 2, 80, std::string("\xc0\xff"))}))) << "a pointer behind the end";
  EXPECT_FALSE(parse(message({srv(60, 1, 2, 80, "\xc0" + number(12 + 21 + 12 + 6, 1))})))
      << "a pointer to itself";
}

}  // namespace
}  // namespace perilune::net
