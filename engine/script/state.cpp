#include "script/state.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "filter/use.hpp"
#include "script/interpreter.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

/// Whether a function may lead to this pipeline: that of a `route` by its name or by itself, that of a `use`
/// by itself, if it can be a plugin.
bool may_be_chosen(const flow::PipelinePlan& plan, const filter::Program& program, const SourceHints& hints) {
  const std::string& file = plan.place().file;
  const bool is_kept = plan.name().empty() || hints.is_kept(file, plan.name());
  if (filter::has_open_route(program) && is_kept) return true;
  // What a list of names leaves out is found all the same.
  if (filter::asks_a_route(program) && hints.may_name(file, plan.name())) return true;
  return is_kept && filter::has_open_use(program) && filter::has_answer(plan);
}

/// Pipelines that nothing leads to. Those that a function may lead to are left alone.
void add_unreached(std::vector<filter::Warning>& warnings, const filter::Program& program,
                   const SourceHints& hints) {
  if (program.listens.empty()) return;
  const bool has_open_route = filter::has_open_route(program);
  std::vector<const flow::PipelinePlan*> roots;
  for (const flow::PipelinePlan* plan : filter::unreached(program))
    if (may_be_chosen(*plan, program, hints)) roots.push_back(plan);
  for (const flow::PipelinePlan* plan : filter::unreached(program, roots)) {
    const std::string name = in_quotes(plan->name());
    const bool may_be_listed = has_open_route && !plan->name().empty();
    warnings.push_back(
        {plan->place(),
         (plan->name().empty() ? "this pipeline" : "pipeline " + name) +
             " is never used: nothing leads to it" +
             (may_be_listed ? "; if a route does, list it: route(fn, { " + name + " })" : "")});
  }
}

}  // namespace

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
  program->link();
  if (auto checked = program->check(); !checked) return checked.error();
  if (program->listens.empty() && !interpreter_->tasks.is_used() && !interpreter_->loader.is_module())
    return Error{ErrorCode::ScriptError, Side::Script,
                 path + ": there is nothing to do: no listen, every or after (a module returns something)"};
  return program;
}

void State::start_tasks() { interpreter_->start(); }

void State::wind_down_tasks() { interpreter_->tasks.wind_down(); }

bool State::has_begun_tasks() const { return interpreter_->tasks.has_begun(); }

std::optional<std::string> State::kept(std::string_view name) { return interpreter_->survival.kept(name); }

std::vector<filter::Warning> State::warnings(const filter::Program& program) const {
  const auto sources = interpreter_->loader.sources();
  const auto extent =
      interpreter_->loader.is_module() ? SourceHints::Extent::Module : SourceHints::Extent::Script;
  const SourceHints hints(sources, extent);
  std::vector<filter::Warning> warnings = program.warnings;
  warnings.insert(warnings.end(), hints.warnings().begin(), hints.warnings().end());
  add_unreached(warnings, program, hints);
  const auto place_of = [&](const filter::Warning& warning) {
    const auto file = std::ranges::find(sources, warning.place.file, &SourceFile::path);
    return std::pair(file - sources.begin(), warning.place.line);
  };
  std::ranges::stable_sort(warnings, {}, place_of);
  return warnings;
}

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

std::vector<std::string> State::waiting_test() const {
  const bool has_test = interpreter_->tests && interpreter_->tests->thread;
  return has_test ? script_stack(interpreter_->tests->thread) : std::vector<std::string>();
}

const std::vector<std::string>& State::files() const { return interpreter_->loader.files(); }

size_t State::memory_bytes() const { return interpreter_->heap_bytes(); }

}  // namespace perilune::script
