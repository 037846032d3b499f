#include "net/address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/socket_address.hpp"

namespace perilune::net {
namespace {

using ::testing::HasSubstr;
using Kind = Address::Kind;

struct Good {
  const char* text;
  Kind kind;
  const char* host;
  uint16_t port;
};

TEST(AddressTest, ReadsAndWritesEveryForm) {
  const Good cases[] = {
      {"127.0.0.1:80", Kind::Ip4, "127.0.0.1", 80},
      {"0.0.0.0:0", Kind::Ip4, "0.0.0.0", 0},
      {"[::1]:65535", Kind::Ip6, "::1", 65535},
      {"[2001:db8::7]:443", Kind::Ip6, "2001:db8::7", 443},
      {"example.org:80", Kind::Name, "example.org", 80},
      {"example.org.:80", Kind::Name, "example.org.", 80},
      {"my_service:8080", Kind::Name, "my_service", 8080},
      {"1.2.3.4.example:1", Kind::Name, "1.2.3.4.example", 1},
      {"unix:/run/app.sock", Kind::Unix, "/run/app.sock", 0},
      {"unix:app:1.sock", Kind::Unix, "app:1.sock", 0},
  };
  for (const Good& good : cases) {
    const auto address = Address::parse(good.text);
    ASSERT_TRUE(address) << good.text << ": " << address.error().to_string();
    EXPECT_EQ(address->kind, good.kind) << good.text;
    EXPECT_EQ(address->host, good.host);
    EXPECT_EQ(address->port, good.port) << good.text;
    EXPECT_EQ(address->to_string(), good.text);
    EXPECT_EQ(address->needs_resolving(), good.kind == Kind::Name);
  }
}

struct Bad {
  std::string text;
  const char* complaint;
};

TEST(AddressTest, SaysWhatIsWrong) {
  const Bad cases[] = {
      {"", "it is empty"},
      {"localhost", "no port"},
      {"[::1]", "no port"},
      {"localhost:", "no port after"},
      {"localhost:http", "port \"http\" is not a number"},
      {"localhost:-1", "port \"-1\""},
      {"localhost:65536", "port \"65536\""},
      {":80", "no host"},
      {"::1:80", "in [brackets]"},
      {"[::g]:80", "\"::g\" is not an IPv6 address"},
      {"[]:80", "is not an IPv6 address"},
      {"[::1:80", "without \"]\""},
      {"256.1.1.1:80", "\"256.1.1.1\" is not an IPv4 address"},
      {"1.2.3:80", "is not an IPv4 address"},
      {"exa mple.org:80", "is not a host name"},
      {"a..b:80", "is not a host name"},
      {std::string(64, 'a').append(":80"), "is not a host name"},
      {"unix:", "no path"},
      {"unix:" + std::string(108, 'p'), "at most 107 bytes"},
  };
  for (const Bad& bad : cases) {
    const auto address = Address::parse(bad.text);
    ASSERT_FALSE(address) << bad.text;
    EXPECT_EQ(address.error().side, Side::Script);
    EXPECT_THAT(address.error().detail, HasSubstr(bad.complaint));
  }
}

TEST(AddressTest, SurvivesTheKernelsForm) {
  for (const char* text : {"127.0.0.1:80", "[2001:db8::7]:443", "unix:/run/app.sock"}) {
    const auto socket_address = to_socket_address(Address::parse(text).value());
    ASSERT_TRUE(socket_address);
    EXPECT_EQ(to_address(*socket_address).to_string(), text);
  }
  EXPECT_FALSE(to_socket_address(Address::parse("example.org:80").value()));
}

}  // namespace
}  // namespace perilune::net
