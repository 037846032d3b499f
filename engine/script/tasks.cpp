#include "script/tasks.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "script/interpreter.hpp"
#include "script/place.hpp"

namespace perilune::script {

std::optional<Duration> duration_at(lua_State* L, int index) {
  if (lua_type(L, index) == LUA_TNUMBER) {
    const double seconds = lua_tonumber(L, index);
    if (!(seconds >= 0)) return std::nullopt;
    return from_seconds(seconds);
  }
  const auto text = string_at(L, index);
  return text ? parse_duration(*text) : std::nullopt;
}

class Tasks::Task final : public flow::HookHandler {
 public:
  Task(Tasks& tasks, Ref<flow::Hook> hook, Duration first, std::optional<Duration> interval = {},
       bool of_handler = false)
      : is_of_handler(of_handler),
        tasks_(tasks),
        hook_(std::move(hook)),
        first_(first),
        interval_(interval) {}

  void start() { loop().arm(timer_, first_); }
  void on_hook_done(flow::HookCall&) override { on_run_over(); }
  bool is_over() const { return is_over_; }
  bool has_begun() const { return call_.is_waiting(); }
  bool is_run_by(const flow::HookCall* call) const { return call == &call_; }

  /// Of one, or of a task of one.
  const bool is_of_handler;

 private:
  loop::Loop& loop() { return tasks_.interpreter_.loop(); }

  void on_timer() {
    started_ = loop().now();
    context_ = flow::Context::make_detached(started_);
    tasks_.interpreter_.contexts.mark_task(*context_);
    call_.run(*hook_, flow::HookShape::Context, *context_);
    if (!call_.is_waiting()) on_run_over();
  }

  void on_run_over() {
    context_.reset();
    if (interval_ && !tasks_.is_stopped_) {
      const Duration since = loop().now() - started_;
      loop().arm(timer_, *interval_ - since % *interval_);
      return;
    }
    is_over_ = true;
    loop().defer(tasks_.sweep_task_);
  }

  Tasks& tasks_;
  const Ref<flow::Hook> hook_;
  const Duration first_;
  const std::optional<Duration> interval_;
  Instant started_{};
  bool is_over_ = false;
  Ref<flow::Context> context_;
  flow::HookCall call_{*this};
  loop::MemberTimer<Task, &Task::on_timer> timer_{*this};
};

Tasks::Tasks(Interpreter& interpreter) : interpreter_(interpreter) {}
Tasks::~Tasks() = default;

void Tasks::bind(lua_State* L) {
  lua_pushcfunction(L, script_function<every>);
  lua_setfield(L, -2, "every");
  lua_pushcfunction(L, script_function<after>);
  lua_setfield(L, -2, "after");
}

void Tasks::start() {
  is_started_ = true;
  for (auto& task : tasks_) task->start();
}

void Tasks::wind_down() {
  is_winding_down_ = true;
  std::erase_if(tasks_, [](const auto& task) { return !task->is_of_handler; });
}

bool Tasks::has_begun() const {
  return std::ranges::any_of(tasks_,
                             [](const auto& task) { return task->is_of_handler && task->has_begun(); });
}

void Tasks::stop() {
  is_stopped_ = true;
  tasks_.clear();
  sweep_task_.withdraw();
}

void Tasks::add(std::unique_ptr<Task> task) {
  if (is_stopped_ || (is_winding_down_ && !task->is_of_handler)) return;
  tasks_.push_back(std::move(task));
  if (is_started_) tasks_.back()->start();
}

bool Tasks::is_of_handler(lua_State* L) const {
  if (interpreter_.loader.is_loading()) return false;
  const flow::HookCall* running = Coroutine::of(L).call;
  const auto task = std::ranges::find_if(tasks_, [&](const auto& each) { return each->is_run_by(running); });
  return task == tasks_.end() || (*task)->is_of_handler;
}

void Tasks::sweep() {
  std::erase_if(tasks_, [](const auto& task) { return task->is_over(); });
}

// (interval, function, on this worker, at start): lua/wait.lua has looked at the options
Outcome Tasks::every(lua_State* L) {
  Tasks& self = Interpreter::of(L).tasks;
  if (!Interpreter::of(L).loader.is_loading())
    return Outcome::error("every: it belongs at the top of a file; in a handler use after");
  const auto interval = duration_at(L, 1);
  if (!interval || *interval <= Duration::zero())
    return Outcome::error("every: argument 1 (interval) expects a number of seconds or \"5s\" above 0, got " +
                          describe_value(L, 1));
  if (!lua_isfunction(L, 2))
    return Outcome::error("every: argument 2 (fn) expects a function, got " + describe_value(L, 2));
  self.is_used_ = true;
  const bool is_for_one = lua_toboolean(L, 3) != 0;
  if (is_for_one && self.interpreter_.options.worker != 0) return 0;
  const Duration first = lua_toboolean(L, 4) ? Duration::zero() : *interval;
  self.add(std::make_unique<Task>(self, self.interpreter_.make_hook(L, 2), first, *interval));
  return 0;
}

Outcome Tasks::after(lua_State* L) {
  Tasks& self = Interpreter::of(L).tasks;
  const auto span = duration_at(L, 1);
  if (!span)
    return Outcome::error("after: argument 1 (time) expects a number of seconds or \"5s\", got " +
                          describe_value(L, 1));
  if (!lua_isfunction(L, 2))
    return Outcome::error("after: argument 2 (fn) expects a function, got " + describe_value(L, 2));
  self.is_used_ = true;
  self.add(std::make_unique<Task>(self, self.interpreter_.make_hook(L, 2), *span, std::nullopt,
                                  self.is_of_handler(L)));
  return 0;
}

}  // namespace perilune::script
