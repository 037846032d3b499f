#include "sim/network.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "base/limits.hpp"
#include "sim/peer.hpp"

namespace perilune::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Outcome = SimWorld::Outcome;

net::Address address_of(std::string_view text) { return net::Address::parse(text).value(); }

class SimNetworkTest : public ::testing::Test {
 protected:
  void TearDown() override {
    client_.reset();
    server_.reset();
    world_.run_until_quiet();
    EXPECT_EQ(world_.alive_streams(), 0u);
    EXPECT_EQ(world_.alive_listeners(), 0u);
    EXPECT_EQ(world_.pending_operations(), 0u);
  }
  void open(const SimFaults& faults = {}, const net::ConnectOptions& options = {}) {
    world_.set_faults(faults);
    server_ = std::make_unique<SimServer>(worker_, address_);
    client_ = std::make_unique<SimClient>(outside_, address_, options);
    ASSERT_EQ(world_.run_until([&] { return client_->calls() > 0 && !server_->peers().empty(); }),
              Outcome::Met);
    ASSERT_TRUE(client_->is_connected());
  }
  SimPeer& client() { return client_->peer(); }
  SimPeer& server() { return *server_->peers().back(); }
  std::string refusal(SimWorker& worker, const net::Address& address) {
    struct Nobody : net::ListenHandler {
      void on_accept(std::unique_ptr<net::Stream>) override {}
      void on_accept_paused(const Error&) override {}
    } nobody;
    const auto listener = worker.network.listen(address, {}, nobody);
    return listener ? "" : listener.error().detail;
  }

  SimWorld world_{42};
  SimWorker worker_{world_};
  SimWorker outside_{world_, SimProcess::Outside};
  net::Address address_ = address_of("10.0.0.1:80");
  std::unique_ptr<SimServer> server_;
  std::unique_ptr<SimClient> client_;
};

TEST_F(SimNetworkTest, CarriesBytesAndEnds) {
  open();
  client().send("hello");
  client().finish_sending();
  server().send("world");
  world_.run_until_quiet();
  EXPECT_EQ(server().received(), "hello");
  EXPECT_TRUE(server().has_ended());
  EXPECT_EQ(client().received(), "world");
  EXPECT_FALSE(client().has_ended());
  server().send(" after the end");
  server().close_when_sent();
  world_.run_until_quiet();
  EXPECT_EQ(client().received(), "world after the end");
  EXPECT_TRUE(client().has_ended());
}

TEST_F(SimNetworkTest, ALatencyIsPaidInBothDirections) {
  SimFaults faults;
  faults.latency = 30ms;
  const Instant start = world_.now();
  open(faults);
  EXPECT_EQ(world_.now() - start, 60ms) << "a connection takes one round trip";
  client().send("x");
  world_.run_until([&] { return !server().received().empty(); });
  EXPECT_EQ(world_.now() - start, 90ms);
}

TEST_F(SimNetworkTest, ASlowLinkTakesItsTime) {
  SimFaults faults;
  faults.bytes_per_second = 1000;
  open(faults);
  const Instant start = world_.now();
  client().send(std::string(10'000, 's'));
  world_.run_until([&] { return !server().received().empty(); });
  EXPECT_LT(world_.now() - start, 2s) << "the first bytes do not wait for the last";
  world_.run_until([&] { return server().received().size() == 10'000; });
  EXPECT_GE(world_.now() - start, 10s);
  EXPECT_LT(world_.now() - start, 11s);
}

TEST_F(SimNetworkTest, AFullConnectionBlocksItsWriter) {
  SimFaults faults;
  faults.buffer_bytes = 1000;
  open(faults);
  server().pause_reading();
  client().send(std::string(5000, 'b'));
  world_.run_until_quiet();
  EXPECT_EQ(client().unsent_bytes(), 4000u);
  server().resume_reading();
  world_.run_until_quiet();
  EXPECT_EQ(client().unsent_bytes(), 0u);
  EXPECT_EQ(server().received().size(), 5000u);
}

TEST_F(SimNetworkTest, ComesInPiecesAndWhole) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i);
  open(SimFaults::pieces());
  size_t arrivals = 0;
  server().on_news = [&](SimPeer&) { ++arrivals; };
  client().send(text);
  client().finish_sending();
  world_.run_until_quiet();
  EXPECT_EQ(server().received(), text);
  EXPECT_TRUE(server().has_ended());
  EXPECT_GT(arrivals, 20u);
}

/// Looks at single calls, as no SimPeer does.
struct Looker : net::StreamHandler {
  explicit Looker(net::Stream& s) : stream(s) { stream.set_handler(this); }
  void on_readable() override { ++readable; }
  void on_writable() override { ++writable; }
  net::Transfer read(size_t bytes) {
    room.resize(bytes);
    const iovec entry{room.data(), bytes};
    return stream.read({&entry, 1});
  }
  net::Stream& stream;
  std::string room;
  int readable = 0;
  int writable = 0;
};

TEST_F(SimNetworkTest, ReadinessIsAnEdge) {
  open();
  Looker looker(server().stream());
  world_.run_for(1s);
  EXPECT_EQ(looker.readable + looker.writable, 0);
  client().send("ab");
  world_.run_for(1s);
  EXPECT_EQ(looker.readable, 1);
  client().send("cd");
  world_.run_for(1s);
  EXPECT_EQ(looker.readable, 1) << "told already, and nobody has read until Blocked";
  EXPECT_EQ(looker.read(3).bytes, 3u);
  client().send("e");
  world_.run_for(1s);
  EXPECT_EQ(looker.readable, 1);
  EXPECT_EQ(looker.read(9).bytes, 2u);
  EXPECT_EQ(looker.read(9).status, net::Transfer::Status::Blocked);
  client().send("f");
  world_.run_for(1s);
  EXPECT_EQ(looker.readable, 2);
  EXPECT_EQ(looker.writable, 0);
}

TEST_F(SimNetworkTest, GathersAndScatters) {
  open();
  Looker looker(server().stream());
  char text[] = "gathered";
  const std::array<iovec, 2> data{iovec{text, 4}, iovec{text + 4, 4}};
  EXPECT_EQ(client().stream().write(data).bytes, 8u);
  world_.run_for(1s);
  char first[3], second[10];
  const std::array<iovec, 2> room{iovec{first, 3}, iovec{second, 10}};
  EXPECT_EQ(server().stream().read(room).bytes, 8u);
  EXPECT_EQ(std::string(first, 3) + std::string(second, 5), "gathered");
}

TEST_F(SimNetworkTest, ShortReadsAndWritesGoDownToOneByte) {
  SimFaults faults;
  faults.short_read = faults.short_write = 1;
  open(faults);
  Looker looker(server().stream());
  size_t smallest_write = 100, smallest_read = 100;
  for (int i = 0; i < 200; ++i) {
    char bytes[8] = {};
    const iovec entry{bytes, sizeof bytes};
    smallest_write = std::min(smallest_write, client().stream().write({&entry, 1}).bytes);
  }
  world_.run_for(1s);
  for (net::Transfer t = looker.read(4); t.status == net::Transfer::Status::Done; t = looker.read(4)) {
    smallest_read = std::min(smallest_read, t.bytes);
  }
  EXPECT_EQ(smallest_write, 1u);
  EXPECT_EQ(smallest_read, 1u);
}

TEST_F(SimNetworkTest, AResetDestroysWhatIsOnTheWay) {
  open();
  client().send("arrived");
  world_.run_for(1s);
  client().send("lost");
  client().reset();
  world_.run_until_quiet();
  EXPECT_EQ(server().received(), "arrived");
  EXPECT_TRUE(server().was_reset());
  EXPECT_FALSE(server().has_ended());
}

TEST_F(SimNetworkTest, AResetLeavesWhatHasArrivedUnlessToldOtherwise) {
  for (const double loses : {0.0, 1.0}) {
    SimFaults faults;
    faults.reset_loses_unread = loses;
    open(faults);
    server().pause_reading();
    client().send("unread");
    world_.run_for(1s);
    client().reset();
    world_.run_for(1s);
    server().resume_reading();
    EXPECT_EQ(server().received(), loses > 0 ? "" : "unread");
    EXPECT_TRUE(server().was_reset());
    client_.reset();
    server_.reset();
  }
}

TEST_F(SimNetworkTest, AResetIsToldToAHeldReaderAndABlockedWriter) {
  SimFaults faults;
  faults.buffer_bytes = 4;
  open(faults);
  Looker looker(server().stream());
  client().send("1");
  world_.run_for(1s);
  const iovec entry{const_cast<char*>("123456"), 6};
  client().pause_reading();
  EXPECT_EQ(server().stream().write({&entry, 1}).bytes, 4u);
  EXPECT_EQ(server().stream().write({&entry, 1}).status, net::Transfer::Status::Blocked);
  client().reset();
  world_.run_for(1s);
  EXPECT_EQ(looker.readable, 2);
  EXPECT_EQ(looker.writable, 1);
  EXPECT_EQ(server().stream().write({&entry, 1}).status, net::Transfer::Status::Failed);
}

TEST_F(SimNetworkTest, ClosingWithUnreadBytesIsAReset) {
  open();
  server().pause_reading();
  client().send("never read");
  world_.run_for(1s);
  server().send("413");
  server().close();
  world_.run_until_quiet();
  EXPECT_TRUE(client().was_reset());
  EXPECT_EQ(client().received(), "") << "this is how an answer is eaten";
}

TEST_F(SimNetworkTest, WritingToAClosedPeerIsAnsweredByAReset) {
  open();
  server().close();
  world_.run_until_quiet();
  EXPECT_TRUE(client().has_ended());
  const iovec entry{const_cast<char*>("x"), 1};
  EXPECT_EQ(client().stream().write({&entry, 1}).status, net::Transfer::Status::Done);
  world_.run_until_quiet();
  const net::Transfer after = client().stream().write({&entry, 1});
  EXPECT_EQ(after.status, net::Transfer::Status::Failed);
  EXPECT_EQ(after.code, ErrorCode::Reset);
}

TEST_F(SimNetworkTest, NobodyThereIsARefusal) {
  client_ = std::make_unique<SimClient>(outside_, address_);
  EXPECT_EQ(client_->calls(), 0);
  world_.run_until_quiet();
  EXPECT_EQ(client_->error().code, ErrorCode::ConnectFailure);
  EXPECT_EQ(client_->error().side, Side::Upstream);
  EXPECT_EQ(client_->error().detail, "10.0.0.1:80: Connection refused");
}

TEST_F(SimNetworkTest, BehavesAsScripted) {
  using Connect = SimBehaviour::Connect;
  server_ = std::make_unique<SimServer>(worker_, address_);
  world_.set_behaviour(address_, {.connect = Connect::Refuse});
  client_ = std::make_unique<SimClient>(outside_, address_);
  world_.run_until_quiet();
  EXPECT_TRUE(client_->has_failed());

  world_.set_behaviour(address_, {.connect = Connect::BlackHole});
  client_ = std::make_unique<SimClient>(outside_, address_);
  world_.run_for(24h);
  EXPECT_EQ(client_->calls(), 0);
  EXPECT_EQ(world_.pending_operations(), 1u);

  world_.set_behaviour(address_, {.connect = Connect::Silent});
  client_ = std::make_unique<SimClient>(outside_, address_);
  client_->send("anybody?");
  world_.run_for(24h);
  ASSERT_TRUE(client_->is_connected());
  EXPECT_FALSE(client().is_over());
  EXPECT_TRUE(server_->peers().empty());
}

TEST_F(SimNetworkTest, ResetsAndCutsAtTheExactByte) {
  for (const bool is_reset : {true, false}) {
    SimBehaviour behaviour;
    (is_reset ? behaviour.reset_after_bytes : behaviour.cut_after_bytes) = 5;
    world_.set_behaviour(address_, behaviour);
    open();
    server().send("1234567890");
    world_.run_until_quiet();
    EXPECT_EQ(client().received(), "12345");
    EXPECT_EQ(client().was_reset(), is_reset);
    EXPECT_EQ(client().has_ended(), !is_reset);
    EXPECT_EQ(server().was_reset(), is_reset);
    server().send("more");
    world_.run_until_quiet();
    EXPECT_TRUE(server().was_reset());
    client_.reset();
    server_.reset();
  }
}

TEST_F(SimNetworkTest, EveryFaultStrikesAtItsChance) {
  struct Case {
    double SimFaults::*chance;
    const char* name;
  };
  server_ = std::make_unique<SimServer>(worker_, address_);
  server_->on_peer = [](SimPeer& peer) { peer.send(std::string(2000, 'a')); };
  for (const Case& one :
       {Case{&SimFaults::refuse, "refuse"}, Case{&SimFaults::black_hole, "black hole"},
        Case{&SimFaults::silent, "silent"}, Case{&SimFaults::reset, "reset"}, Case{&SimFaults::cut, "cut"}}) {
    SimFaults faults;
    faults.*one.chance = 0.5;
    faults.fault_bytes_max = 1000;
    world_.set_faults(faults);
    int good = 0;
    for (int i = 0; i < 100; ++i) {
      SimClient client(outside_, address_);
      client.send(std::string(2000, 'q'));
      world_.run_for(1s);
      good += client.is_connected() && client.peer().received().size() == 2000 && !client.peer().is_over();
    }
    EXPECT_GT(good, 25) << one.name;
    EXPECT_LT(good, 80) << one.name;
  }
}

TEST_F(SimNetworkTest, APartitionHoldsEverythingAndLosesNothing) {
  open();
  client().send("before ");
  world_.run_for(1s);
  world_.partition(address_);
  client().send("during ");
  server().send("answer");
  SimClient late(outside_, address_);
  world_.run_for(10s);
  EXPECT_EQ(server().received(), "before ");
  EXPECT_EQ(client().received(), "");
  EXPECT_EQ(late.calls(), 0);
  world_.heal(address_);
  client().send("after");
  world_.run_for(64s);
  EXPECT_EQ(server_->peers().front()->received(), "before during after");
  EXPECT_EQ(client().received(), "answer");
  EXPECT_TRUE(late.is_connected());
}

TEST_F(SimNetworkTest, WorkersOfAProcessShareAnAddress) {
  SimWorker second(world_);
  SimServer one(worker_, address_), two(second, address_);
  std::vector<std::unique_ptr<SimClient>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(std::make_unique<SimClient>(outside_, address_));
  world_.run_until_quiet();
  EXPECT_EQ(one.peers().size() + two.peers().size(), 40u);
  EXPECT_GT(one.peers().size(), 5u);
  EXPECT_GT(two.peers().size(), 5u);
}

TEST_F(SimNetworkTest, AnAddressInUseIsAnError) {
  server_ = std::make_unique<SimServer>(worker_, address_);
  EXPECT_EQ(refusal(worker_, address_), "10.0.0.1:80: Address already in use");
  EXPECT_EQ(refusal(outside_, address_), "10.0.0.1:80: Address already in use");
  EXPECT_THAT(refusal(worker_, address_of("example.org:80")), HasSubstr("needs an IP address"));
  server_.reset();
  EXPECT_EQ(refusal(outside_, address_), "");
}

TEST_F(SimNetworkTest, PortZeroIsOnePortForAProcess) {
  SimWorker second(world_);
  const net::Address any_port = address_of("127.0.0.1:0");
  SimServer one(worker_, any_port), again(worker_, any_port), two(second, any_port),
      other(outside_, any_port);
  EXPECT_NE(one.local().port, 0);
  EXPECT_EQ(two.local(), one.local());
  EXPECT_NE(again.local(), one.local());
  EXPECT_NE(other.local(), one.local());
}

TEST_F(SimNetworkTest, WildcardsAndUnixPathsAreFound) {
  SimServer any(worker_, address_of("0.0.0.0:81")), path(worker_, address_of("unix:/run/app.sock"));
  SimClient to_any(outside_, address_of("10.9.8.7:81")), to_path(outside_, address_of("unix:/run/app.sock"));
  world_.run_until_quiet();
  ASSERT_TRUE(to_any.is_connected());
  ASSERT_TRUE(to_path.is_connected());
  EXPECT_EQ(any.peers()[0]->stream().local(), address_of("10.9.8.7:81"));
  EXPECT_EQ(any.peers()[0]->stream().peer(), to_any.peer().stream().local());
  EXPECT_EQ(to_path.peer().stream().peer(), address_of("unix:/run/app.sock"));
}

TEST_F(SimNetworkTest, BindsToTheAskedAddress) {
  open({}, {.bind = {net::Address::Kind::Ip4, "10.0.0.9", 0}});
  EXPECT_EQ(server().stream().peer().host, "10.0.0.9");
}

TEST_F(SimNetworkTest, PauseLeavesNewcomersInTheBacklog) {
  open();
  server_->listener().pause();
  SimClient second(outside_, address_);
  world_.run_until_quiet();
  EXPECT_TRUE(second.is_connected());
  EXPECT_EQ(server_->peers().size(), 1u);
  server_->listener().resume();
  world_.run_until_quiet();
  EXPECT_EQ(server_->peers().size(), 2u);
}

TEST_F(SimNetworkTest, AFullBacklogLetsNewcomersTryAgain) {
  server_ = std::make_unique<SimServer>(worker_, address_, net::ListenOptions{.backlog = 1});
  server_->listener().pause();
  SimClient first(outside_, address_), second(outside_, address_);
  world_.run_for(500ms);
  EXPECT_EQ(first.calls() + second.calls(), 1);
  server_->listener().resume();
  world_.run_for(1s);
  EXPECT_TRUE(first.is_connected());
  EXPECT_TRUE(second.is_connected());
}

TEST_F(SimNetworkTest, ClosingAListenerHandsOutItsBacklog) {
  struct Count : net::ListenHandler {
    void on_accept(std::unique_ptr<net::Stream>) override { ++accepted; }
    void on_accept_paused(const Error&) override {}
    int accepted = 0;
  } count;
  auto listener = std::move(*worker_.network.listen(address_, {}, count));
  listener->pause();
  SimClient one(outside_, address_), two(outside_, address_);
  world_.run_until_quiet();
  listener.reset();
  EXPECT_EQ(count.accepted, 2);
}

TEST_F(SimNetworkTest, AcceptingRestsWhenDescriptorsRunOut) {
  worker_.network.set_descriptors_max(1);
  open();
  SimClient second(outside_, address_);
  world_.run_for(1s);
  EXPECT_EQ(server_->peers().size(), 1u);
  EXPECT_EQ(server_->pauses(), 10u) << "once every " << to_seconds(limits::accept_pause) << " s";
  SimClient from_worker(worker_, address_);
  world_.run_for(1ms);
  EXPECT_EQ(from_worker.error().code, ErrorCode::Resources);
  server().close();
  world_.run_for(limits::accept_pause);
  EXPECT_EQ(server_->peers().size(), 2u);
}

TEST_F(SimNetworkTest, DestroyingAnOperationCallsItOff) {
  server_ = std::make_unique<SimServer>(worker_, address_);
  SimClient client(outside_, address_);
  client.drop();
  world_.run_until_quiet();
  EXPECT_EQ(client.calls(), 0);
  SimClient half_way(outside_, address_);
  ASSERT_EQ(world_.run_until([&] { return !server_->peers().empty(); }), Outcome::Met);
  half_way.drop();
  world_.run_until_quiet();
  EXPECT_EQ(half_way.calls(), 0);
  EXPECT_TRUE(server().is_over());
}

TEST_F(SimNetworkTest, AHandlerMayDestroyWhatIsReadyWithIt) {
  open();
  SimClient second(outside_, address_);
  world_.run_until_quiet();
  struct Killer : net::StreamHandler {
    void on_readable() override {
      ++calls;
      victims.clear();
    }
    void on_writable() override { ++calls; }
    std::vector<std::unique_ptr<net::Stream>> victims;
    int calls = 0;
  } killer;
  struct Take : net::ListenHandler {
    explicit Take(Killer& k) : killer(k) {}
    void on_accept(std::unique_ptr<net::Stream> stream) override {
      stream->set_handler(&killer);
      killer.victims.push_back(std::move(stream));
    }
    void on_accept_paused(const Error&) override {}
    Killer& killer;
  } take(killer);
  const auto listener = std::move(*worker_.network.listen(address_of("10.0.0.2:80"), {}, take));
  SimClient one(outside_, listener->local()), two(outside_, listener->local());
  world_.run_until_quiet();
  one.send("x");
  two.send("y");
  world_.run_until_quiet();
  EXPECT_EQ(killer.calls, 1);
}

TEST_F(SimNetworkTest, AHandlerMayDestroyItsStreamBeforeTheRestIsTold) {
  SimFaults faults;
  faults.buffer_bytes = 4;
  world_.set_faults(faults);
  struct Destroyer : net::StreamHandler, net::ListenHandler {
    void on_accept(std::unique_ptr<net::Stream> accepted) override {
      stream = std::move(accepted);
      stream->set_handler(this);
      const iovec entry{const_cast<char*>("123456"), 6};
      stream->write({&entry, 1});
    }
    void on_accept_paused(const Error&) override {}
    void on_readable() override {
      ++calls;
      stream.reset();
    }
    void on_writable() override { ++calls; }
    std::unique_ptr<net::Stream> stream;
    int calls = 0;
  } destroyer;
  const auto listener = std::move(*worker_.network.listen(address_, {}, destroyer));
  SimClient one(outside_, address_);
  one.on_peer = [](SimPeer& peer) { peer.pause_reading(); };
  world_.run_until_quiet();
  one.peer().reset();  // news for the reader and for the blocked writer
  world_.run_until_quiet();
  EXPECT_EQ(destroyer.calls, 1);
}

struct Answer : net::ResolveHandler {
  void on_resolved(Result<net::Resolution> result) override {
    ++calls;
    if (result) resolution = *result;
    if (!result) error = result.error();
  }
  net::Resolution resolution;
  Error error;
  int calls = 0;
};

struct ServiceAnswer : net::ServiceHandler {
  void on_service(Result<net::ServiceResolution> result) override {
    ++calls;
    if (result) resolution = *result;
    if (!result) error = result.error();
  }
  net::ServiceResolution resolution;
  Error error;
  int calls = 0;
};

TEST_F(SimNetworkTest, ResolvesNames) {
  world_.dns().set("Api.example", {"10.0.0.5", "fd00::5"}, 7s);
  world_.dns().set("empty.example", {});
  world_.dns().silence("slow.example");
  world_.dns().fail("broken.example");
  using net::Absence;
  struct Question {
    const char* text;
    std::vector<net::Address> addresses = {};
    Duration ttl = 0s;
    Absence absence = Absence::None;
  };
  for (const Question& question :
       {Question{"api.example:80", {address_of("10.0.0.5:80"), address_of("[fd00::5]:80")}, 7s},
        Question{"localhost:81", {address_of("127.0.0.1:81")}, SimDns::usual_ttl},
        Question{"10.1.1.1:82", {address_of("10.1.1.1:82")}, Duration::max()},
        Question{"unknown.example:83", {}, 0s, Absence::NoName},
        Question{"empty.example:83", {}, 0s, Absence::NoRecords}, Question{"slow.example:84"},
        Question{"broken.example:85"}}) {
    Answer answer;
    const auto operation = worker_.network.resolve(address_of(question.text), answer);
    EXPECT_EQ(answer.calls, 0);
    world_.run_for(10s);
    const std::string_view text(question.text);
    EXPECT_EQ(answer.calls, text.starts_with("slow") ? 0 : 1) << text;
    EXPECT_EQ(answer.resolution.addresses, question.addresses) << text;
    EXPECT_EQ(answer.resolution.ttl, question.ttl) << text;
    EXPECT_EQ(answer.resolution.absence, question.absence) << text;
    EXPECT_EQ(answer.error.code, text.starts_with("broken") ? ErrorCode::ResolveFailure : Error().code)
        << text;
  }
  SimFaults faults;
  faults.resolve_failure = 1;
  world_.set_faults(faults);
  Answer answer;
  const auto operation = worker_.network.resolve(address_of("api.example:80"), answer);
  world_.run_for(1s);
  EXPECT_EQ(answer.error.code, ErrorCode::ResolveFailure);
}

TEST_F(SimNetworkTest, NamesChange) {
  SimDns& dns = world_.dns();
  const auto ask = [&] {
    Answer answer;
    const auto operation = worker_.network.resolve(address_of("api.test:80"), answer);
    world_.run_for(1s);
    if (answer.calls == 0) return std::string("silence");
    if (answer.error.code == ErrorCode::ResolveFailure) return std::string("failure");
    return answer.resolution.addresses.empty() ? "nothing" : answer.resolution.addresses[0].host;
  };
  dns.set("api.test", {"10.0.0.1"});
  EXPECT_EQ(ask(), "10.0.0.1");
  dns.set("API.test", {"10.0.0.2"});
  EXPECT_EQ(ask(), "10.0.0.2");
  dns.fail("api.test");
  EXPECT_EQ(ask(), "failure");
  dns.silence("api.test");
  EXPECT_EQ(ask(), "silence");
  dns.set("api.test", {"10.0.0.3"});
  EXPECT_EQ(ask(), "10.0.0.3");
  dns.remove("api.test");
  EXPECT_EQ(ask(), "nothing");
}

class SimServiceTest : public SimNetworkTest {
 protected:
  ServiceAnswer ask(const std::string& name) {
    ServiceAnswer answer;
    const auto operation = worker_.network.resolve_service(name, answer);
    EXPECT_EQ(answer.calls, 0);
    world_.run_for(1s);
    return answer;
  }
};

TEST_F(SimServiceTest, ResolvesTargets) {
  SimDns& dns = world_.dns();
  dns.set("a.test", {"10.0.0.1", "fd00::1"}, 20s);
  dns.set("b.test", {"10.0.0.2"}, 5s);
  dns.set_service("_http._tcp.test", {{"A.test", 8080, 1, 60}, {"b.test", 8081, 2, 0}, {"gone.test", 1}},
                  30s);
  const ServiceAnswer answer = ask("_HTTP._tcp.test");
  ASSERT_EQ(answer.calls, 1);
  ASSERT_EQ(answer.resolution.endpoints.size(), 3u);
  EXPECT_EQ(answer.resolution.endpoints[1].address, address_of("[fd00::1]:8080"));
  EXPECT_EQ(answer.resolution.endpoints[1].weight, 60);
  EXPECT_EQ(answer.resolution.endpoints[1].target, "a.test");
  EXPECT_EQ(answer.resolution.endpoints[2].priority, 2);
  EXPECT_EQ(answer.resolution.ttl, 5s);
  EXPECT_TRUE(answer.resolution.unanswered.empty());
}

TEST_F(SimServiceTest, TellsWhatIsNotAnsweredFromWhatIsNot) {
  SimDns& dns = world_.dns();
  dns.set("a.test", {"10.0.0.1"});
  dns.fail("b.test");
  dns.set_service("half.test", {{"a.test", 1}, {"b.test", 2}, {"b.test", 3}});
  dns.set_service("none.test", {{"b.test", 2}});
  dns.set_service("empty.test", {});
  dns.fail("broken.test");
  dns.silence("silent.test");
  EXPECT_THAT(ask("half.test").resolution.unanswered, ElementsAre("b.test"));
  EXPECT_EQ(ask("half.test").resolution.endpoints.size(), 1u);
  EXPECT_EQ(ask("none.test").error.code, ErrorCode::ResolveFailure);
  EXPECT_EQ(ask("broken.test").error.code, ErrorCode::ResolveFailure);
  EXPECT_EQ(ask("empty.test").resolution.absence, net::Absence::NoRecords);
  EXPECT_EQ(ask("unknown.test").resolution.absence, net::Absence::NoName);
  EXPECT_EQ(ask("silent.test").calls, 0);
}

TEST_F(SimServiceTest, TheSeedDecidesWhenAnAnswerComes) {
  const auto play = [](uint64_t seed) {
    SimFaults faults;
    faults.resolve_failure = 0.3;
    SimWorld world(seed, faults);
    SimWorker worker(world);
    world.dns().set("a.test", {"10.0.0.1"});
    world.dns().set_service("s.test", {{"a.test", 80}});
    std::vector<std::pair<Instant, bool>> moments;
    for (int i = 0; i < 20; ++i) {
      ServiceAnswer answer;
      const auto operation = worker.network.resolve_service("s.test", answer);
      world.run_until([&] { return answer.calls > 0; });
      moments.emplace_back(world.now(), answer.resolution.endpoints.empty());
    }
    return moments;
  };
  EXPECT_EQ(play(1), play(1));
  EXPECT_NE(play(1), play(2));
}

TEST_F(SimNetworkTest, SendsSlowlyOnTheVirtualClock) {
  open();
  const Instant start = world_.now();
  client().send_slowly("slow loris", 1, 1h);
  client().close_when_sent();
  world_.run_until([&] { return server().has_ended(); });
  EXPECT_EQ(server().received(), "slow loris");
  EXPECT_GE(world_.now() - start, 9h);
}

TEST_F(SimNetworkTest, SpuriousCallsAndShortTurnsHappen) {
  SimFaults faults;
  faults.spurious = 0.5;
  open(faults);
  int news = 0;
  server().on_news = [&](SimPeer&) { ++news; };
  for (int i = 0; i < 50; ++i) {
    client().send("x");
    world_.run_for(1s);
  }
  EXPECT_GT(news, 60);
}

}  // namespace
}  // namespace perilune::sim
