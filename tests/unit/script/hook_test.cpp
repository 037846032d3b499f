#include "script_world.hpp"

namespace perilune::script {
namespace {

using HookTest = ScriptTest;

TEST_F(HookTest, ValuesComeBackAsWhatTheyAre) {
  ASSERT_EQ(world.load(R"(
    local thing = {}
    hook("nothing", function() end)
    hook("number", function() return 4.5 end)
    hook("text", function() return "forward" end)
    hook("boolean", function() return false end)
    hook("message", function() return Message { status = 404 } end)
    hook("table", function() return thing end)
    hook("data", function() return Data("ab") .. "c" end)
    hook("failed", function() return nil, { code = "queue-full", side = "upstream", detail = "no room" } end)
    hook("sentence", function() return nil, "no idea" end)
    hook("nils", function() return nil, nil end)
    local p = pipeline()
    hook("pipeline", function() return p end)
  )"),
            "");
  EXPECT_EQ(world.outcome("nothing"), "nil");
  EXPECT_EQ(world.outcome("number"), "4.5");
  EXPECT_EQ(world.outcome("text"), "forward");
  EXPECT_EQ(world.outcome("boolean"), "false");
  EXPECT_EQ(world.outcome("message"), "message");
  EXPECT_EQ(world.outcome("pipeline"), "pipeline");
  EXPECT_EQ(world.outcome("table"), "object");
  EXPECT_EQ(world.outcome("data"), "abc");
  EXPECT_EQ(world.outcome("failed"), "nil, queue-full");
  EXPECT_EQ(world.outcome("sentence"), "nil, script-error");
  EXPECT_EQ(world.outcome("nils"), "nil");
}

TEST_F(HookTest, AValueComesBehindTheContextAndTheResultInItsPlace) {
  ASSERT_EQ(world.load(R"(
    hook("both", function(ctx, reason) ctx.seen = reason return reason .. "!" end)
    hook("one", function(ctx) return ctx.seen end)
    hook("none", function() end)
    hook("waits", function(ctx, reason) sleep(1) return reason end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  const auto outcome = [&](TestCall& given, const char* name) {
    given.call.value = Value("evicted");
    given.call.run(*world.hooks.at(name), flow::HookShape::ContextValue, *context);
  };
  for (const auto& [name, result] : {std::pair{"both", "evicted!"}, {"one", "evicted"}, {"none", "nil"}}) {
    TestCall given;
    outcome(given, name);
    EXPECT_EQ(given.outcome(), result) << name;
  }
  TestCall waiting;
  outcome(waiting, "waits");
  world.advance(1s);
  world.turn();
  EXPECT_EQ(waiting.outcome(), "evicted");
}

TEST_F(HookTest, ATableIsTheSameObjectEachTimeUntilItIsCollected) {
  ASSERT_EQ(world.load(R"(
    local thing = {}
    hook("f", function() return thing end)
    hook("drop", function() thing = nil end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall first, second;
  world.call(first, "f", *context);
  world.call(second, "f", *context);
  EXPECT_EQ(first.call.value, second.call.value);
  second.call.value = {};
  world.collect_garbage();
  EXPECT_EQ(first.call.value.object()->reference_count(), 2u);
  world.outcome("drop");
  world.collect_garbage();
  EXPECT_EQ(first.call.value.object()->reference_count(), 1u);
}

TEST_F(HookTest, ShapesGiveTheArgumentsThatScriptsExpect) {
  ASSERT_EQ(world.load(R"(
    hook("data", function(data, ctx) return #data .. tostring(data) .. tostring(ctx) end)
    hook("message", function(msg, ctx) return msg.path .. tostring(ctx) end)
    hook("body", function(body, ctx) return type(body) .. body .. tostring(ctx) end)
    hook("end", function(ctx, err) return tostring(ctx) .. tostring(err and err.code) end)
    hook("piece", function(...) return select("#", ...) end)
    hook("error", function(err, ctx) return err.code .. err.side .. err.detail .. tostring(ctx) end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  const auto run = [&](const char* name, flow::HookShape shape) {
    test.call.run(*world.hooks.at(name), shape, *context);
    return test.outcome();
  };
  auto bytes = buffer::buffer_of("abc", world.chunks);
  test.call.data = bytes.slices()[0];
  EXPECT_EQ(run("data", flow::HookShape::Data), "3abcctx");
  auto head = message::RequestHead::make();
  head->path = "/x";
  test.call.message = flow::Message::of(head);
  EXPECT_EQ(run("message", flow::HookShape::Message), "/xctx");
  test.call.message->set_body(std::move(bytes));
  EXPECT_EQ(run("body", flow::HookShape::Body), "stringabcctx");
  EXPECT_EQ(run("end", flow::HookShape::ContextError), "ctxnil");
  const Error error{ErrorCode::ReadTimeout, Side::Upstream, "silent"};
  test.call.error = &error;
  EXPECT_EQ(run("end", flow::HookShape::ContextError), "ctxread-timeout");
  EXPECT_EQ(run("piece", flow::HookShape::Piece), "0");
  EXPECT_EQ(run("error", flow::HookShape::Error), "read-timeoutupstreamsilentctx");
  test.call.data = {};
}

TEST_F(HookTest, ARaisingHookFailsWithItsPlaceAndIsLoggedOnceASecond) {
  ASSERT_EQ(world.load("hook('f', function(ctx)\n  local x = ctx.missing.field\nend)\n"
                       "hook('t', function() error({}) end)\nhook('e', function() error('plain', 0) end)"),
            "");
  testing::internal::CaptureStderr();
  const std::string message = "main.lua:2: attempt to index field 'missing' (a nil value)";
  EXPECT_EQ(world.outcome("f"), "failed: " + message);
  EXPECT_EQ(world.outcome("f"), "failed: " + message);
  std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("main.lua:2: attempt to index"), std::string::npos);
  EXPECT_NE(log.find("stack traceback"), std::string::npos);
  EXPECT_EQ(log.find("main.lua:2: attempt"), log.rfind("main.lua:2: attempt")) << log;
  world.advance(2s);
  testing::internal::CaptureStderr();
  world.outcome("f");
  EXPECT_NE(testing::internal::GetCapturedStderr().find("(and 1 more from there)"), std::string::npos);
  testing::internal::CaptureStderr();
  EXPECT_EQ(world.outcome("t"), "failed: main.lua:4: a table was raised as an error");
  EXPECT_EQ(world.outcome("e"), "failed: plain");
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(world.interpreter->coroutines.in_use(), 0u);
}

TEST_F(HookTest, ASleepingHookGoesOnWhenItsTimeHasCome) {
  ASSERT_EQ(world.load("hook('f', function(ctx) sleep(0.5) note('a') sleep '250ms' return 'done' end)"), "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  world.call(test, "f", *context);
  EXPECT_EQ(test.outcome(), "waiting");
  EXPECT_EQ(world.interpreter->coroutines.waiting(), 1u);
  world.advance(499ms);
  EXPECT_EQ(world.take_notes(), "");
  world.advance(1ms);
  EXPECT_EQ(world.take_notes(), "a");
  EXPECT_EQ(test.done, 0);
  world.advance(250ms);
  EXPECT_EQ(test.outcome(), "done");
  EXPECT_EQ(test.done, 1);
  EXPECT_EQ(world.interpreter->coroutines.in_use(), 0u);
  EXPECT_EQ(world.loop.timers().armed(), 0u);
}

TEST_F(HookTest, ManyHooksWaitSideBySide) {
  ASSERT_EQ(
      world.load("local n = 0 hook('f', function(ctx) n = n + 1 local me = n sleep(10 - me) note(me) end)"),
      "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall calls[5];
  for (TestCall& test : calls) world.call(test, "f", *context);
  EXPECT_EQ(world.interpreter->coroutines.in_use(), 5u);
  for (int i = 0; i < 10; ++i) world.advance(1s);
  EXPECT_EQ(world.take_notes(), "5 4 3 2 1");
  EXPECT_EQ(world.interpreter->coroutines.idle(), 5u);
}

TEST_F(HookTest, CancellingRaisesAtTheWaitAndAtEveryFurtherOne) {
  ASSERT_EQ(world.load(R"(
    hook("f", function()
      local ok, err = pcall(sleep, 1)
      note(ok, err.code, tostring(err) ~= "")
      local again, other = pcall(function() sleep(1) end)
      note(again, rawequal(err, other))
      sleep(1)
      note("never")
    end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  world.call(test, "f", *context);
  testing::internal::CaptureStderr();
  test.call.cancel();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(test.outcome(), "idle");
  EXPECT_EQ(world.take_notes(), "false cancelled true false true");
  world.advance(5s);
  EXPECT_EQ(world.take_notes(), "");
  EXPECT_EQ(test.done, 0);
  EXPECT_EQ(world.interpreter->coroutines.in_use(), 0u);
  EXPECT_EQ(world.loop.timers().armed(), 0u);
}

TEST_F(HookTest, AHookThatDoesNotTakeCancelledForAnAnswerIsLeftLying) {
  ASSERT_EQ(world.load("hook('f', function() while true do pcall(sleep, 1) end end)"), "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  world.call(test, "f", *context);
  test.call.cancel();
  EXPECT_EQ(world.interpreter->coroutines.in_use(), 0u);
  world.collect_garbage();
  world.advance(5s);
}

TEST_F(HookTest, AMistakeWhileUnwindingIsLogged) {
  ASSERT_EQ(world.load("hook('f', function() pcall(sleep, 1) local x = nil + 1 end)"), "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  world.call(test, "f", *context);
  testing::internal::CaptureStderr();
  test.call.cancel();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("main.lua:1: attempt to perform arithmetic"),
            std::string::npos);
}

TEST_F(HookTest, ACallThatGoesAwayCancelsItsHook) {
  ASSERT_EQ(world.load("hook('f', function() local ok = pcall(sleep, 1) note(ok) end)"), "");
  const auto context = flow::Context::make_detached(world.loop.now());
  {
    TestCall test;
    world.call(test, "f", *context);
  }
  EXPECT_EQ(world.take_notes(), "false");
}

TEST_F(HookTest, ACoroutineIsUsedAgainAfterItWaited) {
  ASSERT_EQ(
      world.load(
          "hook('f', function() sleep(1) return 1 end) hook('g', function(ctx) return tostring(ctx) end)"),
      "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  world.call(test, "f", *context);
  world.advance(1s);
  EXPECT_EQ(world.interpreter->coroutines.idle(), 1u);
  EXPECT_EQ(world.outcome("g"), "ctx");
  EXPECT_EQ(world.interpreter->coroutines.idle(), 1u);
}

TEST_F(HookTest, StoppingTellsThoseWhoWait) {
  ASSERT_EQ(world.load("hook('f', function() sleep(1) end)"), "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  world.call(test, "f", *context);
  world.interpreter->stop();
  EXPECT_EQ(test.done, 1);
  EXPECT_EQ(test.call.failure->code, ErrorCode::Cancelled);
}

TEST_F(HookTest, WhatAFunctionDoesNotTakeIsNotMadeForIt) {
  ASSERT_EQ(world.load(R"(
    hook("none", function() return 1 end)
    hook("message", function(msg) return msg.status end)
    hook("both", function(msg, ctx) return type(ctx) end)
    hook("any", function(...) return select("#", ...) end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  TestCall test;
  test.call.message = flow::Message::of(message::ResponseHead::make());
  const auto outcome = [&](const char* name) {
    test.call.run(*world.hooks.at(name), flow::HookShape::Message, *context);
    return test.outcome();
  };
  EXPECT_EQ(outcome("none"), "1");
  EXPECT_EQ(test.call.message->script_reference, 0);
  EXPECT_EQ(outcome("message"), "200");
  EXPECT_NE(test.call.message->script_reference, 0);
  EXPECT_EQ(context->script_reference, 0);
  EXPECT_EQ(outcome("any"), "2");
  EXPECT_NE(context->script_reference, 0);
  EXPECT_EQ(outcome("both"), "table");
}

TEST_F(HookTest, AHookOutlivesItsState) {
  ASSERT_EQ(world.load("hook('f', function(ctx) return 1 end)"), "");
  const Ref<flow::Hook> hook = world.hooks.at("f");
  const auto context = flow::Context::make_detached(world.loop.now());
  world.outcome("f", *context);
  EXPECT_NE(context->script_reference, 0);
  world.start();
  EXPECT_EQ(context->script_reference, 0);
  TestCall test;
  test.call.run(*hook, flow::HookShape::Context, *context);
  EXPECT_EQ(test.outcome(), "failed: the script has ended");
}

TEST_F(HookTest, WhereNobodyMayWaitTheErrorSaysSo) {
  ASSERT_EQ(world.load(R"(
    hook("f", function() sleep(1) end)
    hook("sort", function() table.sort({ 2, 1 }, function(a, b) sleep(1) return a < b end) end)
    hook("gsub", function() return (("x"):gsub("x", function() sleep(1) end)) end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  testing::internal::CaptureStderr();
  TestCall test;
  test.call.may_wait = false;
  world.call(test, "f", *context);
  EXPECT_EQ(world.without_folder(test.outcome()),
            "failed: main.lua:2: sleep cannot wait here: the top of a file, handleExchangeEnd, "
            "handleSessionEnd, release and "
            "destroy callbacks may not wait");
  const std::string in_c =
      "sleep cannot wait here: functions called by table.sort, string.gsub and the like may not wait";
  EXPECT_EQ(world.outcome("sort"), "failed: main.lua:3: " + in_c);
  EXPECT_EQ(world.outcome("gsub"), "failed: main.lua:4: " + in_c);
  EXPECT_EQ(world.outcome("sort"), "failed: main.lua:3: " + in_c);
  testing::internal::GetCapturedStderr();
  ScriptWorld other;
  EXPECT_EQ(other.load("\nsleep(1)"),
            "main.lua:2: sleep cannot wait here: this is the top of a file, which only declares; use every "
            "or after, or wait "
            "in a handler");
}

TEST_F(HookTest, AMessageIsOverForScriptsWhenItIsOver) {
  ASSERT_EQ(world.load(R"(
    local kept
    hook("keep", function(msg) kept = msg return msg.path end)
    hook("look", function() return kept.path end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  {
    auto head = message::RequestHead::make();
    head->path = "/a";
    TestCall test;
    test.call.message = flow::Message::of(head);
    test.call.run(*world.hooks.at("keep"), flow::HookShape::Message, *context);
    EXPECT_EQ(test.outcome(), "/a");
    EXPECT_EQ(world.interpreter->bindings.messages->alive(), 1u);
  }
  EXPECT_EQ(world.interpreter->bindings.messages->alive(), 0u);
  testing::internal::CaptureStderr();
  EXPECT_NE(world.outcome("look").find("this message is over"), std::string::npos);
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace perilune::script
