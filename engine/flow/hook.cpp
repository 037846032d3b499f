#include "flow/hook.hpp"

namespace perilune::flow {

HookStatus HookCall::run(Hook& hook, HookShape asked_shape, Context& ctx) {
  PERILUNE_EXPECT(!is_waiting(), "a hook call runs one function at a time");
  shape = asked_shape;
  context = &ctx;
  failure.reset();
  if (shape != HookShape::ContextValue) value = Value();
  status = HookStatus::Idle;
  hook.run(*this);
  if (status == HookStatus::Waiting) running_ = Ref<Hook>(&hook);
  return status;
}

void HookCall::cancel() {
  if (!is_waiting()) return;
  const Ref<Hook> hook = std::move(running_);
  hook->cancel(*this);
  status = HookStatus::Idle;
}

}  // namespace perilune::flow
