#include "script_world.hpp"

namespace perilune::script {
namespace {

/// What a cache does by itself is tested in tests/lua/cache_test.lua; here is what the engine adds.
using CacheTest = ScriptTest;

constexpr const char* lesson = R"(
  local last = 0
  local pool = algo.ResourcePool(function(target) last = last + 1 return last end)
  hook("start", function(ctx)
    ctx.targets = algo.Cache(
      function(target) return pool:allocate(target) end,
      function(target, id) note(target, id) pool:free(id) end)
  end)
  hook("end", function(ctx) ctx.targets:clear() end)
  hook("get", function(ctx) return ctx.targets:get("a") end)
  hook("stats", function() local s = pool:stats() return s.leased .. "/" .. s.idle end)
)";

TEST_F(CacheTest, TheLessonsCacheIsClearedAtTheEndOfTheSession) {
  ASSERT_EQ(world.load(lesson), "");
  auto session = flow::Context::make_session(&world.client, world.loop.now());
  world.outcome("start", *session);
  auto request = flow::Context::make_child(*session, world.loop.now());
  EXPECT_EQ(world.outcome("get", *request), "1");
  EXPECT_EQ(world.outcome("get", *request), "1");
  world.outcome("end", *session);
  EXPECT_EQ(world.take_notes(), "a 1");
  request.reset();
  session.reset();
  world.turn();
  EXPECT_EQ(world.take_notes(), "");
  EXPECT_EQ(world.outcome("stats"), "0/1");
}

TEST_F(CacheTest, ItsEngineIsOutOfReach) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(
      world.result(
          "local cache = algo.Cache(function() return 1 end)\nhook('f', function() return cache.host end)"),
      "failed: main.lua:2: a Cache has no \"host\"; did you mean \"has\"?");
  testing::internal::GetCapturedStderr();
}

TEST_F(CacheTest, AndWhenTheScriptForgot) {
  ASSERT_EQ(world.load(lesson), "");
  auto session = flow::Context::make_session(&world.client, world.loop.now());
  world.outcome("start", *session);
  {
    // Made by a request's handler, it still belongs to the session.
    const auto request = flow::Context::make_child(*session, world.loop.now());
    EXPECT_EQ(world.outcome("get", *request), "1");
  }
  world.turn();
  EXPECT_EQ(world.outcome("stats"), "1/0");
  session.reset();
  world.turn();
  EXPECT_EQ(world.take_notes(), "a 1");
  EXPECT_EQ(world.outcome("stats"), "0/1");
}

TEST_F(CacheTest, S123AnErrorInOneReleaseStopsNoOther) {
  ASSERT_EQ(world.load(R"(
    hook("start", function(ctx)
      ctx.c = algo.Cache(function(k) return k end, function(k) note(k) if k == 1 then error("first") end end)
      ctx.c:get(1) ctx.c:get(2) ctx.c:get(3)
    end)
  )"),
            "");
  auto session = flow::Context::make_session(&world.client, world.loop.now());
  world.outcome("start", *session);
  testing::internal::CaptureStderr();
  session.reset();
  world.turn();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("main.lua:3: first"), std::string::npos);
  EXPECT_EQ(world.take_notes(), "1 2 3");
}

TEST_F(CacheTest, AReleaseMayNotWait) {
  ASSERT_EQ(world.load(R"(
    hook("f", function(ctx)
      local c = algo.Cache(function(k) return k end, function(k) sleep(1) end)
      c:get(1)
      return c:remove(1)
    end)
  )"),
            "");
  testing::internal::CaptureStderr();
  EXPECT_EQ(world.outcome("f"), "true");
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "main.lua:3: sleep cannot wait here: a release callback may not wait"),
            std::string::npos);
}

TEST_F(CacheTest, TwoGetsOfOneMissingKeyShareOneAllocation) {
  ASSERT_EQ(world.load(R"(
    local n = 0
    local c = algo.Cache(function(k) n = n + 1 sleep(1) return n end)
    hook("get", function() return c:get("k") end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall first, second;
  world.call(first, "get", *context);
  world.call(second, "get", *context);
  world.advance(1s);
  EXPECT_EQ(first.outcome(), "1");
  EXPECT_EQ(second.outcome(), "1");
}

TEST_F(CacheTest, WhenTheFirstIsCancelledTheSecondAllocates) {
  ASSERT_EQ(world.load(R"(
    local n = 0
    local c = algo.Cache(function(k) n = n + 1 sleep(1) return n end)
    hook("get", function() return c:get("k") end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall first, second;
  world.call(first, "get", *context);
  world.call(second, "get", *context);
  first.call.cancel();
  world.turn();
  world.advance(1s);
  EXPECT_EQ(second.outcome(), "2");
}

TEST_F(CacheTest, AValueThatComesAfterTheSessionIsReleasedAtOnce) {
  ASSERT_EQ(world.load(R"(
    local kept
    hook("start", function(ctx) kept = algo.Cache(function(k) sleep(1) return k end, function(k) note("released", k) end) end)
    hook("get", function() return kept:get("k") end)
  )"),
            "");
  auto session = flow::Context::make_session(&world.client, world.loop.now());
  world.outcome("start", *session);
  const auto other = flow::Context::make_detached(world.loop.now());
  TestCall late;
  world.call(late, "get", *other);
  session.reset();
  world.turn();
  world.advance(1s);
  EXPECT_EQ(late.outcome(), "nil, cancelled");
  EXPECT_EQ(world.take_notes(), "released k");
}

TEST_F(CacheTest, ACacheOfTheScriptLastsAsLongAsTheScript) {
  ASSERT_EQ(world.load(R"(
    local c = algo.Cache(function(k) return k end, function(k) note("released", k) end)
    local d
    hook("get", function() c:get("k") end)
    after(0, function() d = algo.Cache(function(k) return k end, function(k) note("task", k) end) d:get("x") end)
  )"),
            "");
  world.interpreter->tasks.start();
  world.outcome("get");
  world.turn();
  world.turn();
  EXPECT_EQ(world.take_notes(), "");
  world.interpreter->stop();
  EXPECT_EQ(world.take_notes(), "released k task x");
  world.interpreter->stop();
  EXPECT_EQ(world.take_notes(), "");
}

TEST_F(CacheTest, PairsGoesThroughTheEntries) {
  EXPECT_EQ(world.result(R"(hook("f", function()
    local c = algo.Cache(function(k) return k * 2 end)
    c:get(1) c:get(2)
    local text = ""
    for key, value in pairs(c) do text = text .. key .. "=" .. value .. " " end
    return text
  end))"),
            "1=2 2=4 ");
}

}  // namespace
}  // namespace perilune::script
