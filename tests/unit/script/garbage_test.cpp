#include "script_world.hpp"

namespace perilune::script {
namespace {

using GarbageTest = ScriptTest;

constexpr size_t little = 4096;

Ref<flow::Message> message_with_trailers() {
  auto message = flow::Message::of(message::RequestHead::make());
  message->trailers = make_ref<message::Trailers>();
  return message;
}

TEST_F(GarbageTest, IsWhatWasMadeSinceTheLastCollection) {
  ASSERT_EQ(world.load("hook('f', function() local list = {} for i = 1, 500 do list[i] = { i } end end)"),
            "");
  Interpreter& interpreter = *world.interpreter;
  EXPECT_GT(interpreter.garbage_bytes(), little) << "what loading made";
  interpreter.collect_garbage();
  EXPECT_LT(interpreter.garbage_bytes(), little);
  world.outcome("f");
  EXPECT_GT(interpreter.garbage_bytes(), 500u * 64);
  interpreter.collect_garbage();
  EXPECT_LT(interpreter.garbage_bytes(), little);
}

TEST_F(GarbageTest, IsWhatEndedSinceThen) {
  ASSERT_EQ(world.load("hook('f', function(ctx) ctx.name = {} end)"), "");
  std::vector<Ref<flow::Context>> sessions;
  for (int i = 0; i < 100; ++i) {
    sessions.push_back(flow::Context::make_session(&world.client, world.loop.now()));
    world.outcome("f", *sessions.back());
  }
  Interpreter& interpreter = *world.interpreter;
  interpreter.collect_garbage();
  EXPECT_LT(interpreter.garbage_bytes(), little);
  sessions.clear();
  EXPECT_GT(interpreter.garbage_bytes(), 100u * 200);
  interpreter.collect_garbage();
  EXPECT_LT(interpreter.garbage_bytes(), little);
}

TEST_F(GarbageTest, MessagesThatAreOverGoWithTheNextCollection) {
  ASSERT_EQ(world.load(R"(
    local weak = setmetatable({}, { __mode = "k" })
    hook("f", function(msg) weak[msg], weak[msg.trailers] = true, true end)
    hook("count", function() local n = 0 for _ in pairs(weak) do n = n + 1 end return n end)
  )"),
            "");
  const auto context = flow::Context::make_detached(world.loop.now());
  for (int i = 0; i < 3; ++i) {
    TestCall test;
    test.call.message = message_with_trailers();
    test.call.run(*world.hooks.at("f"), flow::HookShape::Message, *context);
  }
  Interpreter& interpreter = *world.interpreter;
  // The second cycle sees what the first one's weak tables still showed.
  for (int cycle = 0; cycle < 2; ++cycle) interpreter.collect_garbage();
  EXPECT_EQ(world.outcome("count"), "0");

  TestCall again;
  again.call.message = message_with_trailers();
  again.call.run(*world.hooks.at("f"), flow::HookShape::Message, *context);
  for (int cycle = 0; cycle < 2; ++cycle) interpreter.collect_garbage();
  EXPECT_EQ(world.outcome("count"), "2") << "one that is not over stays";
}

}  // namespace
}  // namespace perilune::script
