#pragma once

#include <boost/intrusive/list.hpp>
#include <lua.hpp>

#include "flow/hook.hpp"
#include "script/script_watch.hpp"

namespace perilune::script {

class Interpreter;

using HookLink = boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A function of a script. Runs on a pooled coroutine; one that does not wait costs one lua_resume. When its
/// state has ended it fails with ScriptError.
class LuaHook final : public flow::Hook, public HookLink {
 public:
  LuaHook(Interpreter& interpreter, int function, FunctionPlace place)
      : interpreter_(&interpreter), function_(function), place_(place) {}
  ~LuaHook() override;

  void run(flow::HookCall& call) override;
  void cancel(flow::HookCall& call) override;
  /// Pushes the function.
  void push(lua_State* L) const { lua_rawgeti(L, LUA_REGISTRYINDEX, function_); }

 private:
  friend class Hooks;
  int push_arguments(lua_State* L, flow::HookCall& call);
  /// How many arguments the function can see, two at most.
  int parameters(lua_State* L);

  Interpreter* interpreter_;
  const int function_;
  const FunctionPlace place_;
  int parameters_ = -1;  // not looked at yet
};

/// The hooks of a state, which may outlive it.
class Hooks {
 public:
  Hooks() = default;
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;
  ~Hooks() { end_all(); }

  void add(LuaHook& hook) { hooks_.push_back(hook); }
  void end_all();

 private:
  boost::intrusive::list<LuaHook, boost::intrusive::constant_time_size<false>> hooks_;
};

}  // namespace perilune::script
