#include "base/text.hpp"
#include "filter/registry.hpp"

namespace perilune::filter {

PipelineScope::Entry* PipelineScope::entry(std::string_view name) {
  for (Entry& known : entries_)
    if (known.name == name) return &known;
  return nullptr;
}

const PipelineScope::Entry* PipelineScope::entry(std::string_view name) const {
  return const_cast<PipelineScope*>(this)->entry(name);
}

Ref<flow::PipelinePlan> PipelineScope::refer(std::string_view name, const Place& place) {
  if (const Entry* known = entry(name)) return known->plan;
  if (file_)
    if (flow::PipelinePlan* known = file_->find(name)) return Ref<flow::PipelinePlan>(known);
  return add(name, place);
}

Ref<flow::PipelinePlan> PipelineScope::add(std::string_view name, const Place& place) {
  auto plan = make_ref<flow::PipelinePlan>(runtime_, std::string(name), place);
  entries_.push_back({std::string(name), plan, place, false});
  return plan;
}

Result<Ref<flow::PipelinePlan>> PipelineScope::define(std::string_view name, const Place& place) {
  if (Entry* known = entry(name)) {
    if (known->is_defined)
      return Error{ErrorCode::ScriptError, Side::Script,
                   "pipeline " + in_quotes(name) + " is defined already at " + known->place.to_string()};
    known->is_defined = true;
    known->place = place;
    known->plan->set_place(place);
    return known->plan;
  }
  auto plan = add(name, place);
  entries_.back().is_defined = true;
  return plan;
}

flow::PipelinePlan* PipelineScope::find(std::string_view name) const {
  const Entry* known = entry(name);
  if (known && known->is_defined) return known->plan.get();
  return file_ ? file_->find(name) : nullptr;
}

std::vector<std::string_view> PipelineScope::names() const {
  std::vector<std::string_view> names = file_ ? file_->names() : std::vector<std::string_view>();
  for (const Entry& known : entries_)
    if (known.is_defined) names.push_back(known.name);
  return names;
}

std::string_view PipelineScope::nearest_to(std::string_view name) const {
  const auto candidates = names();
  return nearest(name, candidates);
}

Result<void> PipelineScope::check() const {
  for (const Entry& known : entries_) {
    if (known.is_defined) continue;
    const std::string_view near = nearest_to(known.name);
    return Error{ErrorCode::ScriptError, Side::Script,
                 known.place.to_string() + ": there is no pipeline " + in_quotes(known.name) +
                     (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?")};
  }
  return {};
}

}  // namespace perilune::filter
