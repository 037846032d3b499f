#pragma once

#include "filter/continuing_filter.hpp"

namespace perilune::filter {

/// The plugins of a `use`, in order; what a script's list has become.
class PluginList final : public Object {
 public:
  std::vector<Ref<flow::PipelinePlan>> plugins;
};

/// `use(plugins | fn, pipeline)`: goes through the plugins, each of which goes on by its `next()`, and at
/// last in the pipeline; all with the same context. What comes back passes the filters behind each `next()`
/// on its way, and so does an early answer from there on where it is given. A plugin without `next()` gets
/// one at its end, see add_missing_next.
class UsePlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }
  void each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const override;

  Ref<flow::Hook> hook;
  /// The whole chain: plugins, and at last the pipeline. With a hook the pipeline alone.
  std::vector<Ref<flow::PipelinePlan>> chain;
  /// What comes along here, as flow::bit_of; the check of the program says it.
  mutable uint8_t carriers = 0;
};

class Use final : public ContinuingFilter {
 public:
  explicit Use(const UsePlan& plan) : ContinuingFilter(plan), plan_(plan) {}

 private:
  void decide() override;
  void on_hook_result() override;
  void on_reset() override;
  void begin(std::span<const Ref<flow::PipelinePlan>> chain);
  /// What is wrong with a chosen chain, in a sentence; empty when nothing is.
  std::string fault_of_chosen() const;

  const UsePlan& plan_;
  std::vector<Ref<flow::PipelinePlan>> chosen_chain_;
  flow::Rest rest_;
};

/// `next()`: goes on with the rest of the chain that the pipeline is used in. Outside of a chain there is
/// none: NoAnswer.
class NextPlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }
};

class Next final : public ContinuingFilter {
 public:
  explicit Next(const NextPlan& plan) : ContinuingFilter(plan), plan_(plan) {}

 private:
  void decide() override;
  void on_hook_result() override {}
  void on_reset() override;

  const NextPlan& plan_;
  flow::Rest rest_;
};

/// Whether a filter of the pipeline is sure to answer, so that nothing comes out at its end that is not an
/// answer.
bool has_answer(const flow::PipelinePlan& plan);
/// Adds next() at the end of plugins that leave it out: those of a fixed list in which no filter is sure to
/// answer; and where a function chooses plugins, all pipelines that nothing else leads to and in which nobody
/// may answer, for there they would be good for nothing else. `entrances` are the pipelines of listen.
void add_missing_next(const std::vector<Ref<flow::PipelinePlan>>& pipelines,
                      const std::vector<Ref<flow::PipelinePlan>>& entrances);

}  // namespace perilune::filter
