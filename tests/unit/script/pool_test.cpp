#include "script_world.hpp"

// Names with numbers are statements of the design: pools and caches.

namespace perilune::script {
namespace {

/// A pool in the global of tests: `P(options)` makes one whose resources are numbers from 1.
class PoolTest : public ScriptTest {
 protected:
  void load(const std::string& options, const std::string& more = "") {
    ASSERT_EQ(world.load(R"(
      local last = 0
      local pool = algo.ResourcePool(function(key) last = last + 1 note("new" .. last) return last end, )" +
                         options + R"()
      local held = {}
      hook("get", function(ctx) local r, err = pool:allocate(ctx.k or "k") note(r or err.code) return r, err end)
      hook("other", function(ctx) local r, err = pool:allocate("other") note(r or err.code) return r, err end)
      for i = 1, 9 do hook("free" .. i, function() pool:free(i) end) end
      for i = 1, 9 do hook("discard" .. i, function() pool:free(i, "discard") end) end
      hook("stats", function() local s = pool:stats() return s.leased .. "/" .. s.idle .. "/" .. s.waiting end)
      hook("keys", function() local n = 0 for _ in pairs(pool.keys) do n = n + 1 end return n end)
    )" + more),
              "");
  }
  void run(const std::string& names) {
    for (size_t at = 0; at < names.size();) {
      const size_t end = std::min(names.find(' ', at), names.size());
      world.outcome(names.substr(at, end - at));
      at = end + 1;
    }
  }
  std::string notes() { return world.take_notes(); }
  /// A call that is allowed to wait.
  std::unique_ptr<TestCall> begin(const std::string& name) {
    auto call = std::make_unique<TestCall>();
    world.call(*call, name, *context);
    return call;
  }
  Ref<flow::Context> context = flow::Context::make_detached(world.loop.now());
};

TEST_F(PoolTest, S117WithoutOptionsItIsThePoolOfTheTutorial) {
  load("{}");
  run("get get free1 get free2 free1 get get get");
  EXPECT_EQ(notes(), "new1 1 new2 2 1 1 2 new3 3");
}

TEST_F(PoolTest, S12TheOneReleasedLastIsLeasedFirst) {
  load("{ order = 'lifo' }");
  run("get get free1 free2 get");
  EXPECT_EQ(notes(), "new1 1 new2 2 2");
}

TEST_F(PoolTest, S13OrTheOneReleasedFirst) {
  load("{ order = 'fifo' }");
  run("get get free1 free2 get");
  EXPECT_EQ(notes(), "new1 1 new2 2 1");
}

TEST_F(PoolTest, S10KeysThatHaveNothingAreForgotten) {
  load("{ destroy = function() end }");
  run("get other free1 discard2");
  EXPECT_EQ(world.outcome("keys"), "1");
  run("get discard1");
  EXPECT_EQ(world.outcome("keys"), "0");
  EXPECT_EQ(world.outcome("stats"), "0/0/0");
}

TEST_F(PoolTest, S15S50IdleOnesGoWhenTheirTimeIsOver) {
  load("{ idleTimeout = '10s', destroy = function(key, r, reason) note(key, r, reason) end }");
  run("get");
  world.advance(60s);
  run("free1");
  world.advance(9s);
  run("get free1");
  EXPECT_EQ(notes(), "new1 1 1");
  world.advance(9s);
  EXPECT_EQ(notes(), "");
  world.advance(1s);
  EXPECT_EQ(notes(), "k 1 idle-timeout");
  EXPECT_EQ(world.outcome("keys"), "0");
}

TEST_F(PoolTest, S53S54ALeasedOneServesToItsEnd) {
  load("{ ttl = 10, destroy = function(key, r, reason) note(reason) end }");
  run("get");
  world.advance(11s);
  EXPECT_EQ(notes(), "new1 1");
  run("free1");
  EXPECT_EQ(notes(), "ttl");
}

TEST_F(PoolTest, S55SoManyUsesAndNoMore) {
  load("{ maxUses = 2, destroy = function(key, r, reason) note(reason) end }",
       "hook('uses', function() return pool:uses(1) end)");
  run("get free1 get");
  EXPECT_EQ(world.outcome("uses"), "2");
  run("free1 get");
  EXPECT_EQ(notes(), "new1 1 1 uses-spent new2 2");
}

TEST_F(PoolTest, S16ValidatedBeforeItIsGivenOutAgain) {
  load(
      "{ validate = function(key, r) note('ask' .. r) sleep(1) return r ~= 1 end, destroy = function(k, r, "
      "why) note(why) end }");
  run("get free1");
  const auto call = begin("get");
  EXPECT_EQ(call->outcome(), "waiting");
  world.advance(1s);
  EXPECT_EQ(notes(), "new1 1 ask1 discarded new2 2");
}

TEST_F(PoolTest, S21S36WaitersOfAKeyAreServedInTheirOrder) {
  load("{ max = 1 }");
  run("get");
  const auto first = begin("get"), second = begin("get");
  EXPECT_EQ(world.outcome("stats"), "1/0/2");
  run("other");
  EXPECT_EQ(notes(), "new1 1 new2 2");
  run("free1");
  world.turn();
  EXPECT_EQ(first->outcome(), "1");
  EXPECT_EQ(second->outcome(), "waiting");
  run("free1");
  world.turn();
  EXPECT_EQ(second->outcome(), "1");
  EXPECT_EQ(notes(), "1 1");
}

TEST_F(PoolTest, S22TheLeastRecentlyUsedOfAnyKeyMakesRoom) {
  load("{ total = 2, destroy = function(key, r, reason) note(key, r, reason) end }");
  run("get get free1 free2 other");
  EXPECT_EQ(notes(), "new1 1 new2 2 k 1 evicted new3 3");
}

TEST_F(PoolTest, S31AFailedAllocationGivesItsSlotToTheNext) {
  ASSERT_EQ(world.load(R"(
    local n = 0
    local pool = algo.ResourcePool(function(key) n = n + 1 sleep(1) if n < 3 then return nil, { code = "connect-failure" } end return n end,
      { max = 1 })
    hook("get", function() return pool:allocate("k") end)
    hook("stats", function() return pool:stats().failed end)
  )"),
            "");
  const auto first = begin("get"), second = begin("get"), third = begin("get");
  world.advance(1s);
  EXPECT_EQ(first->outcome(), "nil, connect-failure");
  world.turn();
  world.advance(1s);
  EXPECT_EQ(second->outcome(), "nil, connect-failure");
  world.turn();
  world.advance(1s);
  EXPECT_EQ(third->outcome(), "3");
  EXPECT_EQ(world.outcome("stats"), "2");
}

TEST_F(PoolTest, ARaisingAllocationGivesItsSlotBack) {
  ASSERT_EQ(world.load(R"(
    local pool = algo.ResourcePool(function(key) error("no luck") end, { max = 1 })
    hook("get", function() return pool:allocate("k") end)
  )"),
            "");
  testing::internal::CaptureStderr();
  EXPECT_EQ(world.outcome("get"), "failed: main.lua:2: no luck");
  EXPECT_EQ(world.outcome("get"), "failed: main.lua:2: no luck");
  testing::internal::GetCapturedStderr();
}

TEST_F(PoolTest, S40TheQueueHasALength) {
  load("{ max = 1, queue = 1 }");
  run("get");
  const auto waiting = begin("get");
  EXPECT_EQ(world.outcome("get"), "nil, queue-full");
}

TEST_F(PoolTest, S41AndADeadline) {
  load("{ max = 1, queueTimeout = '5s' }");
  run("get");
  const auto waiting = begin("get");
  world.advance(4999ms);
  world.turn();
  EXPECT_EQ(waiting->outcome(), "waiting");
  world.advance(1ms);
  EXPECT_EQ(waiting->outcome(), "nil, queue-timeout");
}

TEST_F(PoolTest, S43ACancelledWaiterLeavesTheQueueAtOnce) {
  load("{ max = 1 }");
  run("get");
  const auto gone = begin("get"), next = begin("get");
  gone->call.cancel();
  EXPECT_EQ(world.outcome("stats"), "1/0/1");
  run("free1");
  world.turn();
  EXPECT_EQ(next->outcome(), "1");
}

TEST_F(PoolTest, S44WhatACancelledWaiterWasGivenIsNotLost) {
  load("{ max = 1 }");
  run("get");
  const auto gone = begin("get"), next = begin("get");
  run("free1");
  gone->call.cancel();
  world.turn();
  EXPECT_EQ(next->outcome(), "1");
}

TEST_F(PoolTest, AnAllocationThatIsCancelledGivesItsSlotBack) {
  ASSERT_EQ(world.load(R"(
    local n = 0
    local pool = algo.ResourcePool(function(key) n = n + 1 sleep(1) return n end, { max = 1 })
    hook("get", function() return pool:allocate("k") end)
  )"),
            "");
  const auto gone = begin("get"), next = begin("get");
  gone->call.cancel();
  world.turn();
  world.advance(1s);
  EXPECT_EQ(next->outcome(), "2");
}

TEST_F(PoolTest, FairAmongTenants) {
  ASSERT_EQ(world.load(R"(
    local pool = algo.ResourcePool(function() return "r" end, { max = 1 })
    for _, who in ipairs { "a", "b" } do hook(who, function() pool:allocate("k", who) note(who) end) end
    hook("free", function() pool:free("r") end)
  )"),
            "");
  world.outcome("a");
  std::vector<std::unique_ptr<TestCall>> calls;
  for (const char* who : {"a", "a", "a", "b"}) calls.push_back(begin(who));
  for (int i = 0; i < 4; ++i) {
    world.outcome("free");
    world.turn();
  }
  EXPECT_EQ(notes(), "a a b a a");
}

TEST_F(PoolTest, DrainedOnesGoAndNothingNewComesUntilItIsReopened) {
  load("{ destroy = function(key, r, reason) note(r, reason) end }",
       "hook('drain', function() pool:drain() end) hook('reopen', function() pool:reopen() end)");
  run("get get free1 drain");
  EXPECT_EQ(notes(), "new1 1 new2 2 1 drained");
  EXPECT_EQ(world.outcome("get"), "nil, draining");
  run("free2");
  EXPECT_EQ(notes(), "draining 2 drained");
  run("reopen get");
  EXPECT_EQ(notes(), "new3 3");
}

TEST_F(PoolTest, S25S26AKeyMayHaveLimitsOfItsOwn) {
  load("{ max = 1, queue = 0, destroy = function(key, r, reason) note(r, reason) end }",
       "hook('raise', function() pool:set('k', { max = 2 }) end) hook('lower', function() pool:set('k', { "
       "max = 1 }) end)"
       "hook('back', function() pool:set('k') end)");
  run("get get raise get lower free1");
  EXPECT_EQ(notes(), "new1 1 queue-full new2 2 1 over-limit");
  run("back get free2 get");
  EXPECT_EQ(notes(), "queue-full 2");
}

TEST_F(PoolTest, S80NothingIsLeasedToTwo) {
  ASSERT_EQ(world.load(R"(
    local pool = algo.ResourcePool(function() return "same" end)
    hook("f", function() pool:allocate("k") return pool:allocate("k") end)
  )"),
            "");
  testing::internal::CaptureStderr();
  EXPECT_EQ(world.outcome("f"),
            "failed: main.lua:3: ResourcePool: allocate gave \"same\", which the pool has already; each "
            "resource is one of its own");
  testing::internal::GetCapturedStderr();
}

TEST_F(PoolTest, ADestroyCallbackMayNotWaitAndItsErrorsStopNothing) {
  load("{ destroy = function(key, r) if r == 1 then sleep(1) end note('destroyed' .. r) end }",
       "hook('drain', function() pool:drain() end)");
  run("get get free1 free2");
  notes();
  testing::internal::CaptureStderr();
  run("drain");
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("sleep cannot wait here: a destroy callback may not wait"),
      std::string::npos);
  EXPECT_EQ(notes(), "destroyed2");
}

TEST_F(PoolTest, TheEndOfTheScriptDestroysWhatIsIdle) {
  load("{ destroy = function(key, r, reason) note(r, reason) end }");
  run("get free1");
  notes();
  world.interpreter->stop();
  EXPECT_EQ(notes(), "1 drained");
}

TEST_F(PoolTest, ACollectedPoolTakesEverythingWithIt) {
  ASSERT_EQ(world.load(R"(
    hook("f", function()
      local pool = algo.ResourcePool(function() return {} end, { idleTimeout = 5, max = 2 })
      pool:free(pool:allocate("a"))
      pool:allocate("b")
    end)
  )"),
            "");
  world.outcome("f");
  EXPECT_EQ(world.loop.timers().armed(), 1u);
  world.collect_garbage();
  EXPECT_EQ(world.loop.timers().armed(), 0u);
}

TEST_F(PoolTest, ADotInThePlaceOfTheColonIsSaid) {
  for (const char* method : {"allocate", "free", "uses", "stats", "drain", "reopen", "set"}) {
    for (const auto& [self, told] :
         {std::pair{"'k'", "\"k\""}, {"nil", "nil"}, {"5", "5"}, {"{}", "a table"}}) {
      world.start();
      testing::internal::CaptureStderr();
      EXPECT_EQ(
          world.result("local pool = algo.ResourcePool(function() return 1 end)\nhook('f', function() pool." +
                       std::string(method) + "(" + self + ") end)"),
          "failed: main.lua:2: ResourcePool:" + std::string(method) +
              ": call it with a colon, on what algo.ResourcePool gave, not on " + told);
      testing::internal::GetCapturedStderr();
    }
  }
}

TEST_F(PoolTest, AScriptThatChangesItsFieldsHarmsNobody) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(world.result("local pool = algo.ResourcePool(function() return 1 end)\npool.box = 5\n"
                         "hook('f', function() return pool:stats() end)"),
            "failed: main.lua:3: ResourcePool: its fields are its own, and one of them was changed");
  testing::internal::GetCapturedStderr();
}

TEST_F(PoolTest, NumbersThatAScriptMadeUpHarmNobody) {
  testing::internal::CaptureStderr();
  const auto result = [&](const std::string& change, const std::string& use) {
    return world.result(
        "local pool = algo.ResourcePool(function() return {} end)\nhook('f', function()\n"
        "local it = pool:allocate('k') " +
        change + "\nreturn pool:" + use + " end)");
  };
  for (const char* const number :
       {"0", "2", "64", "65", "1e6", "2^32 - 1", "2^32", "-1", "0/0", "'x'", "{}"}) {
    for (const char* const use : {"allocate('k')", "drain('k')", "set('k', { max = 1 })"})
      EXPECT_EQ(result("pool.key_numbers.k = " + std::string(number), use),
                "failed: main.lua:4: ResourcePool: its fields are its own, and one of them was changed")
          << number << ' ' << use;
    for (const char* const use : {"free(it)", "free(it, 'discard')", "uses(it)"})
      EXPECT_EQ(result("pool.numbers[it] = " + std::string(number), use),
                "failed: main.lua:4: ResourcePool: its fields are its own, and one of them was changed")
          << number << ' ' << use;
  }
  EXPECT_EQ(result("", "stats() and getmetatable(pool.box)"), "ResourcePool");
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace perilune::script
