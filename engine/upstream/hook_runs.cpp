#include "upstream/hook_runs.hpp"

#include <algorithm>

namespace perilune::upstream {

class HookRuns::Run final : private flow::HookHandler {
 public:
  Run(HookRuns& runs, PooledConnection& connection, bool is_release)
      : runs_(runs), connection_(&connection), is_release_(is_release) {}

  flow::HookCall call{*this};
  flow::Context& context() const { return connection_->context(); }

 private:
  void on_hook_done(flow::HookCall&) override {
    if (is_release_) connection_->pool().finish_release(*connection_);
    runs_.forget(*this);
  }

  HookRuns& runs_;
  const Ref<PooledConnection> connection_;
  const bool is_release_;
};

HookRuns::HookRuns(flow::Runtime& runtime) : runtime_(runtime) {}

HookRuns::~HookRuns() { stop(); }

void HookRuns::clear_done() { done_.clear(); }

void HookRuns::stop() {
  running_.clear();
  done_.clear();
}

void HookRuns::forget(Run& run) {
  const auto found = std::ranges::find(running_, &run, [](const auto& each) { return each.get(); });
  if (found == running_.end()) return;
  // It is on the stack still.
  done_.push_back(std::move(*found));
  running_.erase(found);
  runtime_.loop.defer(clear_task_);
}

bool HookRuns::run_at_release(flow::Hook& hook, PooledConnection& connection) {
  auto run = std::make_unique<Run>(*this, connection, true);
  Run& started = *run;
  running_.push_back(std::move(run));
  if (started.call.run(hook, flow::HookShape::Context, started.context()) == flow::HookStatus::Waiting)
    return true;
  forget(started);
  return false;
}

void HookRuns::run_at_end(flow::Hook& hook, PooledConnection& connection, std::string_view reason) {
  auto run = std::make_unique<Run>(*this, connection, false);
  Run& started = *run;
  running_.push_back(std::move(run));
  started.call.value = Value(reason);
  if (started.call.run(hook, flow::HookShape::ContextValue, started.context()) != flow::HookStatus::Waiting)
    forget(started);
}

}  // namespace perilune::upstream
