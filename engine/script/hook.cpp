#include "script/hook.hpp"

#include <algorithm>

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
    call.value = {};
    call.status = flow::HookStatus::Failed;
    call.failure =
        std::make_unique<Error>(Error{ErrorCode::ScriptError, Side::Script, "the script has ended"});
    return;
  }
  interpreter_->note_call();
  Coroutine& coroutine = interpreter_->coroutines.take();
  coroutine.call = &call;
  coroutine.function = function_;
  coroutine.place = place_;
  coroutine.why_no_wait = call.may_wait ? nullptr : end_handlers_may_not_wait;
  lua_State* L = coroutine.thread;
  lua_rawgeti(L, LUA_REGISTRYINDEX, function_);
  const int arguments = push_arguments(L, call);
  call.value = {};
  const ScriptWatch::Running running(interpreter_->main(), interpreter_->compiled_code, place_);
  interpreter_->coroutines.settle(coroutine, lua_resume(L, arguments));
}

void LuaHook::cancel(flow::HookCall& call) {
  if (!interpreter_ || !call.waiting) return;
  interpreter_->coroutines.cancel(*static_cast<Coroutine*>(call.waiting));
}

int LuaHook::push_arguments(lua_State* L, flow::HookCall& call) {
  using flow::HookShape;
  if (call.shape == HookShape::Piece) return 0;
  // What a function does not take is not made for it: a table for each request is soon the dearest of all.
  const int count = std::min(parameters(L), call.shape == HookShape::Context ? 1 : 2);
  if (count == 0) return 0;
  BindingContext& bindings = interpreter_->bindings;
  switch (call.shape) {
    case HookShape::Piece: break;
    case HookShape::Context:
    case HookShape::ContextValue:
    case HookShape::ContextError: interpreter_->contexts.push(L, *call.context); break;
    case HookShape::Data: push_data(L, bindings, call.data); break;
    case HookShape::Message: push_message(L, bindings, *call.message); break;
    case HookShape::Body: push_string(L, call.message->body); break;
    case HookShape::Error: push_error(L, *call.error); break;
  }
  if (count == 1) return 1;
  if (call.shape == HookShape::ContextValue) interpreter_->objects.push_value(L, call.value);
  else if (call.shape != HookShape::ContextError) interpreter_->contexts.push(L, *call.context);
  else if (call.error) push_error(L, *call.error);
  else lua_pushnil(L);
  return 2;
}

int LuaHook::parameters(lua_State* L) {
  if (parameters_ < 0) parameters_ = std::min(interpreter_->parameters_of(L, -1), 2);
  return parameters_;
}

void Hooks::end_all() {
  for (LuaHook& hook : hooks_) hook.interpreter_ = nullptr;
  hooks_.clear();
}

}  // namespace perilune::script
