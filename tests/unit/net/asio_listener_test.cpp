#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <barrier>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "net/asio_listener.hpp"
#include "net/socket_address.hpp"
#include "net_support.hpp"

namespace perilune::net {
namespace {

using ::testing::HasSubstr;

class AsioListenerTest : public Connected {
 protected:
  static std::string socket_path(std::string_view name) {
    return ::testing::TempDir() + "perilune-" + std::string(name) + ".sock";
  }
  static Error refusal(Worker& worker, const Address& address) {
    Acceptor acceptor;
    auto listener = worker.network.listen(address, {}, acceptor);
    return listener ? Error{ErrorCode::NoAnswer} : listener.error();
  }
};

TEST_F(AsioListenerTest, AnAddressInUseIsAnError) {
  open();
  ListenSockets other_process;
  Worker other(other_process);
  const Error error = refusal(other, listener_->local());
  EXPECT_EQ(error.code, ErrorCode::Resources);
  EXPECT_EQ(error.side, Side::Engine);
  EXPECT_EQ(error.detail, listener_->local().to_string() + ": Address already in use");
  EXPECT_EQ(refusal(worker_, listener_->local()).code, ErrorCode::Resources) << "twice in one worker";
}

TEST_F(AsioListenerTest, SaysWhyAnAddressCannotBeHad) {
  EXPECT_THAT(refusal(worker_, address_of("203.0.113.1:0")).detail,
              HasSubstr("Cannot assign requested address"));
  EXPECT_THAT(refusal(worker_, address_of("example.org:80")).detail, HasSubstr("needs an IP address"));
  EXPECT_THAT(refusal(worker_, address_of("unix:/nowhere/at/all.sock")).detail, HasSubstr("No such file"));
  EXPECT_EQ(sockets_.addresses(), 0u);
}

TEST_F(AsioListenerTest, WorkersShareAPortAndTheKernelSpreadsConnections) {
  Worker second(sockets_);
  Acceptor second_acceptor;
  open("127.0.0.1:0");
  auto second_listener = second.network.listen(address_of("127.0.0.1:0"), {}, second_acceptor);
  ASSERT_TRUE(second_listener) << second_listener.error().to_string();
  EXPECT_EQ((*second_listener)->local(), listener_->local());

  constexpr size_t connections = 64;
  std::vector<Dialer> dialers(connections);
  for (Dialer& dialer : dialers) dialer.operation = worker_.network.connect(listener_->local(), {}, dialer);
  ASSERT_TRUE(run_all_until({&worker_, &second}, [&] {
    return acceptor_.ends.size() + second_acceptor.ends.size() == connections + 1;
  }));
  EXPECT_GT(acceptor_.ends.size(), 1u);
  EXPECT_GT(second_acceptor.ends.size(), 0u);
}

TEST_F(AsioListenerTest, WorkersMayAskFromTheirThreads) {
  constexpr size_t workers = 4;
  std::array<Address, workers> bound;
  std::barrier all_listen(workers);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < workers; ++i) {
    threads.emplace_back([&, i] {
      Worker worker(sockets_);
      Acceptor acceptor;
      auto listener = worker.network.listen(address_of("127.0.0.1:0"), {}, acceptor);
      if (listener) bound[i] = (*listener)->local();
      all_listen.arrive_and_wait();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Address& address : bound) EXPECT_EQ(address, bound[0]);
  EXPECT_NE(bound[0].port, 0);
  EXPECT_EQ(sockets_.addresses(), 0u);
}

TEST_F(AsioListenerTest, PortZeroTwiceIsTwoPorts) {
  open();
  Acceptor other;
  auto another = worker_.network.listen(address_of("127.0.0.1:0"), {}, other);
  ASSERT_TRUE(another);
  EXPECT_NE((*another)->local().port, listener_->local().port);
  EXPECT_EQ(sockets_.addresses(), 2u);
  another->reset();
  EXPECT_EQ(sockets_.addresses(), 1u);
}

TEST_F(AsioListenerTest, AClosedAddressIsFreeAgain) {
  open();
  const Address address = listener_->local();
  listener_.reset();
  client_.reset();
  acceptor_.ends.clear();
  EXPECT_EQ(refusal(worker_, address).code, ErrorCode::NoAnswer);
}

TEST_F(AsioListenerTest, ClosingHandsOutWhatTheKernelHasAccepted) {
  open();
  std::vector<Dialer> dialers(5);
  for (Dialer& dialer : dialers) dialer.operation = worker_.network.connect(listener_->local(), {}, dialer);
  listener_.reset();
  EXPECT_EQ(acceptor_.ends.size(), 6u);
  ASSERT_TRUE(worker_.run_until([&] { return dialers[4].calls == 1; }));
  dialers[4].end->send("still there");
  ASSERT_TRUE(worker_.run_until([&] {
    return std::ranges::any_of(acceptor_.ends,
                               [](const auto& end) { return end->received == "still there"; });
  }));
}

TEST_F(AsioListenerTest, PauseLeavesNewcomersInTheBacklog) {
  open();
  listener_->pause();
  Dialer dialer;
  dialer.operation = worker_.network.connect(listener_->local(), {}, dialer);
  ASSERT_TRUE(worker_.run_until([&] { return dialer.calls == 1; }));
  for (int turn = 0; turn < 3; ++turn) worker_.loop.run_turn(worker_.driver.now() + 1ms);
  EXPECT_EQ(acceptor_.ends.size(), 1u);
  listener_->resume();
  EXPECT_EQ(acceptor_.ends.size(), 1u) << "never from within a call";
  ASSERT_TRUE(worker_.run_until([&] { return acceptor_.ends.size() == 2; }));
}

TEST_F(AsioListenerTest, AFloodIsTakenInSeveralTurns) {
  open();
  std::vector<Dialer> dialers(200);
  for (Dialer& dialer : dialers) dialer.operation = worker_.network.connect(listener_->local(), {}, dialer);
  worker_.loop.run_turn();
  EXPECT_LT(acceptor_.ends.size(), 200u);
  ASSERT_TRUE(worker_.run_until([&] { return acceptor_.ends.size() == 201; }));
}

TEST_F(AsioListenerTest, AHandlerMayDestroyItsListener) {
  struct Once : ListenHandler {
    void on_accept(std::unique_ptr<Stream> stream) override {
      streams.push_back(std::move(stream));
      listener.reset();
    }
    void on_accept_paused(const Error&) override {}
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Stream>> streams;
  } once;
  once.listener = std::move(*worker_.network.listen(address_of("127.0.0.1:0"), {}, once));
  std::vector<Dialer> dialers(3);
  for (Dialer& dialer : dialers) {
    dialer.operation = worker_.network.connect(once.listener->local(), {}, dialer);
  }
  ASSERT_TRUE(worker_.run_until([&] { return once.streams.size() == 3; }));
  EXPECT_FALSE(once.listener);
}

TEST_F(AsioListenerTest, AcceptingRestsWhenDescriptorsRunOutAndRecovers) {
  open();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  listener_.reset();
  const int lowest_free = Descriptor(dup(0)).get();
  // Room for a listener, three clients and one accepted connection below the spare ones.
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(lowest_free) + 5 + limits::spare_descriptors;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  acceptor_.ends.clear();
  listener_ = std::move(*worker_.network.listen(address_of("127.0.0.1:0"), {}, acceptor_));
  std::vector<Dialer> dialers(3);
  for (Dialer& dialer : dialers) dialer.operation = worker_.network.connect(listener_->local(), {}, dialer);

  ASSERT_TRUE(worker_.run_until([&] { return !acceptor_.pauses.empty(); }));
  EXPECT_EQ(acceptor_.pauses[0].code, ErrorCode::Resources);
  EXPECT_THAT(acceptor_.pauses[0].detail, HasSubstr("Too many open files"));
  EXPECT_LT(acceptor_.ends.size(), 3u);
  const Descriptor spare(dup(0));
  EXPECT_TRUE(spare.is_open()) << "some are kept for logs and scripts";

  // Resting is no busy loop: a quarter of a second costs a few turns.
  const uint64_t turns = worker_.loop.turns();
  const Instant until = worker_.driver.now() + 250ms;
  ASSERT_TRUE(worker_.run_until([&] {
    worker_.loop.run_turn(until);
    return worker_.driver.now() >= until;
  }));
  EXPECT_LT(worker_.loop.turns() - turns, 20u);
  EXPECT_GE(acceptor_.pauses.size(), 2u) << "still short";

  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(worker_.run_until([&] { return acceptor_.ends.size() >= 3; }));
}

TEST_F(AsioListenerTest, AUnixSocketIsSharedByAllWorkersAndRemovedByTheLast) {
  const std::string path = socket_path("shared");
  Worker second(sockets_);
  Acceptor second_acceptor;
  open("unix:" + path);
  auto second_listener = second.network.listen(address_of("unix:" + path), {}, second_acceptor);
  ASSERT_TRUE(second_listener) << second_listener.error().to_string();
  listener_.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
  Dialer dialer;
  dialer.operation = worker_.network.connect(address_of("unix:" + path), {}, dialer);
  ASSERT_TRUE(run_all_until({&worker_, &second}, [&] { return second_acceptor.ends.size() == 1; }));
  second_listener->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(AsioListenerTest, AUnixSocketThatAnswersIsInUseAndAStaleOneIsReplaced) {
  const std::string path = socket_path("stale");
  open("unix:" + path);
  ListenSockets other_process;
  Worker other(other_process);
  EXPECT_THAT(refusal(other, address_of("unix:" + path)).detail, HasSubstr("Address already in use"));

  const std::string stale = socket_path("dead");
  std::filesystem::remove(stale);
  {
    const Descriptor dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = to_socket_address(address_of("unix:" + stale));
    ASSERT_EQ(bind(dead.get(), &address->any, address->size), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(stale));
  EXPECT_EQ(refusal(worker_, address_of("unix:" + stale)).code, ErrorCode::NoAnswer);

  const std::string plain = socket_path("plain-file");
  std::ofstream(plain) << "precious";
  EXPECT_THAT(refusal(worker_, address_of("unix:" + plain)).detail, HasSubstr("File exists"));
  EXPECT_TRUE(std::filesystem::exists(plain));
  std::filesystem::remove(plain);
}

}  // namespace
}  // namespace perilune::net
