#include "flow/trusted_proxies.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

#include "base/limits.hpp"

namespace perilune::flow {
namespace {

TrustedProxies proxies() {
  TrustedProxies trusted;
  for (const char* network : {"10.0.0.0/8", "fd00::/8"}) EXPECT_TRUE(trusted.add(network).has_value());
  return trusted;
}

std::string client_of(std::initializer_list<const char*> fields) {
  message::Headers headers;
  for (const char* field : fields) headers.add("X-Forwarded-For", field);
  return proxies().client_of(headers);
}

TEST(TrustedProxies, TrustsTheirNetworks) {
  TrustedProxies trusted = proxies();
  EXPECT_TRUE(trusted.trusts("10.1.2.3"));
  EXPECT_TRUE(trusted.trusts("fd12::1"));
  EXPECT_FALSE(trusted.trusts("192.168.0.1"));
  EXPECT_FALSE(trusted.trusts("/run/proxy.sock"));
  EXPECT_FALSE(trusted.trusts(""));
  ASSERT_TRUE(trusted.add("unix").has_value());
  EXPECT_TRUE(trusted.trusts("/run/proxy.sock"));
  EXPECT_TRUE(trusted.trusts(""));
  EXPECT_FALSE(trusted.trusts("192.168.0.1"));
}

TEST(TrustedProxies, SayWhichEntryIsWrong) {
  TrustedProxies trusted;
  EXPECT_EQ(trusted.add("10.0.0.0/40").error().detail,
            "\"10.0.0.0/40\" is no network: what is behind the slash is a number from 0 to 32");
}

TEST(TrustedProxies, TheClientIsTheRightmostThatIsNotTrusted) {
  EXPECT_EQ(client_of({"203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(client_of({"203.0.113.7, 10.0.0.1, 10.0.0.2"}), "203.0.113.7");
  EXPECT_EQ(client_of({"203.0.113.7,10.0.0.1"}), "203.0.113.7");
  EXPECT_EQ(client_of({"1.1.1.1, 203.0.113.7, fd00::1"}), "203.0.113.7")
      << "what is left of it anyone can write";
  EXPECT_EQ(client_of({"1.1.1.1, 2001:db8::9"}), "2001:db8::9");
}

TEST(TrustedProxies, FieldsAreOneList) {
  EXPECT_EQ(client_of({"1.1.1.1, 203.0.113.7", "10.0.0.1", "10.0.0.2"}), "203.0.113.7");
  EXPECT_EQ(client_of({"203.0.113.7", "198.51.100.2"}), "198.51.100.2");
}

TEST(TrustedProxies, WhereAllAreTrustedTheFirstCounts) {
  EXPECT_EQ(client_of({"10.0.0.9, 10.0.0.1"}), "10.0.0.9");
}

TEST(TrustedProxies, WhatIsNoAddressEndsTheSearch) {
  EXPECT_EQ(client_of({"203.0.113.7, unknown, 10.0.0.1"}), "10.0.0.1");
  EXPECT_EQ(client_of({"203.0.113.7, , 10.0.0.1"}), "10.0.0.1");
  EXPECT_EQ(client_of({"203.0.113.7", "", "10.0.0.1"}), "10.0.0.1");
  EXPECT_EQ(client_of({"203.0.113.7, \"10.0.0.1\""}), "");
  EXPECT_EQ(client_of({"unknown"}), "");
  EXPECT_EQ(client_of({""}), "");
  EXPECT_EQ(client_of({}), "");
}

TEST(TrustedProxies, PortsAreLeftOut) {
  EXPECT_EQ(client_of({"203.0.113.7:51000, 10.0.0.1:80"}), "203.0.113.7");
  EXPECT_EQ(client_of({"[2001:db8::9]:51000"}), "2001:db8::9");
  EXPECT_EQ(client_of({"[2001:db8::9]"}), "2001:db8::9");
  EXPECT_EQ(client_of({"203.0.113.7:x"}), "");
  EXPECT_EQ(client_of({"203.0.113.7:"}), "");
  EXPECT_EQ(client_of({"[2001:db8::9"}), "");
  EXPECT_EQ(client_of({"[2001:db8::9]x"}), "");
}

TEST(TrustedProxies, NoListIsLookedThroughWithoutEnd) {
  std::string list = "203.0.113.7";
  for (size_t i = 1; i < limits::forwarded_hops_max; ++i) list += ",10.0.0.1";
  EXPECT_EQ(client_of({list.c_str()}), "203.0.113.7");
  list += ",10.0.0.2";
  EXPECT_EQ(client_of({list.c_str()}), "10.0.0.1");
}

}  // namespace
}  // namespace perilune::flow
