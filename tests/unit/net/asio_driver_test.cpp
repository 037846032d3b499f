#include "net/asio_driver.hpp"

#include <sys/eventfd.h>

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <thread>

#include "net_support.hpp"

namespace perilune::net {
namespace {

/// An eventfd in the driver's set.
struct Bell : EventTarget {
  explicit Bell(AsioDriver& driver) : EventTarget(driver), fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    EXPECT_TRUE(driver.watch(fd.get(), EPOLLIN, *this));
  }
  void ring() { eventfd_write(fd.get(), 1); }
  void on_events(uint32_t events) override {
    ++calls;
    last_events = events;
    if (action) action();
  }

  Descriptor fd;
  int calls = 0;
  uint32_t last_events = 0;
  std::function<void()> action;
};

TEST(AsioDriverTest, WaitEndsAtItsDeadline) {
  AsioDriver driver;
  const Instant start = driver.now();
  driver.wait(start + 20ms);
  EXPECT_GE(driver.now(), start + 20ms);
  EXPECT_LT(driver.now(), start + 10s);
}

TEST(AsioDriverTest, ABlockedWaitSeesEveryEdge) {
  AsioDriver driver;
  Bell bell(driver);
  for (int i = 1; i <= 50; ++i) {
    std::thread ringer([&] { bell.ring(); });
    while (bell.calls < i) {
      driver.wait(Instant::max());
      driver.dispatch();
    }
    ringer.join();
    EXPECT_EQ(bell.calls, i);
  }
}

TEST(AsioDriverTest, WakeEndsABlockedWaitFromAnotherThread) {
  AsioDriver driver;
  for (int i = 0; i < 200; ++i) {
    std::thread waker([&] { driver.wake(); });
    driver.wait(Instant::max());
    waker.join();
  }
}

TEST(AsioDriverTest, WakeBeforeTheWaitEndsIt) {
  AsioDriver driver;
  driver.wake();
  driver.wake();
  driver.wait(Instant::max());
  const Instant start = driver.now();
  driver.wait(start + 5ms);
  EXPECT_GE(driver.now(), start + 5ms) << "one wake ends one wait";
}

TEST(AsioDriverTest, PostedWorkArrivesFromOtherThreads) {
  AsioDriver driver;
  loop::Loop loop(driver);
  int done = 0;
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int k = 0; k < 500; ++k) loop.post([&] { ++done; });
    });
  }
  while (done < 2000) loop.run_turn();
  for (auto& poster : posters) poster.join();
}

TEST(AsioDriverTest, ATurnIsBoundedAndTheRestFollows) {
  AsioDriver driver;
  std::vector<std::unique_ptr<Bell>> bells;
  int calls = 0;
  for (int i = 0; i < limits::turn_events_max + 40; ++i) {
    bells.push_back(std::make_unique<Bell>(driver));
    bells.back()->action = [&] { ++calls; };
    bells.back()->ring();
  }
  driver.wait(Instant::max());
  driver.dispatch();
  EXPECT_EQ(calls, limits::turn_events_max);
  driver.wait(Instant::max());
  driver.dispatch();
  EXPECT_EQ(calls, limits::turn_events_max + 40);
}

TEST(AsioDriverTest, ALongTurnIsCutByTime) {
  AsioDriver driver;
  std::vector<std::unique_ptr<Bell>> bells;
  int calls = 0;
  for (int i = 0; i < 64; ++i) {
    bells.push_back(std::make_unique<Bell>(driver));
    bells.back()->action = [&] {
      ++calls;
      for (const Instant until = driver.now() + 1ms; driver.now() < until;) {
      }
    };
    bells.back()->ring();
  }
  driver.wait(Instant::max());
  driver.dispatch();
  EXPECT_LT(calls, 64);
  for (int turns = 0; calls < 64 && turns < 64; ++turns) {
    driver.wait(Instant::max());
    driver.dispatch();
  }
  EXPECT_EQ(calls, 64) << "what was left over makes the next wait return at once";
}

TEST(AsioDriverTest, EventsOfADestroyedTargetAreTakenBack) {
  AsioDriver driver;
  std::vector<std::unique_ptr<Bell>> bells;
  int calls = 0;
  for (int i = 0; i < 8; ++i) {
    bells.push_back(std::make_unique<Bell>(driver));
    bells.back()->ring();
    bells.back()->action = [&] {
      ++calls;
      bells.clear();  // this one and all others
    };
  }
  driver.redeliver(*bells.back(), EPOLLIN);
  driver.wait(Instant::max());
  driver.dispatch();
  EXPECT_EQ(calls, 1);
}

TEST(AsioDriverTest, RedeliveryComesInTheNextDispatch) {
  AsioDriver driver;
  Bell bell(driver);
  bell.action = [&] {
    if (bell.calls < 3) driver.redeliver(bell, EPOLLRDHUP);
  };
  driver.redeliver(bell, EPOLLOUT);
  EXPECT_EQ(bell.calls, 0);
  driver.wait(Instant::max());
  driver.dispatch();
  EXPECT_EQ(bell.calls, 1);
  EXPECT_EQ(bell.last_events, static_cast<uint32_t>(EPOLLOUT));
  driver.wait(Instant::max());
  driver.dispatch();
  EXPECT_EQ(bell.calls, 2);
}

TEST(AsioDriverTest, LevelTriggeredTargetsAreTalkedToUntilTheyAreServed) {
  AsioDriver driver;
  struct Level : EventTarget {
    explicit Level(AsioDriver& d) : EventTarget(d), fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
      EXPECT_TRUE(d.watch(fd.get(), EPOLLIN, *this, AsioDriver::Trigger::Level));
    }
    void on_events(uint32_t) override { ++calls; }
    Descriptor fd;
    int calls = 0;
  } level(driver);
  eventfd_write(level.fd.get(), 1);
  for (int i = 1; i <= 5; ++i) {
    driver.wait(Instant::max());
    driver.dispatch();
    EXPECT_EQ(level.calls, i);
  }
}

TEST(AsioDriverTest, AsioIsServedUnderLoadAndAtRest) {
  AsioDriver driver;
  Bell one(driver);
  Bell two(driver);
  int fired = 0;
  boost::asio::steady_timer timer(driver.context());
  const auto arm = [&] {
    timer.expires_after(1ms);
    timer.async_wait([&](const boost::system::error_code& error) { fired += !error; });
  };
  arm();
  for (int turns = 0; fired < 1; ++turns) {
    ASSERT_LT(turns, 10'000'000);
    one.ring();
    two.ring();
    driver.wait(Instant::max());
    driver.dispatch();
  }
  arm();
  while (fired < 2) {
    driver.wait(driver.now() + 10s);
    driver.dispatch();
  }
}

TEST(AsioDriverTest, RandomNumbersDifferBetweenDrivers) {
  AsioDriver a;
  AsioDriver b;
  EXPECT_NE(a.random(), b.random());
  EXPECT_NE(a.random(), a.random());
}

TEST(AsioDriverTest, WallTimeIsOfThisCentury) {
  AsioDriver driver;
  EXPECT_GT(driver.wall_seconds(), 1.7e9);
}

TEST(RandomTest, EqualSeedsGiveEqualSequences) {
  Random a(7), b(7), c(8);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(10), 10u);
  EXPECT_FALSE(a.chance(0));
  EXPECT_TRUE(a.chance(1));
}

}  // namespace
}  // namespace perilune::net
