#include "filter/connect_by_key.hpp"

#include "filter/connect.hpp"
#include "upstream/cluster.hpp"

namespace perilune::filter {
namespace {

class KeyOfContext : public flow::Hook {
 public:
  void run(flow::HookCall& call) override {
    call.value = call.context->key();
    call.status = flow::HookStatus::Returned;
  }
  void cancel(flow::HookCall&) override {}
};

class TargetOfKey final : public KeyOfContext {
 public:
  void run(flow::HookCall& call) override {
    KeyOfContext::run(call);
    if (const std::string* key = call.value.string()) call.value = Value(upstream::target_of(*key));
  }
};

}  // namespace

Ref<flow::Hook> key_of_context() { return Ref<flow::Hook>(new KeyOfContext()); }

Ref<flow::PipelinePlan> connect_by_key(Services& services, std::string name, const Place& place,
                                       Options options) {
  auto plan = make_ref<flow::PipelinePlan>(services.runtime, std::move(name), place);
  FilterCall connect{
      *find_filter("connect"), services, place, {Argument{Value(Ref<Object>(new TargetOfKey())), {}, {}}},
      std::move(options),      {},       plan};
  plan->add(std::move(*make_filter(connect)));
  return plan;
}

}  // namespace perilune::filter
