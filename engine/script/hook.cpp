#include "script/hook.hpp"

#include "script/data_box.hpp"
#include "script/interpreter.hpp"

namespace perilune::script {
namespace {

constexpr const char* end_handlers_may_not_wait =
    "the top of a file, handleExchangeEnd, handleSessionEnd, release and destroy callbacks may not wait";

}  // namespace

LuaHook::~LuaHook() {
  if (interpreter_) luaL_unref(interpreter_->main(), LUA_REGISTRYINDEX, function_);
}

void LuaHook::run(flow::HookCall& call) {
  if (!interpreter_) {
    call.status = flow::HookStatus::Failed;
    call.failure =
        std::make_unique<Error>(Error{ErrorCode::ScriptError, Side::Script, "the script has ended"});
    return;
  }
  interpreter_->note_call();
  Coroutine& coroutine = interpreter_->coroutines.take();
  coroutine.call = &call;
  coroutine.function = function_;
  coroutine.why_no_wait = call.may_wait ? nullptr : end_handlers_may_not_wait;
  lua_State* L = coroutine.thread;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function_);
  const int arguments = push_arguments(L, call);
  interpreter_->coroutines.settle(coroutine, lua_resume(L, arguments));
}

void LuaHook::cancel(flow::HookCall& call) {
  if (!interpreter_ || !call.waiting) return;
  interpreter_->coroutines.cancel(*static_cast<Coroutine*>(call.waiting));
}

int LuaHook::push_arguments(lua_State* L, flow::HookCall& call) {
  using flow::HookShape;
  BindingContext& bindings = interpreter_->bindings;
  switch (call.shape) {
    case HookShape::Context: break;
    case HookShape::Data: push_data(L, bindings, call.data); break;
    case HookShape::Message: push_message(L, bindings, *call.message); break;
    case HookShape::Body: push_string(L, call.message->body); break;
    case HookShape::ContextError:
      interpreter_->contexts.push(L, *call.context);
      if (call.error) push_error(L, *call.error);
      else lua_pushnil(L);
      return 2;
    case HookShape::Piece: return 0;
    case HookShape::Error: push_error(L, *call.error); break;
  }
  interpreter_->contexts.push(L, *call.context);
  return call.shape == HookShape::Context ? 1 : 2;
}

void Hooks::end_all() {
  for (LuaHook& hook : hooks_) hook.interpreter_ = nullptr;
  hooks_.clear();
}

}  // namespace perilune::script
