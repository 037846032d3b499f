#pragma once

#include <vector>

#include "flow/pipeline.hpp"

namespace perilune::filter {

/// Base of filters that call a function of the script which may wait. While it waits, input goes into a queue
/// and the input's valve is held, so that the queue holds what one step still brings; then it is replayed in
/// order. A StreamEnd with an error overtakes it and calls the wait off.
class WaitingFilter : public flow::Filter, public flow::HookHandler {
 protected:
  void on_event(flow::Event&& event) final;
  void on_stop() override;
  void on_reset() override;

  /// Handles one event; nothing is waiting when it comes.
  virtual void process(flow::Event&& event) = 0;
  /// The call is over: call_.status is Returned or Failed.
  virtual void on_hook_result() = 0;

  /// Calls `hook` with what was put into call_; on_hook_result follows at once or later.
  void run_hook(flow::Hook& hook, flow::HookShape shape);
  bool is_waiting() const { return call_.is_waiting() || is_paused_; }
  /// Queues input until resume(), for waits of another kind than a hook's.
  void pause();
  void resume();
  void drop_queue() { queue_.clear(); }

  flow::HookCall call_{*this};

 private:
  void on_hook_done(flow::HookCall& call) override;
  void replay();

  std::vector<flow::Event> queue_;
  size_t replayed_ = 0;
  bool is_replaying_ = false;
  bool is_paused_ = false;
  flow::Hold hold_;
};

}  // namespace perilune::filter
