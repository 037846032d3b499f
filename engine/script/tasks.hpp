#pragma once

#include <lua.hpp>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "flow/hook.hpp"
#include "loop/loop.hpp"
#include "script/stack.hpp"

namespace perilune::script {

class Interpreter;

/// What `every` and `after` ask for. A task has a context of its own for each run, and runs never overlap: a
/// tick that falls into a run is left out. Recorded while the file is loaded, armed by start().
class Tasks {
 public:
  explicit Tasks(Interpreter& interpreter);
  ~Tasks();
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  /// Adds `every` and `after` to the table at the top of the stack, for lua/wait.lua.
  void bind(lua_State* L);
  void start();
  /// A newer version serves: calls off what the file asked for at its top, and what came of that. What handlers
  /// ask for belongs to their requests, which go on.
  void wind_down();
  /// Calls off everything; later ones are refused.
  void stop();
  /// Some that handlers asked for have begun and wait for something.
  bool has_begun() const;
  size_t alive() const { return tasks_.size(); }
  /// The script asked for something, be it for another worker.
  bool is_used() const { return is_used_; }

 private:
  class Task;
  static Outcome every(lua_State* L);
  static Outcome after(lua_State* L);
  void add(std::unique_ptr<Task> task);
  bool is_of_handler(lua_State* L) const;
  void sweep();

  Interpreter& interpreter_;
  std::vector<std::unique_ptr<Task>> tasks_;
  bool is_used_ = false;
  bool is_started_ = false;
  bool is_winding_down_ = false;
  bool is_stopped_ = false;
  loop::MemberTask<Tasks, &Tasks::sweep> sweep_task_{*this};
};

/// A span of time at `index`: seconds or "5s". None when it is something else.
std::optional<Duration> duration_at(lua_State* L, int index);

}  // namespace perilune::script
