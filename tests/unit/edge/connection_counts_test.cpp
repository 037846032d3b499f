#include "edge/connection_counts.hpp"

#include <gtest/gtest.h>

namespace perilune::edge {
namespace {

TEST(ClientNetworks, AreIp4AddressesAndIp6NetworksOf64Bits) {
  struct Row {
    const char* first;
    const char* second;
    bool are_one;
  };
  for (const Row& row : {
           Row{"10.0.0.1", "10.0.0.1", true},
           Row{"10.0.0.1", "10.0.0.2", false},
           Row{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
           Row{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
           Row{"::ffff:10.0.0.1", "10.0.0.1", true},
           Row{"fe80::1%eth0", "fe80::2%eth1", true},
           Row{"::1", "0.0.0.1", false},
       }) {
    ASSERT_TRUE(client_network(row.first) && client_network(row.second)) << row.first << " " << row.second;
    EXPECT_EQ(client_network(row.first) == client_network(row.second), row.are_one)
        << row.first << " " << row.second;
  }
}

TEST(ClientNetworks, OfAUnixSocketAreNone) {
  EXPECT_FALSE(client_network(""));
  EXPECT_FALSE(client_network("/run/x.sock"));
}

TEST(ConnectionCounts, AreOneForAListenerWhoeverAsks) {
  ConnectionCounts counts;
  ListenerCounts& first = counts.of("127.0.0.1:80 a.lua:1");
  ListenerCounts& again = counts.of("127.0.0.1:80 a.lua:1");
  EXPECT_EQ(first.enter(), 1u);
  EXPECT_EQ(again.enter(), 2u);
  EXPECT_EQ(counts.of("127.0.0.1:80 b.lua:1").open(), 0u);
  first.leave();
  EXPECT_EQ(again.open(), 1u);
}

TEST(ConnectionCounts, LetAClientInAgainWhenOneOfItsLeaves) {
  ListenerCounts counts;
  EXPECT_TRUE(counts.enter_network(7, 2));
  EXPECT_TRUE(counts.enter_network(7, 2));
  EXPECT_FALSE(counts.enter_network(7, 2));
  EXPECT_TRUE(counts.enter_network(8, 2));
  counts.leave_network(7);
  EXPECT_TRUE(counts.enter_network(7, 2));
}

}  // namespace
}  // namespace perilune::edge
