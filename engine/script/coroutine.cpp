#include "script/coroutine.hpp"

#include "base/limits.hpp"
#include "script/interpreter.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

// A cancelled function that catches `cancelled` and waits again, for ever, is left lying after so many times.
constexpr int refusals_max = 100;

}  // namespace

void Wait::wake() { coroutine_.wake(); }
Interpreter& Wait::interpreter() const { return coroutine_.interpreter; }

Coroutine::Coroutine(Interpreter& owner) : interpreter(owner) {}

void Coroutine::require_wait(lua_State* L, const char* asked) {
  if (is_cancelled) {
    if (++refusals > refusals_max && lua_isyieldable(L)) return;  // suspend() leaves it lying
    interpreter.push_cancelled(L);
    lua_error(L);
  }
  if (why_no_wait) raise_at_script(L, "%s cannot wait here: %s", asked, why_no_wait);
  // LuaJIT cannot suspend a function that a C function called.
  if (!lua_isyieldable(L))
    raise_at_script(
        L, "%s cannot wait here: functions called by table.sort, string.gsub and the like may not wait",
        asked);
}

int Coroutine::suspend(lua_State* L, std::unique_ptr<Wait> new_wait) {
  wait = std::move(new_wait);
  return lua_yield(L, 0);
}

void Coroutine::wake() { interpreter.loop().defer(wake_task_); }

void Coroutine::on_wake() {
  if (!wait) return;
  const std::unique_ptr<Wait> over = std::move(wait);
  lua_pushboolean(thread, false);
  const int results = over->push_results(thread);
  Coroutines& coroutines = interpreter.coroutines;
  flow::HookCall* finished = call;
  const ScriptWatch::Running running(interpreter.main(), interpreter.compiled_code, place);
  coroutines.settle(*this, lua_resume(thread, 1 + results));
  if (!finished->is_waiting()) finished->finish();
}

Coroutines::~Coroutines() {
  busy_.clear_and_dispose([](Coroutine* coroutine) { delete coroutine; });
}

size_t Coroutines::waiting() const {
  size_t count = 0;
  for (const Coroutine& coroutine : busy_) count += coroutine.is_waiting();
  return count;
}

void Coroutines::settle(Coroutine& coroutine, int status) {
  flow::HookCall& call = *coroutine.call;
  if (status == LUA_YIELD) {
    call.status = flow::HookStatus::Waiting;
    call.waiting = &coroutine;
    return;
  }
  call.waiting = nullptr;
  if (status == 0) {
    interpreter_.take_results(coroutine.thread, call);
    give_back(coroutine);
  } else {
    interpreter_.take_failure(coroutine.thread, call);
    drop(coroutine);
  }
}

void Coroutines::cancel(Coroutine& coroutine) {
  coroutine.is_cancelled = true;
  coroutine.wait.reset();
  lua_State* L = coroutine.thread;
  const ScriptWatch::Running running(interpreter_.main(), interpreter_.compiled_code, coroutine.place);
  lua_pushboolean(L, true);
  const int status = lua_resume(L, 1);
  coroutine.call->waiting = nullptr;
  if (status == 0) {
    give_back(coroutine);
    return;
  }
  // What else it raises while it unwinds is a mistake in the script that nobody would see otherwise.
  if (status != LUA_YIELD) interpreter_.report_unless_cancelled(L);
  drop(coroutine);
}

void Coroutines::cancel_all() {
  while (true) {
    Coroutine* waiting = nullptr;
    for (Coroutine& coroutine : busy_)
      if (coroutine.is_waiting()) waiting = &coroutine;
    if (!waiting) return;
    flow::HookCall& call = *waiting->call;
    cancel(*waiting);
    call.status = flow::HookStatus::Failed;
    call.failure =
        std::make_unique<Error>(Error{ErrorCode::Cancelled, Side::Engine, "the script was stopped"});
    call.finish();
  }
}

Coroutine& Coroutines::make() {
  auto coroutine = std::make_unique<Coroutine>(interpreter_);
  lua_State* L = interpreter_.main();
  coroutine->thread = lua_newthread(L);
  coroutine->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_setexdata(coroutine->thread, coroutine.get());
  busy_.push_back(*coroutine);
  return *coroutine.release();
}

std::unique_ptr<Coroutine> Coroutines::remove_busy(Coroutine& coroutine) {
  busy_.erase(busy_.iterator_to(coroutine));
  return std::unique_ptr<Coroutine>(&coroutine);
}

void Coroutines::give_back(Coroutine& coroutine) {
  if (idle_.size() >= limits::pooled_coroutines_max) return drop(coroutine);
  lua_settop(coroutine.thread, 0);
  coroutine.call = nullptr;
  coroutine.is_cancelled = false;
  coroutine.refusals = 0;
  idle_.push_back(remove_busy(coroutine));
}

void Coroutines::give_back_surplus() {
  for (size_t count = surplus_.take(idle_.size()); count > 0; --count) {
    luaL_unref(interpreter_.main(), LUA_REGISTRYINDEX, idle_.back()->reference);
    idle_.pop_back();
  }
}

void Coroutines::drop(Coroutine& coroutine) {
  const auto dropped = remove_busy(coroutine);
  luaL_unref(interpreter_.main(), LUA_REGISTRYINDEX, dropped->reference);
}

}  // namespace perilune::script
