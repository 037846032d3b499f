#pragma once

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <lua.hpp>
#include <optional>
#include <string>

#include "loop/loop.hpp"
#include "script/compiled_code.hpp"

namespace perilune::script {

/// A function of a script by its first line. `source` is the chunk's name, which lives as long as the
/// function; null: not known.
struct FunctionPlace {
  const char* source = nullptr;
  int line = 0;
};
/// Of the function at the top of the stack.
FunctionPlace function_place(lua_State* L);

/// Finds out from outside what a thread does in its scripts, without a cost that a script would notice: the
/// running function is noted at each call of a hook, and a signal looks at the rest. Code that is interpreted
/// then shows its traceback, in the log. Compiled code calls no hook and is known by its address; a call of C
/// shows itself when it comes back. Made in the thread that is watched, one a thread, and destroyed when that
/// has ended.
class ScriptWatch {
 public:
  /// `name` is the thread's in messages; the turns of `loop` are what is judged.
  ScriptWatch(const loop::Loop& loop, std::string name);
  ~ScriptWatch();
  ScriptWatch(const ScriptWatch&) = delete;
  ScriptWatch& operator=(const ScriptWatch&) = delete;

  /// The one of this thread; null: nobody watches.
  static ScriptWatch* current();

  // for the thread that watches, which is one
  /// Has the thread, which is in this turn, look at what it does. Interpreted code writes its traceback to
  /// the log.
  void interrupt(uint64_t turn);
  struct Finding {
    /// The log has a traceback.
    bool has_shown_itself = false;
    /// Where the function begins that the engine has called; empty: no script runs.
    std::string function = {};
    /// The line of the compiled code that runs; empty: none does.
    std::string compiled = {};
  };
  /// What the interruption has found so far; none: the thread has not even looked.
  std::optional<Finding> finding() const;
  /// "for 1.2 s": how long the turn has taken by now.
  std::string how_long() const;

  /// A script runs, for as long as this lives.
  class Running {
   public:
    Running(lua_State* main, const CompiledCode& code, FunctionPlace place) : watch_(current()) {
      if (!watch_) return;
      main_ = main;
      code_ = &code;
      place_ = place;
      before_ = watch_->running_.load(std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_release);
      watch_->running_.store(this, std::memory_order_relaxed);
    }
    ~Running() {
      if (watch_) watch_->running_.store(before_, std::memory_order_relaxed);
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    friend class ScriptWatch;
    ScriptWatch* const watch_;
    lua_State* main_;
    const CompiledCode* code_;
    FunctionPlace place_;
    const Running* before_;
  };

 private:
  enum class State : uint8_t { Idle, Asked, Seen, Shown };
  static void on_signal(int number, siginfo_t* info, void* context);
  static void on_hook(lua_State* L, lua_Debug*);
  void look(uintptr_t address);

  const loop::Loop& loop_;
  const std::string name_;
  const pthread_t thread_;
  std::atomic<const Running*> running_{nullptr};
  std::atomic<uint64_t> turn_{0};
  std::atomic<State> state_{State::Idle};
  // Written by the signal's handler before it says Seen.
  PlaceText function_{};
  PlaceText compiled_{};
};

}  // namespace perilune::script
