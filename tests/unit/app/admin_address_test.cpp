#include "app/admin_address.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

namespace perilune::app {
namespace {

constexpr const char* token = "0123456789abcdef";

class AdminAddressTest : public ::testing::Test {
 protected:
  AdminAddressTest() {
    setenv("PERILUNE_ADMIN_TOKEN", token, 1);
    unsetenv("XDG_RUNTIME_DIR");
  }
  static std::string read(const AdminWords& words) {
    const auto address = read_admin_address(words);
    return address ? address->address.to_string() : "wrong: " + address.error().detail;
  }
};

TEST_F(AdminAddressTest, TakesSocketsPortsAndAddresses) {
  EXPECT_EQ(read({"unix:a.sock"}), "unix:a.sock");
  EXPECT_EQ(read({"/run/a.sock"}), "unix:/run/a.sock");
  EXPECT_EQ(read({"./a.sock"}), "unix:./a.sock");
  EXPECT_EQ(read({"9000"}), "127.0.0.1:9000");
  EXPECT_EQ(read({"127.0.0.2:9000"}), "127.0.0.2:9000");
  EXPECT_EQ(read({"[::1]:9000"}), "[::1]:9000");
  EXPECT_EQ(read({.address = "0.0.0.0:9000", .allows_any = true}), "0.0.0.0:9000");
  EXPECT_TRUE(is_off({"off"}));
  EXPECT_FALSE(is_off({}));
}

TEST_F(AdminAddressTest, RefusesWhatOthersReach) {
  for (const char* address : {"0.0.0.0:9000", "10.0.0.1:9000", "[::]:9000", "[fd00::1]:9000"})
    EXPECT_EQ(read({address}), std::string("wrong: --admin: other machines reach ") + address +
                                   ": add --admin-any if they shall");
  for (const char* address : {"localhost:9000", "127.0.0.1", "99999", "of"})
    EXPECT_NE(read({address}).find("is no address"), std::string::npos) << address << " " << read({address});
}

TEST_F(AdminAddressTest, RefusesURLs) {
  EXPECT_EQ(read({"http://127.0.0.1:9901"}),
            "wrong: --admin: an address has no scheme; write --admin 127.0.0.1:9901");
  EXPECT_EQ(read({"http://127.0.0.1:9901/"}),
            "wrong: --admin: an address has no scheme; write --admin 127.0.0.1:9901");
  EXPECT_EQ(read({"unix:///run/a.sock"}), "wrong: --admin: an address has no \"//\"; write unix:/run/a.sock");
}

TEST_F(AdminAddressTest, ATokenIsNeededByTcpAlone) {
  unsetenv("PERILUNE_ADMIN_TOKEN");
  EXPECT_EQ(read({"/a"}), "unix:/a");
  EXPECT_NE(read({"9000"}).find("needs a token"), std::string::npos);
  setenv("PERILUNE_ADMIN_TOKEN", "0123456789abcde", 1);
  EXPECT_NE(read({"9000"}).find("at least 16 characters"), std::string::npos);
  setenv("PERILUNE_ADMIN_TOKEN", "0123456789 abcdef", 1);
  EXPECT_NE(read({"9000"}).find("visible ASCII"), std::string::npos);
}

TEST_F(AdminAddressTest, TheDefaultIsTheUsersOwn) {
  const std::string uid = std::to_string(geteuid());
  EXPECT_EQ(read({}), geteuid() == 0 ? "unix:/run/perilune.sock" : "unix:/tmp/perilune-" + uid + ".sock");
  setenv("XDG_RUNTIME_DIR", "/run/user/5", 1);
  EXPECT_EQ(read({}), "unix:/run/user/5/perilune.sock");
  EXPECT_TRUE(read_admin_address({})->is_default);
  EXPECT_FALSE(read_admin_address({"/a"})->is_default);
}

}  // namespace
}  // namespace perilune::app
