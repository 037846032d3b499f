#include "filter/route.hpp"

namespace perilune::filter {

Result<std::unique_ptr<flow::FilterPlan>> RoutePlan::make_plan(FilterCall& call) {
  auto plan = std::make_unique<RoutePlan>();
  plan->scope = call.scope;
  const Argument& target = call.arguments[0];
  if (target.hook()) plan->hook = Ref<flow::Hook>(target.hook());
  else plan->target = Ref<flow::PipelinePlan>(target.value.object_as<flow::PipelinePlan>());
  for (const Value& name : call.arguments[1].list)
    plan->known_targets.push_back(call.scope->refer(*name.string(), call.place));
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> RoutePlan::make() const { return std::make_unique<Route>(*this); }

void RoutePlan::each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const {
  if (target) visit(*target);
  for (const auto& known : known_targets) visit(*known);
}

void Route::decide() {
  if (plan_.hook) run_hook(*plan_.hook, flow::HookShape::Context);
  else choose(*plan_.target);
}

void Route::on_hook_result() {
  if (gave_up_for_hook()) return;
  if (auto* target = call_.value.object_as<flow::PipelinePlan>()) return choose(*target);
  if (const std::string* name = call_.value.string()) {
    if (flow::PipelinePlan* found = plan_.scope->find(*name)) return choose(*found);
    const std::string_view near = plan_.scope->nearest_to(*name);
    return refuse("there is no pipeline \"" + *name + "\"" +
                  (near.empty() ? "" : "; did you mean \"" + std::string(near) + "\"?"));
  }
  if (call_.value.is_nil() || call_.value.is_false()) return give_up({ErrorCode::NoRoute, Side::Client, {}});
  refuse("the function gave " + show(call_.value) + ", not a pipeline, its name or nil");
}

}  // namespace perilune::filter
