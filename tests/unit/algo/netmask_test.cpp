#include "algo/netmask.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace perilune::algo {
namespace {

NetmaskSet set_of(std::initializer_list<const char*> networks) {
  NetmaskSet set;
  for (const char* network : networks) EXPECT_TRUE(set.add(network).has_value()) << network;
  return set;
}

bool has(const NetmaskSet& set, const char* address) {
  const auto parsed = IpAddress::parse(address);
  EXPECT_TRUE(parsed.has_value()) << address;
  return parsed && set.contains(*parsed);
}

TEST(IpAddress, TakesFullFormsOnly) {
  for (const char* good : {"0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::7", "::ffff:10.0.0.1",
                           "2001:0db8:0000:0000:0000:ff00:0042:8329", "::10.0.0.1"})
    EXPECT_TRUE(IpAddress::parse(good)) << good;
  for (const char* bad :
       {"", " 10.0.0.1", "10.0.0.1 ", "10.1", "10.0.0", "10.0.0.256", "010.0.0.1.", "10.0.0.1:80", "[::1]",
        "fe80::1%eth0", ":::", "1:2:3:4:5:6:7", "g::1", "unknown", "_hidden", "0x7f.0.0.1",
        "127.0.0.1.example.org.a.name.that.is.far.too.long.for.any.address"})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  EXPECT_FALSE(IpAddress::parse(std::string_view("10.0.0.1\0", 9)));
}

TEST(IpAddress, MappedIsTheSameAsIp4) {
  EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1"), IpAddress::parse("10.0.0.1"));
  EXPECT_EQ(IpAddress::parse("::FFFF:0a00:0001"), IpAddress::parse("10.0.0.1"));
  EXPECT_NE(IpAddress::parse("::10.0.0.1"), IpAddress::parse("10.0.0.1"));
}

TEST(NetmaskSet, HasWhatItsPrefixesCover) {
  struct Case {
    const char* network;
    const char* inside;
    const char* outside;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"10.0.0.0/8", "10.255.0.1", "11.0.0.0"},
           {"10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3"},
           {"192.168.4.0/22", "192.168.7.255", "192.168.8.0"},
           {"192.168.4.4/31", "192.168.4.5", "192.168.4.6"},
           {"192.168.4.4/32", "192.168.4.4", "192.168.4.5"},
           {"192.168.4.4", "192.168.4.4", "192.168.4.5"},
           {"0.0.0.0/0", "255.255.255.255", "::1"},
           {"0.0.0.0/1", "127.255.255.255", "128.0.0.0"},
           {"::/0", "2001:db8::1", "10.0.0.1"},
           {"fd00::/8", "fdff::1", "fe00::1"},
           {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
           {"2001:db8::8/127", "2001:db8::9", "2001:db8::a"},
           {"::1", "::1", "::2"},
           {"::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"},
           {"::ffff:0:0/96", "10.9.9.9", "::1"},
       }) {
    const NetmaskSet set = set_of({one.network});
    EXPECT_TRUE(has(set, one.inside)) << one.network << " " << one.inside;
    EXPECT_FALSE(has(set, one.outside)) << one.network << " " << one.outside;
  }
}

TEST(NetmaskSet, HasWhatAnyOfItsNetworksHas) {
  const NetmaskSet set = set_of({"10.0.0.0/8", "::1", "192.168.0.1"});
  EXPECT_TRUE(has(set, "10.0.0.1"));
  EXPECT_TRUE(has(set, "::1"));
  EXPECT_TRUE(has(set, "192.168.0.1"));
  EXPECT_FALSE(has(set, "192.168.0.2"));
  EXPECT_FALSE(has(NetmaskSet(), "10.0.0.1"));
  EXPECT_TRUE(NetmaskSet().empty());
}

TEST(NetmaskSet, SaysWhatIsWrong) {
  struct Case {
    const char* text;
    const char* sentence;
  };
  for (const Case& one : std::initializer_list<Case>{
           {"", "\"\" is no network; write \"10.0.0.0/8\", \"fd00::/8\" or a single IP address"},
           {"localhost",
            "\"localhost\" is no network; write \"10.0.0.0/8\", \"fd00::/8\" or a single IP address"},
           {"10.0.0/8",
            "\"10.0.0/8\" is no network; write \"10.0.0.0/8\", \"fd00::/8\" or a single IP address"},
           {"10.0.0.0/33",
            "\"10.0.0.0/33\" is no network: what is behind the slash is a number from 0 to 32"},
           {"10.0.0.0/", "\"10.0.0.0/\" is no network: what is behind the slash is a number from 0 to 32"},
           {"10.0.0.0/-1",
            "\"10.0.0.0/-1\" is no network: what is behind the slash is a number from 0 to 32"},
           {"10.0.0.0/255.0.0.0",
            "\"10.0.0.0/255.0.0.0\" is no network: what is behind the slash is a number from 0 to 32"},
           {"fd00::/129", "\"fd00::/129\" is no network: what is behind the slash is a number from 0 to 128"},
           {"::ffff:10.0.0.0/8",
            "\"::ffff:10.0.0.0/8\" is no network: what is behind the slash is a number from 96 to 128"},
           {"10.0.0.1/8",
            "\"10.0.0.1/8\" is no network: bits behind the prefix are set; did you mean \"10.0.0.0/8\"?"},
           {"fd00::1/8",
            "\"fd00::1/8\" is no network: bits behind the prefix are set; did you mean \"fd00::/8\"?"},
       }) {
    NetmaskSet set;
    const auto added = set.add(one.text);
    ASSERT_TRUE(added.has_error()) << one.text;
    EXPECT_EQ(added.error().detail, one.sentence);
    EXPECT_TRUE(set.empty());
  }
}

}  // namespace
}  // namespace perilune::algo
