#pragma once

#include <boost/intrusive/list.hpp>
#include <lua.hpp>
#include <memory>
#include <vector>

#include "base/pooled.hpp"
#include "flow/hook.hpp"
#include "loop/loop.hpp"
#include "script/script_watch.hpp"

namespace perilune::script {

class Coroutine;
class Interpreter;

/// Something that a function of a script waits for. Belongs to the waiting coroutine; destroying it calls off
/// what is under way. The function that made it returns `false` and the pushed results to our Lua library, or
/// `true` when it was cancelled; the library's front turns that into results or a raised `cancelled`.
class Wait {
 public:
  explicit Wait(Coroutine& waiting) : coroutine_(waiting) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  virtual ~Wait() = default;

  /// Pushes what the wait came to and returns how many values that is. Called once, after wake(); must not
  /// raise.
  virtual int push_results(lua_State* L) = 0;

 protected:
  /// The results are there: the function goes on at the end of this turn, so never inside the call that
  /// brought them. More calls do no harm.
  void wake();
  Interpreter& interpreter() const;

 private:
  Coroutine& coroutine_;
};

/// A Lua thread that runs hooks, one after the other.
class Coroutine final : public boost::intrusive::list_base_hook<> {
 public:
  /// The one that `L` belongs to. The main thread has one too, which may never wait.
  static Coroutine& of(lua_State* L) { return *static_cast<Coroutine*>(lua_getexdata(L)); }

  explicit Coroutine(Interpreter& owner);
  Coroutine(const Coroutine&) = delete;
  Coroutine& operator=(const Coroutine&) = delete;

  bool may_wait(lua_State* L) const { return !is_cancelled && !why_no_wait && lua_isyieldable(L); }
  /// Raises unless the running function may wait here. `asked` is what the script called.
  void require_wait(lua_State* L, const char* asked);
  /// Suspends the running function until `wait` is over: `return coroutine.suspend(L, ...)` from a bound
  /// function, after require_wait.
  int suspend(lua_State* L, std::unique_ptr<Wait> wait);
  /// Continues with the results of the wait at the end of this turn.
  void wake();
  bool is_waiting() const { return wait != nullptr; }

  Interpreter& interpreter;
  lua_State* thread = nullptr;
  int reference = LUA_NOREF;
  /// What it runs for; null for the main thread and for idle ones.
  flow::HookCall* call = nullptr;
  /// The function that it runs, as a reference in the registry.
  int function = LUA_NOREF;
  FunctionPlace place;
  std::unique_ptr<Wait> wait;
  /// Says why the running function may not wait; null when it may.
  const char* why_no_wait = nullptr;
  bool is_cancelled = false;
  /// How often it tried to wait after it was cancelled.
  int refusals = 0;

 private:
  void on_wake();
  loop::MemberTask<Coroutine, &Coroutine::on_wake> wake_task_{*this};
};

/// The coroutines of one Lua state: those that run or wait, and idle ones for reuse, at most
/// limits::pooled_coroutines_max. One that raised is not used again.
class Coroutines {
 public:
  explicit Coroutines(Interpreter& interpreter) : interpreter_(interpreter) {}
  Coroutines(const Coroutines&) = delete;
  Coroutines& operator=(const Coroutines&) = delete;
  ~Coroutines();

  /// An idle coroutine with an empty stack.
  Coroutine& take() {
    if (idle_.empty()) return make();
    Coroutine* coroutine = idle_.back().release();
    idle_.pop_back();
    surplus_.note_taken(idle_.size());
    busy_.push_back(*coroutine);
    return *coroutine;
  }
  /// Handles what lua_resume returned: fills the call, and takes the coroutine back when it is over.
  void settle(Coroutine& coroutine, int status);
  /// Raises `cancelled` in a waiting one and lets it unwind.
  void cancel(Coroutine& coroutine);
  /// Cancels every waiting one and tells their callers.
  void cancel_all();

  size_t in_use() const { return busy_.size(); }
  size_t waiting() const;
  size_t idle() const { return idle_.size(); }
  /// Leaves idle ones that nobody needed since the last call to Lua's collector.
  void give_back_surplus();

 private:
  Coroutine& make();
  std::unique_ptr<Coroutine> remove_busy(Coroutine& coroutine);
  void give_back(Coroutine& coroutine);
  void drop(Coroutine& coroutine);

  Interpreter& interpreter_;
  std::vector<std::unique_ptr<Coroutine>> idle_;
  Surplus surplus_;
  boost::intrusive::list<Coroutine> busy_;  // owned
};

}  // namespace perilune::script
