#include "script_world.hpp"

namespace perilune::script {
namespace {

using ContextTest = ScriptTest;

TEST_F(ContextTest, ReadsFallThroughAndWritesStay) {
  ASSERT_EQ(world.load(R"(
    hook("set", function(ctx) ctx.a, ctx.b, ctx.c = 1, 2, 3 end)
    hook("child", function(ctx)
      note(ctx.a, ctx.b, ctx.c)
      ctx.a, ctx.b = 10, false
      note(ctx.a, ctx.b, ctx.c)
      ctx.a = nil
      note(ctx.a)
    end)
    hook("look", function(ctx) note(ctx.a, ctx.b, ctx.c) end)
  )"),
            "");
  const auto session = flow::Context::make_session(&world.client, world.loop.now());
  const auto request = flow::Context::make_child(*session, world.loop.now());
  const auto connection = flow::Context::make_child(*request, world.loop.now());
  world.outcome("set", *session);
  world.outcome("child", *connection);
  EXPECT_EQ(world.take_notes(), "1 2 3 10 false 3 1");
  world.outcome("look", *session);
  EXPECT_EQ(world.take_notes(), "1 2 3");
  world.outcome("look", *request);
  EXPECT_EQ(world.take_notes(), "1 2 3");
}

TEST_F(ContextTest, TheSameContextIsTheSameTable) {
  EXPECT_EQ(
      world.result("local last hook('f', function(ctx) local same = last == ctx last = ctx return same end)"),
      "false");
  const auto session = flow::Context::make_session(&world.client, world.loop.now());
  EXPECT_EQ(world.outcome("f", *session), "false");
  EXPECT_EQ(world.outcome("f", *session), "true");
  EXPECT_EQ(world.interpreter->contexts.alive(), 1u);
}

TEST_F(ContextTest, TheReservedNamesAreTheEngines) {
  ASSERT_EQ(world.load(R"(
    hook("client", function(ctx)
      local c = ctx.client
      note(c.id, c.ip, c.port, c.localIP, c.localPort, c.protocol, c.tls, rawequal(c, ctx.client))
    end)
    hook("session", function(ctx) ctx.session.user = "ann" note(ctx.user, rawget(ctx, "user")) end)
    hook("exchange", function(ctx) note(ctx.request.path, ctx.response and ctx.response.status, ctx.elapsed) end)
    hook("upstream", function(ctx) local u = ctx.upstream note(u.endpoint, u.attempts, u.reused, u.connectTime) end)
    hook("key", function(ctx) note(ctx.key) end)
    hook("none", function(ctx) note(ctx.client, ctx.session, ctx.request, ctx.response, ctx.upstream, ctx.key) end)
  )"),
            "");
  world.client.id = 12;
  const auto session = flow::Context::make_session(&world.client, world.loop.now());
  const auto exchange = flow::Context::make_child(*session, world.loop.now());
  world.outcome("client", *exchange);
  EXPECT_EQ(world.take_notes(), "12 10.0.0.7 40000 10.0.0.1 8000 tcp false true");
  world.outcome("session", *exchange);
  EXPECT_EQ(world.take_notes(), "ann nil");
  auto head = message::RequestHead::make();
  head->path = "/p";
  exchange->set_request(head);
  world.advance(1500ms);
  world.outcome("exchange", *exchange);
  EXPECT_EQ(world.take_notes(), "/p nil 1.5");
  auto response = message::ResponseHead::make();
  response->status = 204;
  exchange->set_response(response);
  world.outcome("exchange", *exchange);
  EXPECT_EQ(world.take_notes(), "/p 204 1.5");
  exchange->make_upstream().endpoint = "10.0.0.9:80";
  exchange->note_attempt(true);
  exchange->note_attempt(false);
  world.outcome("upstream", *exchange);
  EXPECT_EQ(world.take_notes(), "10.0.0.9:80 2 false 0");
  exchange->set_key(5);
  world.outcome("key", *exchange);
  EXPECT_EQ(world.take_notes(), "5");
  const auto task = flow::Context::make_detached(world.loop.now());
  world.outcome("none", *task);
  EXPECT_EQ(world.take_notes(), "nil nil nil nil nil nil");
}

TEST_F(ContextTest, NobodyGetsAtAnotherByItsNumber) {
  ASSERT_EQ(world.load(R"(
    hook("look", function(ctx) return ctx.request and ctx.request.path end)
    hook("forge", function(ctx)
      local own, seen = ctx[0], 0
      for number = -1, 100 do
        rawset(ctx, 0, number)
        if ctx.request and ctx.request.path ~= "/own" then seen = seen + 1 end
      end
      for _, number in next, { 1e300, 0 / 0, "1", {}, true } do
        rawset(ctx, 0, number)
        if ctx.request then seen = seen + 1 end
      end
      rawset(ctx, 0, own)
      note(ctx.request.path, seen)
    end)
  )"),
            "");
  const auto exchange = [&](const char* path) {
    auto context = flow::Context::make_session(&world.client, world.loop.now());
    auto head = message::RequestHead::make();
    head->path = path;
    context->set_request(std::move(head));
    return context;
  };
  const auto victim = exchange("/victim");
  EXPECT_EQ(world.outcome("look", *victim), "/victim");
  const auto attacker = exchange("/own");
  EXPECT_EQ(world.outcome("forge", *attacker), "nil");
  EXPECT_EQ(world.take_notes(), "/own 0");
}

TEST_F(ContextTest, MistakesWithContextsAreSaid) {
  ASSERT_EQ(world.load(R"(context { "target", "targets" }
    context { "user" }
    hook("write", function(ctx) ctx.request = 1 end)
    hook("typo", function(ctx) return ctx.taget end)
    hook("new", function(ctx) ctx.usr = 1 end)
    hook("client", function(ctx) return ctx.client.adress end)
    hook("client_write", function(ctx) ctx.client.ip = "x" end)
    hook("good", function(ctx) ctx.user = 1 return ctx.target end)
    local kept
    hook("keep", function(ctx) kept = ctx end)
    hook("late", function() return kept.client end)
    hook("late_own", function() kept.user = 3 return kept.user end)
    )"),
            "");
  testing::internal::CaptureStderr();
  EXPECT_EQ(world.outcome("write"), "failed: main.lua:3: ctx.request is read-only");
  EXPECT_EQ(world.outcome("typo"),
            "failed: main.lua:4: ctx has no \"taget\"; did you mean \"target\"? (context {…} declares the "
            "names of ctx)");
  EXPECT_EQ(world.outcome("new"),
            "failed: main.lua:5: ctx has no \"usr\"; did you mean \"user\"? (context {…} declares the names "
            "of ctx)");
  EXPECT_EQ(world.outcome("client"), "failed: main.lua:6: ctx.client has no \"adress\"");
  EXPECT_EQ(world.outcome("client_write"), "failed: main.lua:7: ctx.client is read-only");
  EXPECT_EQ(world.outcome("good"), "nil");
  world.outcome("keep");
  EXPECT_EQ(world.outcome("late"), "failed: main.lua:11: ctx.client: what this ctx stood for is over");
  EXPECT_EQ(world.outcome("late_own"), "3");
  testing::internal::GetCapturedStderr();
}

TEST_F(ContextTest, AConnectionLetsGoOfItsOpener) {
  ASSERT_EQ(
      world.load("hook('set', function(ctx) ctx.a = 1 end) hook('get', function(ctx) return ctx.a end)"), "");
  auto session = flow::Context::make_session(&world.client, world.loop.now());
  const auto connection = flow::Context::make_child(*session, world.loop.now());
  world.outcome("set", *session);
  EXPECT_EQ(world.outcome("get", *connection), "1");
  connection->let_go_of_parent();
  session.reset();
  EXPECT_EQ(world.interpreter->contexts.alive(), 1u);
  EXPECT_EQ(world.outcome("get", *connection), "nil");
}

TEST_F(ContextTest, TablesGoWithTheirContexts) {
  ASSERT_EQ(world.load(R"(
    local weak = setmetatable({}, { __mode = "k" })
    hook("f", function(ctx) weak[ctx] = true end)
    hook("count", function() local n = 0 for _ in pairs(weak) do n = n + 1 end return n end)
  )"),
            "");
  for (int i = 0; i < 10; ++i) {
    const auto session = flow::Context::make_session(&world.client, world.loop.now());
    const auto child = flow::Context::make_child(*session, world.loop.now());
    world.outcome("f", *child);
  }
  EXPECT_EQ(world.interpreter->contexts.alive(), 0u);
  world.collect_garbage();
  EXPECT_EQ(world.outcome("count"), "0");
}

TEST_F(ContextTest, PairsShowsTheOwnNames) {
  EXPECT_EQ(world.result(R"(hook("f", function(ctx)
    ctx.a, ctx.b = 1, 2
    local sum, names = 0, 0
    for name, value in pairs(ctx) do sum, names = sum + value, names + 1 end
    return names .. ":" .. sum
  end))"),
            "2:3");
}

}  // namespace
}  // namespace perilune::script
