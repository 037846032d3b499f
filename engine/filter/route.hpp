#pragma once

#include <optional>

#include "filter/registry.hpp"
#include "filter/waiting_filter.hpp"

namespace perilune::filter {

/// `route(fn | name | pipeline [, names])`: continues in another pipeline, with the same context. Asked once: when a
/// session begins, or when the first event of a message comes and the handlers before it ran. nil is NoRoute (404)
/// for a message and an error for a byte stream.
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

class Route final : public WaitingFilter {
 public:
  explicit Route(const RoutePlan& plan) : plan_(plan), outlet_(*this) {}

 private:
  class Outlet final : public flow::Sink {
   public:
    explicit Outlet(Route& route) : route_(route) {}
    void on_event(flow::Event&& event) override;

   private:
    Route& route_;
  };

  void on_start() override;
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  void on_stop() override;
  void on_reset() override;
  bool end_if_idle(Instant since) override { return chosen_ && chosen_->end_if_idle(since); }
  /// Before it has chosen nobody knows: it is asked again then.
  bool is_movable() const override { return !has_failed_ && (!chosen_ || chosen_->is_movable()); }
  bool leave(flow::Leaving how) override {
    leaving_ = how;
    return chosen_ && chosen_->leave(how);
  }
  void take_unused(buffer::Buffer& unused) override {
    if (chosen_) unused.append(chosen_->take_unused());
  }
  void choose(flow::PipelinePlan& target);
  void give_up(const Error& error);

  const RoutePlan& plan_;
  Outlet outlet_;
  Ref<flow::Pipeline> chosen_;
  flow::Event first_ = flow::Event::stream_end();
  bool has_first_ = false;
  bool is_asked_ = false;
  bool has_failed_ = false;
  std::optional<flow::Leaving> leaving_;
};

}  // namespace perilune::filter
