#include "script_world.hpp"

namespace perilune::script {
namespace {

using TasksTest = ScriptTest;

TEST_F(TasksTest, NothingRunsBeforeTheStart) {
  ASSERT_EQ(world.load("every(1, function() note('e') end) after(1, function() note('a') end)"), "");
  world.advance(5s);
  EXPECT_EQ(world.take_notes(), "");
  EXPECT_EQ(world.interpreter->tasks.alive(), 2u);
}

TEST_F(TasksTest, EveryRunsAtItsInterval) {
  ASSERT_EQ(world.load("every('500ms', function(ctx) note(tostring(ctx)) end) every(1, function() "
                       "note('start') end, { atStart = true })"),
            "");
  world.interpreter->tasks.start();
  world.turn();
  EXPECT_EQ(world.take_notes(), "start");
  world.advance(500ms);
  EXPECT_EQ(world.take_notes(), "ctx");
  world.advance(500ms);
  EXPECT_EQ(world.take_notes(), "start ctx");
  EXPECT_EQ(world.interpreter->contexts.alive(), 0u);
}

TEST_F(TasksTest, RunsNeverOverlapAndKeepTheirBeat) {
  ASSERT_EQ(world.load(
                "local n = 0 every(1, function() n = n + 1 note('in' .. n) sleep(1.5) note('out' .. n) end)"),
            "");
  world.interpreter->tasks.start();
  for (int i = 0; i < 9; ++i) world.advance(500ms);
  EXPECT_EQ(world.take_notes(), "in1 out1 in2 out2");
}

TEST_F(TasksTest, OneOfTheWorkersIsTheFirst) {
  const char* script =
      "every(1, function() note('one') end, { worker = 'one' }) every(1, function() note('each') end)";
  StateOptions second;
  second.worker = 1;
  world.start(std::move(second));
  ASSERT_EQ(world.load(script), "");
  world.interpreter->tasks.start();
  world.advance(1s);
  EXPECT_EQ(world.take_notes(), "each");
  world.start();
  ASSERT_EQ(world.load(script), "");
  world.interpreter->tasks.start();
  world.advance(1s);
  EXPECT_EQ(world.take_notes(), "one each");
}

TEST_F(TasksTest, AfterRunsOnceAndMayBeAskedForByAHandler) {
  ASSERT_EQ(world.load("hook('f', function() after(2, function() note('later') end) end)"), "");
  world.interpreter->tasks.start();
  world.outcome("f");
  world.advance(1s);
  EXPECT_EQ(world.take_notes(), "");
  world.advance(1s);
  EXPECT_EQ(world.take_notes(), "later");
  world.turn();
  EXPECT_EQ(world.interpreter->tasks.alive(), 0u);
  world.advance(10s);
  EXPECT_EQ(world.take_notes(), "");
}

TEST_F(TasksTest, ARaisingTaskIsLoggedAndGoesOn) {
  ASSERT_EQ(world.load("every(1, function() note('x') error('bad') end)"), "");
  world.interpreter->tasks.start();
  testing::internal::CaptureStderr();
  world.advance(1s);
  world.advance(1s);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("main.lua:1: bad"), std::string::npos);
  EXPECT_EQ(world.take_notes(), "x x");
}

TEST_F(TasksTest, StoppingCallsOffWhatRunsAndWhatWaits) {
  ASSERT_EQ(
      world.load("every(1, function() note(pcall(sleep, 5)) end) after(3, function() note('after') end)"),
      "");
  world.interpreter->tasks.start();
  world.advance(1s);
  world.interpreter->stop();
  EXPECT_EQ(world.take_notes().substr(0, 5), "false");
  EXPECT_EQ(world.interpreter->tasks.alive(), 0u);
  world.advance(10s);
  EXPECT_EQ(world.take_notes(), "");
  EXPECT_EQ(world.loop.timers().armed(), 0u);
}

}  // namespace
}  // namespace perilune::script
