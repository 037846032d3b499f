#include "http/field_lines.hpp"
#include "measure.hpp"
#include "samples.hpp"
#include "unit/script/script_world.hpp"

namespace perilune::bench {
namespace {

using flow::HookShape;

constexpr const char* hooks = R"(
  hook("nothing", function() end)
  hook("ctx", function(ctx) end)
  hook("header", function(msg, ctx) local host = msg.headers.host end)
  hook("anew", function()
    return Message { headers = { ["content-type"] = "text/plain" }, body = "hello" }
  end)
  local kept = Message { headers = { ["content-type"] = "text/plain" }, body = "hello" }
  hook("kept", function() return kept end)
  local cache = algo.Cache(function(key) return 1 end)
  hook("cache", function() cache:get("a") end)
)";

/// A loaded script, a session and a call of its hooks.
class HookWorld {
 public:
  HookWorld() { PERILUNE_EXPECT(world.load(hooks).empty(), "the script is right"); }

  /// One call; what it returned is let go of, as the caller does once it has it.
  void run(flow::Hook& hook, HookShape shape, flow::Context& context) {
    test.call.run(hook, shape, context);
    PERILUNE_EXPECT(test.call.status == flow::HookStatus::Returned, "the hook returns");
    test.call.value = {};
    test.call.message.reset();
  }

  script::ScriptWorld world;
  Ref<flow::Context> session = flow::Context::make_session(&world.client, world.loop.now());
  script::TestCall test;
};

/// Measures, and shows how much garbage of Lua's own each repetition leaves.
template <typename Work>
void measure_lua(benchmark::State& state, HookWorld& hook_world, Work&& work) {
  measure(state, work);
  constexpr int repetitions = 256;
  lua_State* L = hook_world.world.interpreter->main();
  const auto bytes = [&] { return lua_gc(L, LUA_GCCOUNT, 0) * 1024 + lua_gc(L, LUA_GCCOUNTB, 0); };
  hook_world.world.collect_garbage();
  lua_gc(L, LUA_GCSTOP, 0);
  const int before = bytes();
  for (int i = 0; i < repetitions; ++i) work();
  state.counters["lua_bytes"] = static_cast<double>(bytes() - before) / repetitions;
  lua_gc(L, LUA_GCRESTART, 0);
}

/// The context is the same each time: its table was made by the first call.
void hook_call(benchmark::State& state, const char* name) {
  HookWorld hook_world;
  flow::Hook& hook = *hook_world.world.hooks.at(name);
  measure_lua(state, hook_world, [&] { hook_world.run(hook, HookShape::Context, *hook_world.session); });
}
BENCHMARK_CAPTURE(hook_call, no_arguments, "nothing");
BENCHMARK_CAPTURE(hook_call, ctx, "ctx");
BENCHMARK_CAPTURE(hook_call, returns_message_made_anew, "anew");
BENCHMARK_CAPTURE(hook_call, returns_kept_message, "kept");
BENCHMARK_CAPTURE(hook_call, cache_get_hit, "cache");

/// As each request has them: a context and a message of its own, which no hook has seen.
void hook_call_request(benchmark::State& state, const char* name, HookShape shape) {
  HookWorld hook_world;
  flow::Hook& hook = *hook_world.world.hooks.at(name);
  auto head = message::RequestHead::make();
  head->path = "/hi";
  PERILUNE_EXPECT(http::take_field_lines(browser_fields, 100, head->headers) > 0, "the fields are read");
  measure_lua(state, hook_world, [&] {
    const auto request = flow::Context::make_child(*hook_world.session, hook_world.world.loop.now());
    if (shape == HookShape::Message) hook_world.test.call.message = flow::Message::of(head);
    hook_world.run(hook, shape, *request);
  });
}
BENCHMARK_CAPTURE(hook_call_request, ctx, "ctx", HookShape::Context);
BENCHMARK_CAPTURE(hook_call_request, msg_ctx_reading_a_header, "header", HookShape::Message);

}  // namespace
}  // namespace perilune::bench
