#include "filter/waiting_filter.hpp"

namespace perilune::filter {

void WaitingFilter::on_event(flow::Event&& event) {
  if (event.is_stream_end() && event.error() && (is_waiting() || is_replaying_)) {
    call_.cancel();
    is_paused_ = false;
    queue_.clear();
    hold_.release();
    output(std::move(event));
    return;
  }
  if (is_waiting() || is_replaying_ || !queue_.empty()) {
    queue_.push_back(std::move(event));
    return;
  }
  process(std::move(event));
}

void WaitingFilter::run_hook(flow::Hook& hook, flow::HookShape shape) {
  if (call_.run(hook, shape, context()) == flow::HookStatus::Waiting) {
    if (!hold_) hold_ = input_valve().hold();
    return;
  }
  on_hook_result();
}

void WaitingFilter::on_hook_done(flow::HookCall&) {
  on_hook_result();
  replay();
}

void WaitingFilter::pause() {
  is_paused_ = true;
  if (!hold_) hold_ = input_valve().hold();
}

void WaitingFilter::resume() {
  is_paused_ = false;
  replay();
}

void WaitingFilter::replay() {
  if (is_replaying_ || is_ended()) return;
  is_replaying_ = true;
  for (size_t i = 0; i < queue_.size() && !is_waiting() && !is_ended(); ++i) {
    flow::Event event = std::move(queue_[i]);
    replayed_ = i + 1;
    process(std::move(event));
  }
  is_replaying_ = false;
  queue_.erase(queue_.begin(),
               queue_.begin() + static_cast<std::ptrdiff_t>(std::min(replayed_, queue_.size())));
  replayed_ = 0;
  if (!is_waiting()) hold_.release();
}

void WaitingFilter::on_stop() {
  call_.cancel();
  is_paused_ = false;
  hold_.release();
}

void WaitingFilter::on_reset() {
  queue_.clear();
  replayed_ = 0;
  is_replaying_ = false;
  is_paused_ = false;
  call_.message.reset();
  call_.data = {};
  call_.value = Value();
  call_.failure.reset();
}

}  // namespace perilune::filter
