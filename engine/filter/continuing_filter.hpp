#pragma once

#include <optional>

#include "filter/registry.hpp"
#include "filter/waiting_filter.hpp"

namespace perilune::filter {

/// Base of the joints that go on in another pipeline with the same context: route, use and next. They decide
/// once: when a session begins, because some servers speak first, or when the first event of a message comes
/// and the handlers before it ran. What fails there is a response for a message, and an error for a byte
/// stream.
class ContinuingFilter : public WaitingFilter {
 protected:
  explicit ContinuingFilter(const flow::FilterPlan& plan) : filter_plan_(plan), outlet_(*this) {}

  /// To call go_on or give_up, at once or when a hook is done.
  virtual void decide() = 0;
  /// Begins the pipeline; the event that is held goes first. `carriers` is what comes along here, as
  /// flow::bit_of; 0 where nobody knows. `rest` is what its `next` leads to.
  void go_on(flow::PipelinePlan& target, const flow::Rest* rest, uint8_t carriers);
  void give_up(const Error& error);
  /// The script's fault, with the filter's place and name in front of the sentence.
  void refuse(const std::string& sentence);
  /// The hook has failed: gives up, and says so.
  bool gave_up_for_hook();

  void on_stop() override;
  void on_reset() override;

 private:
  class Outlet final : public flow::Sink {
   public:
    explicit Outlet(ContinuingFilter& filter) : filter_(filter) {}
    void on_event(flow::Event&& event) override;

   private:
    ContinuingFilter& filter_;
  };

  void on_start() override;
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
  void process(flow::Event&& event) override;

  const flow::FilterPlan& filter_plan_;
  Outlet outlet_;
  Ref<flow::Pipeline> chosen_;
  flow::Event first_ = flow::Event::stream_end();
  bool has_first_ = false;
  bool is_asked_ = false;
  bool has_failed_ = false;
  std::optional<flow::Leaving> leaving_;
};

/// `pipeline "web"`, or where it stands when it has no name.
std::string label_of(const flow::PipelinePlan& plan);

}  // namespace perilune::filter
