#include "filter/use.hpp"

#include <algorithm>
#include <set>

namespace perilune::filter {

using PlanRef = Ref<flow::PipelinePlan>;

Result<std::unique_ptr<flow::FilterPlan>> UsePlan::make_plan(FilterCall& call) {
  auto plan = std::make_unique<UsePlan>();
  const Argument& plugins = call.arguments[0];
  if (plugins.hook()) plan->hook = Ref<flow::Hook>(plugins.hook());
  else plan->chain = plugins.value.object_as<PluginList>()->plugins;
  plan->chain.push_back(PlanRef(call.arguments[1].value.object_as<flow::PipelinePlan>()));
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> UsePlan::make() const { return std::make_unique<Use>(*this); }

void UsePlan::each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const {
  for (const PlanRef& link : chain) visit(*link);
}

void Use::begin(std::span<const PlanRef> chain) {
  const flow::Rest* outer = pipeline().rest();
  rest_ = {chain.subspan(1), outer};
  go_on(*chain[0], rest_.pipelines.empty() ? outer : &rest_, plan_.carriers);
}

void Use::decide() {
  if (plan_.hook) run_hook(*plan_.hook, flow::HookShape::Context);
  else begin(plan_.chain);
}

void Use::on_hook_result() {
  if (gave_up_for_hook()) return;
  const auto* list = call_.value.object_as<PluginList>();
  if (!list)
    return refuse("the function gave " + describe(call_.value) +
                  ", not a list of plugins; {} is the list of none");
  chosen_chain_ = list->plugins;
  chosen_chain_.push_back(plan_.chain[0]);
  if (const std::string fault = fault_of_chosen(); !fault.empty()) return refuse(fault);
  begin(chosen_chain_);
}

std::string Use::fault_of_chosen() const {
  uint8_t carriers = plan_.carriers;
  for (size_t i = 0; i < chosen_chain_.size(); ++i) {
    const PlanRef& link = chosen_chain_[i];
    const bool is_plugin = i + 1 < chosen_chain_.size();
    if (is_plugin && !has_answer(*link))
      return label_of(*link) +
             " has no next(): beside a replaceMessage, a plugin that a function chooses says where the chain "
             "goes on";
    if (carriers != 0 && (carriers & link->takes) == 0)
      return label_of(*link) + (link->takes == flow::bit_of(flow::Carrier::Bytes)
                                    ? " takes bytes, and what comes to it are HTTP messages"
                                    : " takes HTTP messages, and what comes to it are bytes");
    constexpr uint8_t both = flow::bit_of(flow::Carrier::Bytes) | flow::bit_of(flow::Carrier::Messages);
    if (link->changes_carrier && carriers != 0) carriers ^= both;
  }
  return {};
}

void Use::on_reset() {
  ContinuingFilter::on_reset();
  chosen_chain_.clear();
  rest_ = {};
}

Result<std::unique_ptr<flow::FilterPlan>> NextPlan::make_plan(FilterCall&) {
  return std::unique_ptr<flow::FilterPlan>(std::make_unique<NextPlan>());
}

std::unique_ptr<flow::Filter> NextPlan::make() const { return std::make_unique<Next>(*this); }

void Next::decide() {
  const flow::Rest* rest = pipeline().rest();
  if (!rest)
    return give_up(
        {ErrorCode::NoAnswer, Side::Script,
         plan_.place.to_string() + ": next: no chain goes on here; it is for pipelines that use leads to"});
  rest_ = {rest->pipelines.subspan(1), rest->outer};
  go_on(*rest->pipelines[0], rest_.pipelines.empty() ? rest->outer : &rest_, 0);
}

void Next::on_reset() {
  ContinuingFilter::on_reset();
  rest_ = {};
}

bool has_answer(const flow::PipelinePlan& plan) {
  return std::ranges::any_of(plan.filters(), [](const auto& filter) { return filter->answers(); });
}

namespace {

void add_next(flow::PipelinePlan& plugin) {
  auto next = std::make_unique<NextPlan>();
  next->name = "next";
  next->place = plugin.filters().empty() ? plugin.place() : plugin.filters().back()->place;
  plugin.add(std::move(next));
}

/// Calls `visit` with each filter of the pipelines.
void each_filter(const std::vector<PlanRef>& pipelines,
                 const std::function<void(const flow::FilterPlan&)>& visit) {
  for (const PlanRef& plan : pipelines)
    for (const auto& filter : plan->filters()) visit(*filter);
}

}  // namespace

void add_missing_next(const std::vector<PlanRef>& pipelines, const std::vector<PlanRef>& entrances) {
  std::vector<flow::PipelinePlan*> plugins;
  std::set<const flow::PipelinePlan*> led_to;
  for (const PlanRef& entrance : entrances) led_to.insert(entrance.get());
  bool does_function_choose = false;
  each_filter(pipelines, [&](const flow::FilterPlan& filter) {
    filter.each_target([&](const flow::PipelinePlan& target) { led_to.insert(&target); });
    const auto* use = dynamic_cast<const UsePlan*>(&filter);
    if (!use) return;
    does_function_choose = does_function_choose || use->hook;
    for (size_t i = 0; i + 1 < use->chain.size(); ++i) plugins.push_back(use->chain[i].get());
  });
  for (const PlanRef& plan : pipelines)
    if (does_function_choose && !led_to.contains(plan.get()) && !plan->answering_filter())
      plugins.push_back(plan.get());
  for (flow::PipelinePlan* plugin : plugins)
    if (!has_answer(*plugin)) add_next(*plugin);
}

}  // namespace perilune::filter
