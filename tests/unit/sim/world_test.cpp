#include "sim/world.hpp"

#include <gtest/gtest.h>

#include "sim/network.hpp"
#include "sim/peer.hpp"

namespace perilune::sim {
namespace {

using Outcome = SimWorld::Outcome;

net::Address address_of(std::string_view text) { return net::Address::parse(text).value(); }

struct Alarm : loop::Timer {
  explicit Alarm(SimWorker& w) : worker(w) {}
  void on_timer() override { rang.push_back(worker.driver.now()); }
  SimWorker& worker;
  std::vector<Instant> rang;
};

TEST(SimWorldTest, TimeJumpsToTheNextTimer) {
  SimWorld world(1);
  SimWorker worker(world);
  const Instant start = world.now();
  Alarm alarm(worker);
  worker.loop.arm(alarm, 1h);
  EXPECT_EQ(world.run_until([&] { return !alarm.rang.empty(); }), Outcome::Met);
  EXPECT_EQ(alarm.rang[0], start + 1h);
  EXPECT_LT(worker.loop.turns(), 10u);
  EXPECT_NEAR(world.wall_seconds(), 1'750'000'000 + 3600, 1e-6);
}

TEST(SimWorldTest, SaysHowARunEnded) {
  SimWorld world(1);
  SimWorker worker(world);
  EXPECT_EQ(world.run_until_quiet(), Outcome::Quiet);
  Alarm alarm(worker);
  worker.loop.arm(alarm, 10s);
  const Instant start = world.now();
  EXPECT_EQ(world.run_until_quiet(start + 4s), Outcome::TimeOut);
  EXPECT_EQ(world.now(), start + 4s);
  EXPECT_EQ(world.run_until_quiet(), Outcome::Quiet);
  EXPECT_EQ(alarm.rang.size(), 1u);
  world.run_for(3s);
  EXPECT_EQ(world.now(), start + 13s);
}

TEST(SimWorldTest, ActionsHappenAtTheirMoment) {
  SimWorld world(1);
  const Instant start = world.now();
  std::vector<Duration> seen;
  for (const Duration delay : {Duration(3s), Duration(1s), Duration(2s)}) {
    world.after(delay, [&] { seen.push_back(world.now() - start); });
  }
  world.run_until_quiet();
  EXPECT_EQ(seen, (std::vector<Duration>{1s, 2s, 3s}));
}

TEST(SimWorldTest, TheSeedOrdersWhatHappensAtOnce) {
  const auto order_of = [](uint64_t seed) {
    SimWorld world(seed);
    std::string order;
    for (const char c : {'a', 'b', 'c', 'd', 'e', 'f'}) world.after(1s, [&order, c] { order += c; });
    world.run_until_quiet();
    return order;
  };
  EXPECT_EQ(order_of(5), order_of(5));
  int different = 0;
  for (uint64_t seed = 0; seed < 10; ++seed) different += order_of(seed) != order_of(seed + 100);
  EXPECT_GT(different, 5);
}

TEST(SimWorldTest, ALoopMayRunAlone) {
  SimWorld world(1);
  SimDriver driver(world);
  loop::Loop loop(driver);
  const Instant start = world.now();
  bool happened = false;
  world.after(5s, [&] { happened = true; });
  loop.run_turn(start + 2s);
  EXPECT_EQ(world.now(), start + 2s);
  EXPECT_FALSE(happened);
  loop.run_turn(start + 6s);
  EXPECT_TRUE(happened);
  EXPECT_EQ(world.now(), start + 6s);
  driver.wake();
  loop.run_turn();  // would be for ever otherwise
}

TEST(SimWorldTest, PostedAndDeferredWorkIsSeen) {
  SimWorld world(1);
  SimWorker worker(world);
  world.run_until_quiet();
  int posted = 0;
  worker.loop.post([&] { ++posted; });
  struct Chain : loop::Task {
    explicit Chain(loop::Loop& l) : loop(l) {}
    void run_task() override {
      if (++runs < 5) loop.defer_to_next_turn(*this);
    }
    loop::Loop& loop;
    int runs = 0;
  } chain(worker.loop);
  worker.loop.defer(chain);
  const Instant before = world.now();
  world.run_until_quiet();
  EXPECT_EQ(posted, 1);
  EXPECT_EQ(chain.runs, 5);
  EXPECT_EQ(world.now(), before);
}

TEST(SimWorldTest, AStoppedLoopIsLeftAlone) {
  SimWorld world(1);
  SimWorker worker(world);
  Alarm alarm(worker);
  worker.loop.arm(alarm, 1s);
  worker.loop.stop();
  EXPECT_EQ(world.run_until_quiet(), Outcome::Quiet);
  EXPECT_TRUE(alarm.rang.empty());
}

/// Three engine workers echo what eight clients send through a hostile network.
struct Play {
  explicit Play(uint64_t seed) : world(seed, SimFaults::of_seed(seed)) {
    const net::Address address = address_of("127.0.0.1:8000");
    for (SimWorker* worker : {&one, &two, &three}) {
      servers.push_back(std::make_unique<SimServer>(*worker, address));
      servers.back()->on_peer = [](SimPeer& peer) {
        peer.on_news = [](SimPeer& p) {
          if (p.was_reset()) return p.close();
          p.send(p.take_received());
          if (p.has_ended()) p.close_when_sent();
        };
      };
    }
    for (int i = 0; i < 8; ++i) {
      clients.push_back(std::make_unique<SimClient>(outside, address));
      SimClient& client = *clients.back();
      client.on_peer = [&client, i](SimPeer& peer) {
        client.send(std::string(static_cast<size_t>(100 * i), static_cast<char>('a' + i)));
        peer.finish_sending();
      };
    }
    world.run_until_quiet(world.now() + 10min);
  }
  ~Play() {
    clients.clear();
    servers.clear();
    world.run_until_quiet();
    EXPECT_EQ(world.alive_streams(), 0u);
    EXPECT_EQ(world.alive_listeners(), 0u);
    EXPECT_EQ(world.pending_operations(), 0u);
  }

  std::string summary() const {
    std::string text;
    for (const auto& client : clients) {
      text +=
          client->is_connected() ? std::to_string(client->peer().received().size()) : client->error().detail;
      text += ' ';
    }
    return text;
  }

  SimWorld world;
  SimWorker one{world}, two{world}, three{world}, outside{world, SimProcess::Outside};
  std::vector<std::unique_ptr<SimServer>> servers;
  std::vector<std::unique_ptr<SimClient>> clients;
};

TEST(SimWorldTest, TheSameSeedIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Play first(seed);
    const Play second(seed);
    ASSERT_EQ(first.world.trace_hash(), second.world.trace_hash()) << "seed " << seed;
    ASSERT_EQ(first.summary(), second.summary()) << "seed " << seed;
    const Play other(seed + 1000);
    ASSERT_NE(first.world.trace_hash(), other.world.trace_hash()) << "seed " << seed;
  }
}

TEST(SimWorldTest, WhatArrivesIsAlwaysTheBeginningOfWhatWasSent) {
  size_t whole = 0, partial = 0, unconnected = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const Play play(seed);
    for (size_t i = 0; i < play.clients.size(); ++i) {
      SimClient& client = *play.clients[i];
      if (!client.is_connected()) {
        ++unconnected;
        continue;
      }
      const std::string sent(100 * i, static_cast<char>('a' + i));
      const std::string& received = client.peer().received();
      ASSERT_EQ(received, sent.substr(0, received.size())) << "seed " << seed;
      ++(received == sent ? whole : partial);
    }
  }
  EXPECT_GT(whole, 500u);
  EXPECT_GT(partial, 100u);
  EXPECT_GT(unconnected, 20u);
}

}  // namespace
}  // namespace perilune::sim
