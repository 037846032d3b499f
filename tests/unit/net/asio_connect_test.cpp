#include "net/asio_connect.hpp"

#include <sys/resource.h>

#include <gmock/gmock.h>

#include "net_support.hpp"

namespace perilune::net {
namespace {

using ::testing::HasSubstr;

class AsioConnectTest : public Connected {
 protected:
  Dialer dial_to(const Address& address, const ConnectOptions& options = {}) {
    Dialer dialer;
    dialer.operation = worker_.network.connect(address, options, dialer);
    EXPECT_EQ(dialer.calls, 0) << "never from within the call";
    EXPECT_TRUE(worker_.run_until([&] { return dialer.calls > 0; }));
    return dialer;
  }
};

TEST_F(AsioConnectTest, ARefusalNamesTheAddress) {
  open();
  const Address address = listener_->local();
  listener_.reset();
  const Dialer dialer = dial_to(address);
  EXPECT_EQ(dialer.error.code, ErrorCode::ConnectFailure);
  EXPECT_EQ(dialer.error.side, Side::Upstream);
  EXPECT_EQ(dialer.error.detail, address.to_string() + ": Connection refused");
}

TEST_F(AsioConnectTest, ImmediateFailuresAlsoComeInALaterTurn) {
  EXPECT_THAT(dial_to(address_of("unix:/nowhere/at/all.sock")).error.detail, HasSubstr("No such file"));
  EXPECT_THAT(dial_to(address_of("name.example:80")).error.detail, HasSubstr("not an address"));
  EXPECT_EQ(dial_to(address_of("255.255.255.255:80")).error.code, ErrorCode::ConnectFailure);
}

TEST_F(AsioConnectTest, DestroyingAnOperationCallsItOff) {
  open();
  // 192.0.2.0/24 is for documentation: nobody answers there, whatever the routing says.
  Dialer black_hole;
  black_hole.operation = worker_.network.connect(address_of("192.0.2.200:9"), {}, black_hole);
  black_hole.operation.reset();
  Dialer failing;
  failing.operation = worker_.network.connect(address_of("unix:/nowhere.sock"), {}, failing);
  failing.operation.reset();
  Dialer good;
  good.operation = worker_.network.connect(listener_->local(), {}, good);
  good.operation.reset();
  for (int turn = 0; turn < 5; ++turn) worker_.loop.run_turn(worker_.driver.now() + 1ms);
  EXPECT_EQ(black_hole.calls + failing.calls + good.calls, 0);
}

TEST_F(AsioConnectTest, AConnectThatNobodyAnswersWaitsUntilItIsCalledOff) {
  // A listening socket with a full backlog drops further connection requests: a black hole on this machine.
  const Descriptor full(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto any = *to_socket_address(address_of("127.0.0.1:0"));
  ASSERT_EQ(bind(full.get(), &any.any, any.size), 0);
  ASSERT_EQ(listen(full.get(), 0), 0);
  socklen_t size = sizeof any.path;
  ASSERT_EQ(getsockname(full.get(), &any.any, &size), 0);
  const Address address = to_address(any);
  std::vector<Dialer> dialers(4);
  for (Dialer& dialer : dialers) dialer.operation = worker_.network.connect(address, {}, dialer);
  const Instant until = worker_.driver.now() + 50ms;
  while (worker_.driver.now() < until) worker_.loop.run_turn(until);
  EXPECT_EQ(dialers.back().calls, 0);
  dialers.back().operation.reset();
  worker_.loop.run_turn(worker_.driver.now() + 1ms);
  EXPECT_EQ(dialers.back().calls, 0);
}

TEST_F(AsioConnectTest, BindsToTheAskedAddress) {
  open("0.0.0.0:0");
  Address target = listener_->local();
  target.host = "127.0.0.1";
  const Dialer dialer = dial_to(target, {.bind = {Address::Kind::Ip4, "127.0.0.9", 0}});
  ASSERT_TRUE(dialer.end) << dialer.error.to_string();
  EXPECT_EQ(dialer.end->stream->local().host, "127.0.0.9");
  const Dialer impossible = dial_to(target, {.bind = {Address::Kind::Ip4, "203.0.113.1", 0}});
  EXPECT_THAT(impossible.error.detail, HasSubstr("(from 203.0.113.1:0)"));
}

TEST_F(AsioConnectTest, RunningOutOfDescriptorsIsAShortageOfOurs) {
  open();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(Descriptor(dup(0)).get());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Dialer dialer = dial_to(listener_->local());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(dialer.error.code, ErrorCode::Resources);
  EXPECT_THAT(dialer.error.detail, HasSubstr("Too many open files"));
}

TEST_F(AsioConnectTest, BytesThatComeWithTheConnectionAreTold) {
  struct Greeter : ListenHandler {
    void on_accept(std::unique_ptr<Stream> stream) override {
      const iovec hello{const_cast<char*>("hello"), 5};
      stream->set_handler(nullptr);
      stream->write({&hello, 1});
      streams.push_back(std::move(stream));
    }
    void on_accept_paused(const Error&) override {}
    std::vector<std::unique_ptr<Stream>> streams;
  };
  Worker server(sockets_);
  Greeter greeter;
  auto listener = server.network.listen(address_of("127.0.0.1:0"), {}, greeter);
  Dialer dialer;
  dialer.operation = worker_.network.connect((*listener)->local(), {}, dialer);
  ASSERT_TRUE(server.run_until([&] { return greeter.streams.size() == 1; }));  // before the client looks
  ASSERT_TRUE(worker_.run_until([&] { return dialer.end && dialer.end->received == "hello"; }));
}

}  // namespace
}  // namespace perilune::net
