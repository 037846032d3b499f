#pragma once

#include "filter/continuing_filter.hpp"

namespace perilune::filter {

/// `route(fn | name | pipeline [, names])`: continues in another pipeline, with the same context. Asked once:
/// when a session begins, or when the first event of a message comes and the handlers before it ran. nil is
/// NoRoute (404) for a message and an error for a byte stream.
class RoutePlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }
  void each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const override;

  Ref<flow::Hook> hook;
  Ref<flow::PipelinePlan> target;
  std::vector<Ref<flow::PipelinePlan>> known_targets;
  Ref<PipelineScope> scope;
  /// What comes along here, as flow::bit_of; the check of the program says it.
  mutable uint8_t carriers = 0;
};

class Route final : public ContinuingFilter {
 public:
  explicit Route(const RoutePlan& plan) : ContinuingFilter(plan), plan_(plan) {}

 private:
  void decide() override;
  void on_hook_result() override;
  void choose(flow::PipelinePlan& target) { go_on(target, pipeline().rest(), plan_.carriers); }

  const RoutePlan& plan_;
};

}  // namespace perilune::filter
