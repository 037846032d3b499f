#include "script/state.hpp"

#include "script/interpreter.hpp"
#include "script/message_box.hpp"

namespace perilune::script {

State::State(filter::Services& services, filter::HttpClient& http, StateOptions options)
    : interpreter_(std::make_unique<Interpreter>(services, http, std::move(options))) {}
State::~State() = default;

Result<std::unique_ptr<filter::Program>> State::load(const std::string& path) {
  path_ = path;
  auto program = std::make_unique<filter::Program>();
  interpreter_->builder.begin(*program);
  auto run = interpreter_->loader.run(path);
  interpreter_->builder.end();
  if (!run) return std::move(run).error();
  if (auto checked = program->check(); !checked) return checked.error();
  if (program->listens.empty() && !interpreter_->tasks.is_used() && !interpreter_->loader.is_module())
    return Error{ErrorCode::ScriptError, Side::Script,
                 path + ": there is nothing to do: no listen, every or after (a module returns something)"};
  return program;
}

void State::start_tasks() { interpreter_->start(); }

void State::stop_tasks() { interpreter_->tasks.stop(); }

std::optional<std::string> State::kept(std::string_view name) { return interpreter_->survival.kept(name); }

std::vector<std::string> State::admin_pages() const { return interpreter_->pages.paths(); }

void State::run_admin_page(const std::string& path, std::string request,
                           std::function<void(Result<std::string>)> answer) {
  interpreter_->pages.run(path, std::move(request), std::move(answer));
}

void State::stop() { interpreter_->stop(); }

size_t State::give_back_surplus() {
  interpreter_->coroutines.give_back_surplus();
  return interpreter_->heap.give_back_surplus();
}

size_t State::garbage_bytes() const { return interpreter_->garbage_bytes(); }

bool State::collect_garbage() { return interpreter_->collect_garbage(); }

StateCounts State::alive() const {
  StateCounts counts;
  counts.contexts = interpreter_->contexts.alive();
  counts.messages = interpreter_->bindings.messages->alive();
  counts.coroutines = interpreter_->coroutines.in_use();
  counts.waits = interpreter_->coroutines.waiting();
  counts.tasks = interpreter_->tasks.alive();
  return counts;
}

const std::vector<std::string>& State::files() const { return interpreter_->loader.files(); }

size_t State::memory_bytes() const { return interpreter_->heap_bytes(); }

}  // namespace perilune::script
