#include "base/expect.hpp"
#include "flow/pipeline.hpp"
#include "measure.hpp"

namespace perilune::bench {
namespace {

using flow::Event;

/// Time stands still, and nothing comes.
class StillDriver final : public loop::Driver {
 public:
  void wait(Instant) override {}
  void dispatch() override {}
  void wake() override {}
  Instant now() override { return {}; }
  double wall_seconds() override { return 0; }
  uint64_t random() override { return 4; }
};

class PassOn final : public flow::Filter {
 public:
  void on_event(Event&& event) override { output(std::move(event)); }
};

class PassOnPlan final : public flow::FilterPlan {
 public:
  std::unique_ptr<flow::Filter> make() const override { return std::make_unique<PassOn>(); }
};

class CountingSink final : public flow::Sink {
 public:
  void on_event(Event&&) override { ++events; }
  uint64_t events = 0;
};

/// Pipelines of `filters` filters that do nothing.
class FlowWorld {
 public:
  explicit FlowWorld(int64_t filters) {
    for (int64_t i = 0; i < filters; ++i) plan->add(std::make_unique<PassOnPlan>());
  }
  Ref<flow::Pipeline> start() {
    auto pipeline = flow::Pipeline::create(*plan, context, {input, output, sink});
    pipeline->start();
    return pipeline;
  }

  StillDriver driver;
  loop::Loop loop{driver};
  buffer::ChunkPool chunks;
  buffer::ReadArena arena{chunks};
  flow::Runtime runtime{loop, chunks, arena};
  Ref<flow::PipelinePlan> plan = make_ref<flow::PipelinePlan>(runtime, "passing", Place{});
  Ref<flow::Context> context = flow::Context::make_detached({});
  flow::Valve input;
  flow::Valve output;
  CountingSink sink;
};

/// The three events of a message with a short body.
void pipeline_message(benchmark::State& state) {
  FlowWorld world(state.range(0));
  const auto pipeline = world.start();
  const Ref<message::Head> head = message::RequestHead::make();
  const auto body = buffer::buffer_of("hello", world.chunks);
  uint64_t messages = 0;
  measure(state, [&] {
    pipeline->on_event(Event::message_start(head));
    pipeline->on_event(Event::data(body.slices()[0]));
    pipeline->on_event(Event::message_end());
    ++messages;
  });
  PERILUNE_EXPECT(world.sink.events == 3 * messages, "every event comes out");
  pipeline->end(nullptr);
  world.loop.settle();
  state.SetItemsProcessed(state.iterations() * 3);
}
BENCHMARK(pipeline_message)->ArgName("filters")->Arg(0)->Arg(1)->Arg(10);

/// A pooled instance is taken, started, ended and given back.
void pipeline_create_start_end(benchmark::State& state) {
  FlowWorld world(state.range(0));
  measure(state, [&] {
    world.start()->end(nullptr);
    world.loop.settle();
  });
  PERILUNE_EXPECT(world.plan->alive() == 0, "every pipeline was given back");
}
BENCHMARK(pipeline_create_start_end)->ArgName("filters")->Arg(1)->Arg(10);

}  // namespace
}  // namespace perilune::bench
