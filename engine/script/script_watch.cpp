#include "script/script_watch.hpp"

#include <pthread.h>
#include <ucontext.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "base/log.hpp"

namespace perilune::script {
namespace {

thread_local ScriptWatch* the_watch = nullptr;

int watch_signal() { return SIGRTMIN + 3; }

/// The address of the instruction that the signal has interrupted; 0 on machines that are not known here.
uintptr_t address_of(const void* context) {
  [[maybe_unused]] const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<uintptr_t>(machine.pc);
#else
  return 0;
#endif
}

}  // namespace

FunctionPlace function_place(lua_State* L) {
  lua_Debug facts;
  lua_pushvalue(L, -1);
  if (!lua_getinfo(L, ">S", &facts) || facts.source[0] != '@') return {};
  return {facts.source, facts.linedefined};
}

ScriptWatch* ScriptWatch::current() { return the_watch; }

ScriptWatch::ScriptWatch(const loop::Loop& loop, std::string name)
    : loop_(loop), name_(std::move(name)), thread_(pthread_self()) {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(watch_signal(), &action, nullptr);
  the_watch = this;
}

ScriptWatch::~ScriptWatch() { the_watch = nullptr; }

void ScriptWatch::interrupt(uint64_t turn) {
  turn_.store(turn, std::memory_order_relaxed);
  state_.store(State::Asked, std::memory_order_release);
  pthread_kill(thread_, watch_signal());
}

void ScriptWatch::on_signal(int, siginfo_t*, void* context) {
  const int kept = errno;
  if (the_watch) the_watch->look(address_of(context));
  errno = kept;
}

// In a signal's handler, in the midst of anything: it reads what this thread has written, copies, and sets
// the hook, which is what lua_sethook is made for.
void ScriptWatch::look(uintptr_t address) {
  if (state_.load(std::memory_order_acquire) != State::Asked) return;
  const Running* const running = running_.load(std::memory_order_relaxed);
  function_[0] = compiled_[0] = '\0';
  if (running) {
    write_place(function_, running->place_.source, running->place_.line);
    if (function_[0] == '\0') write_place(function_, "a callback", 0);
    if (const PlaceText* place = running->code_->find(address)) compiled_ = *place;
    lua_sethook(running->main_, on_hook, LUA_MASKCOUNT, 1);
  }
  state_.store(State::Seen, std::memory_order_release);
}

void ScriptWatch::on_hook(lua_State* L, lua_Debug*) {
  lua_sethook(L, nullptr, 0, 0);
  ScriptWatch* const watch = the_watch;
  // The turn that was meant may be over.
  if (!watch || watch->state_.load(std::memory_order_relaxed) != State::Seen ||
      watch->loop_.turns() != watch->turn_.load())
    return;
  luaL_traceback(L, L, nullptr, 0);
  log::write_lines(log::Level::Warn, watch->name_ + " is held up by a script, " + watch->how_long() +
                                         " so far\n" + lua_tostring(L, -1));
  lua_pop(L, 1);
  watch->state_.store(State::Shown, std::memory_order_release);
}

std::string ScriptWatch::how_long() const {
  const Instant since = loop_.busy_since();
  if (since == Instant::min()) return "more than a second";  // it has just ended
  const auto now = Instant(std::chrono::steady_clock::now().time_since_epoch());
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", to_seconds(now - since));
  return text;
}

std::optional<ScriptWatch::Finding> ScriptWatch::finding() const {
  switch (state_.load(std::memory_order_acquire)) {
    case State::Idle:
    case State::Asked: return std::nullopt;
    case State::Seen: return Finding{false, function_.data(), compiled_.data()};
    case State::Shown: return Finding{true, function_.data(), compiled_.data()};
  }
  return std::nullopt;
}

}  // namespace perilune::script
