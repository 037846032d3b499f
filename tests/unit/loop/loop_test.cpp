#include "loop/loop.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace perilune::loop {
namespace {

constexpr Instant start{};

/// Time stands still until someone waits for a moment; what became ready is one function.
class TestDriver final : public Driver {
 public:
  void wait(Instant deadline) override {
    last_deadline = deadline;
    if (deadline > now_ && deadline != Instant::max()) now_ = deadline;
  }
  void dispatch() override {
    if (on_dispatch) std::exchange(on_dispatch, nullptr)();
  }
  void wake() override { woken.store(true); }
  Instant now() override { return now_; }
  double wall_seconds() override { return to_seconds(now_.time_since_epoch()); }
  uint64_t random() override { return 4; }

  std::function<void()> on_dispatch;
  Instant last_deadline{};
  std::atomic<bool> woken{false};

 private:
  Instant now_ = start;
};

/// A task or timer that writes its name down, and then does more.
class Note {
 public:
  Note(std::string& log, std::string name) : log_(log), name_(std::move(name)) {}
  std::function<void()> then;

 private:
  void happen() {
    log_ += name_ + " ";
    if (then) then();
  }
  std::string& log_;
  std::string name_;

 public:
  MemberTask<Note, &Note::happen> task{*this};
  MemberTimer<Note, &Note::happen> timer{*this};
};

class LoopTest : public testing::Test {
 protected:
  std::string take_log() { return std::exchange(log, {}); }
  TestDriver driver;
  Loop loop{driver};
  std::string log;
};

TEST_F(LoopTest, TimersFireByDeadlineThenByOrder) {
  Note a(log, "a"), b(log, "b"), c(log, "c"), d(log, "d");
  loop.arm(a.timer, 3s);
  loop.arm(b.timer, 1s);
  loop.arm(c.timer, 1s);
  loop.arm(d.timer, 2s);
  EXPECT_EQ(loop.timers().armed(), 4u);
  loop.run_turn();
  EXPECT_EQ(take_log(), "b c ");
  EXPECT_EQ(loop.now(), start + 1s);
  EXPECT_FALSE(b.timer.is_armed());
  loop.run_turn();
  EXPECT_EQ(take_log(), "d ");
  loop.run_turn();
  EXPECT_EQ(take_log(), "a ");
  EXPECT_EQ(loop.timers().next_deadline(), Instant::max());
}

TEST_F(LoopTest, TimersAreRearmedAndDisarmed) {
  Note a(log, "a"), b(log, "b");
  loop.arm(a.timer, 1s);
  loop.arm(b.timer, 2s);
  loop.arm(a.timer, 3s);
  b.timer.disarm();
  b.timer.disarm();
  {
    Note gone(log, "gone");
    loop.arm(gone.timer, 1s);
  }
  EXPECT_EQ(loop.timers().armed(), 1u);
  loop.run_turn();
  EXPECT_EQ(take_log(), "a ");
  EXPECT_EQ(loop.now(), start + 3s);
}

TEST_F(LoopTest, ATimerArmedForNowWaitsForTheNextTurn) {
  Note a(log, "a");
  int left = 3;
  a.then = [&] {
    if (--left > 0) loop.arm(a.timer, 0s);
  };
  loop.arm(a.timer, 0s);
  loop.run_turn();
  EXPECT_EQ(take_log(), "a ");
  loop.run_turn();
  loop.run_turn();
  EXPECT_EQ(take_log(), "a a ");
}

TEST_F(LoopTest, ATimerDisarmsAnotherThatIsDue) {
  Note a(log, "a"), b(log, "b");
  a.then = [&] { b.timer.disarm(); };
  loop.arm(a.timer, 1s);
  loop.arm(b.timer, 1s);
  loop.run_turn();
  EXPECT_EQ(take_log(), "a ");
}

TEST_F(LoopTest, RandomTimersFireInOrder) {
  std::vector<std::unique_ptr<Note>> notes;
  uint64_t state = 1;
  const auto random = [&] { return state = state * 6364136223846793005u + 1442695040888963407u; };
  for (int i = 0; i < 500; ++i) notes.push_back(std::make_unique<Note>(log, "x"));
  for (int i = 0; i < 2000; ++i) {
    Note& note = *notes[(random() >> 33) % notes.size()];
    if ((random() >> 33) % 4 == 0) note.timer.disarm();
    else loop.timers().arm(note.timer, start + std::chrono::milliseconds((random() >> 33) % 1000));
  }
  std::vector<Instant> fired;
  for (const auto& note : notes) note->then = [&] { fired.push_back(loop.now()); };
  const size_t armed = loop.timers().armed();
  while (loop.timers().armed() > 0) {
    const Instant next = loop.timers().next_deadline();
    loop.run_turn();
    ASSERT_EQ(loop.now(), next);
  }
  EXPECT_EQ(fired.size(), armed);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
}

TEST_F(LoopTest, ATurnHasItsOrder) {
  Note timer(log, "timer"), deferred(log, "deferred"), flush(log, "flush"), later(log, "later"),
      caused(log, "caused");
  driver.on_dispatch = [&] {
    log += "event ";
    loop.flush_later(flush.task);
    loop.defer(deferred.task);
    loop.defer_to_next_turn(later.task);
  };
  deferred.then = [&] { loop.flush_later(flush.task); };
  flush.then = [&] {
    if (log.find("caused") == std::string::npos) loop.defer(caused.task);
  };
  caused.then = [&] { loop.flush_later(flush.task); };
  loop.post([&] { log += "posted "; });
  EXPECT_TRUE(driver.woken.load());
  loop.arm(timer.timer, 0s);
  loop.run_turn();
  EXPECT_EQ(take_log(), "event posted timer deferred flush caused flush ");
  loop.run_turn();
  EXPECT_EQ(driver.last_deadline, Instant::min());
  EXPECT_EQ(take_log(), "later ");
}

TEST_F(LoopTest, TasksGoBeforeTheNextFlush) {
  Note first(log, "first"), second(log, "second"), task(log, "task");
  first.then = [&] { loop.defer(task.task); };
  driver.on_dispatch = [&] {
    loop.flush_later(first.task);
    loop.flush_later(second.task);
  };
  loop.run_turn();
  EXPECT_EQ(take_log(), "first task second ");
}

TEST_F(LoopTest, AQueuedTaskRunsOnce) {
  Note a(log, "a"), b(log, "b");
  driver.on_dispatch = [&] {
    loop.defer(a.task);
    loop.defer(b.task);
    loop.defer(a.task);
    loop.flush_later(a.task);
    Note gone(log, "gone");
    loop.defer(gone.task);
  };
  loop.run_turn();
  EXPECT_EQ(take_log(), "a b ");
  driver.on_dispatch = [&] {
    loop.defer(a.task);
    loop.defer(b.task);
    a.task.withdraw();
  };
  loop.run_turn();
  EXPECT_EQ(take_log(), "b ");
}

class Mortal final : public Object {
 public:
  Mortal(std::string& log, std::function<void()> at_death) : log_(log), at_death_(std::move(at_death)) {}
  ~Mortal() override {
    log_ += "died ";
    if (at_death_) at_death_();
  }

 private:
  std::string& log_;
  std::function<void()> at_death_;
};

TEST_F(LoopTest, WhatIsReleasedDiesAtTheEndOfTheTurn) {
  Note flush(log, "flush"), caused(log, "caused");
  driver.on_dispatch = [&] {
    Ref<Object> object = make_ref<Mortal>(log, [&] { loop.defer(caused.task); });
    loop.release_later(std::move(object));
    loop.flush_later(flush.task);
    log += "event ";
  };
  caused.then = [&] { loop.release_later(make_ref<Mortal>(log, nullptr)); };
  loop.run_turn();
  EXPECT_EQ(take_log(), "event flush died caused died ");
}

TEST_F(LoopTest, WaitsNoLongerThanAsked) {
  Note a(log, "a");
  loop.arm(a.timer, 10s);
  loop.run_turn(start + 4s);
  EXPECT_EQ(take_log(), "");
  EXPECT_EQ(loop.now(), start + 4s);
}

TEST_F(LoopTest, OtherThreadsPostAndStop) {
  int sum = 0;
  std::thread other([&] {
    for (int i = 1; i <= 100; ++i) loop.post([&sum, i] { sum += i; });
    loop.post([this] { loop.stop(); });
  });
  loop.run();
  other.join();
  EXPECT_EQ(sum, 5050);
  EXPECT_TRUE(loop.is_stopped());
}

}  // namespace
}  // namespace perilune::loop
