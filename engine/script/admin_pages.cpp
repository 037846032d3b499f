#include "script/admin_pages.hpp"

#include "base/limits.hpp"
#include "script/admin_host.hpp"
#include "script/interpreter.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

/// What the script of the admin address waits for: the process's answer.
class AdminWait final : public Wait {
 public:
  AdminWait(Coroutine& coroutine, AdminHost& host, const std::string& what, std::string argument)
      : Wait(coroutine) {
    host.ask(what, std::move(argument), [slot = slot_](Result<std::string> answer) {
      if (slot->waiting) slot->waiting->take(std::move(answer));
    });
  }
  ~AdminWait() override { slot_->waiting = nullptr; }

  int push_results(lua_State* L) override {
    if (answer_.has_value()) return push_text(L, *answer_), 1;
    lua_pushnil(L);
    push_text(L, answer_.error().detail);
    return 2;
  }

 private:
  /// Outlives a wait that was called off before its answer came.
  struct Slot {
    AdminWait* waiting;
  };
  void take(Result<std::string> answer) {
    answer_ = std::move(answer);
    wake();
  }

  const std::shared_ptr<Slot> slot_ = std::make_shared<Slot>(Slot{this});
  Result<std::string> answer_ = Error{ErrorCode::Internal, Side::Engine, {}};
};

// (what, argument) → cancelled, text or nil, sentence
int ask(lua_State* L) {
  Coroutine& coroutine = Coroutine::of(L);
  coroutine.require_wait(L, "process.ask");
  AdminHost& host = *Interpreter::of(L).options.admin;
  return coroutine.suspend(
      L, std::make_unique<AdminWait>(coroutine, host, std::string(string_at(L, 1).value_or("")),
                                     std::string(string_at(L, 2).value_or(""))));
}

}  // namespace

class AdminPages::Run final : public flow::HookHandler {
 public:
  Run(AdminPages& pages, std::string path, Answer answer)
      : pages_(pages), path_(std::move(path)), answer_(std::move(answer)) {}

  void start(flow::Hook& hook, std::string request) {
    context_ = flow::Context::make_detached(loop().now());
    pages_.interpreter_.contexts.mark_task(*context_);
    call_.value = Value(std::move(request));
    call_.run(hook, flow::HookShape::ContextValue, *context_);
    if (!call_.is_waiting()) return finish();
    loop().arm(timer_, limits::admin_page_timeout);
  }
  void on_hook_done(flow::HookCall&) override { finish(); }
  bool is_over() const { return !answer_; }
  void cancel(const char* why) {
    if (is_over()) return;
    call_.cancel();
    give(failure(why));
  }

 private:
  loop::Loop& loop() const { return pages_.interpreter_.loop(); }
  Error failure(const std::string& why) const {
    return {ErrorCode::ScriptError, Side::Script, "the page " + path_ + ": " + why};
  }
  void on_timer() { cancel("it takes too long"); }

  void finish() {
    if (call_.status == flow::HookStatus::Failed)
      return give(failure(call_.failure ? call_.failure->detail : std::string("it failed")));
    const std::string* text = call_.value.string();
    if (!text) return give(failure("it gave nothing"));
    give(*text);
  }
  void give(Result<std::string> result) {
    timer_.disarm();
    context_.reset();
    const Answer answer = std::exchange(answer_, nullptr);
    loop().defer(pages_.sweep_task_);
    answer(std::move(result));
  }

  AdminPages& pages_;
  const std::string path_;
  Answer answer_;
  Ref<flow::Context> context_;
  flow::HookCall call_{*this};
  loop::MemberTimer<Run, &Run::on_timer> timer_{*this};
};

AdminPages::AdminPages(Interpreter& interpreter) : interpreter_(interpreter) {}
AdminPages::~AdminPages() = default;

void AdminPages::bind(lua_State* L) {
  lua_pushcfunction(L, script_function<add_page>);
  lua_setfield(L, -2, "add_page");
  lua_pushinteger(L, static_cast<lua_Integer>(limits::admin_page_bytes_max));
  lua_setfield(L, -2, "admin_page_bytes_max");
  AdminHost* const host = interpreter_.options.admin;
  if (!host) return;
  lua_pushcfunction(L, ask);
  lua_setfield(L, -2, "process_ask");
  lua_pushcfunction(L, script_function<allows>);
  lua_setfield(L, -2, "process_allows");
  push_text(L, host->address());
  lua_setfield(L, -2, "process_address");
  lua_pushinteger(L, static_cast<lua_Integer>(limits::admin_connections_max));
  lua_setfield(L, -2, "process_connections_max");
}

// (path, function): lua/pages.lua has looked at them
Outcome AdminPages::add_page(lua_State* L) {
  AdminPages& self = Interpreter::of(L).pages;
  const std::string path(string_at(L, 1).value_or(""));
  if (self.pages_.contains(path)) return Outcome::error("admin: there is a page " + path + " already");
  if (self.pages_.size() >= limits::admin_pages_max)
    return Outcome::error("admin: there are " + std::to_string(limits::admin_pages_max) + " pages already");
  self.pages_.emplace(path, self.interpreter_.make_hook(L, 2));
  return 0;
}

// (authorization or nil)
Outcome AdminPages::allows(lua_State* L) {
  lua_pushboolean(L, Interpreter::of(L).options.admin->allows(string_at(L, 1).value_or("")));
  return 1;
}

std::vector<std::string> AdminPages::paths() const {
  std::vector<std::string> paths;
  for (const auto& [path, hook] : pages_) paths.push_back(path);
  return paths;
}

void AdminPages::run(const std::string& path, std::string request, Answer answer) {
  const auto page = pages_.find(path);
  if (page == pages_.end())
    return answer(Error{ErrorCode::ScriptError, Side::Script, "there is no page " + path});
  runs_.push_back(std::make_unique<Run>(*this, path, std::move(answer)));
  runs_.back()->start(*page->second, std::move(request));
}

void AdminPages::stop() {
  for (const auto& run : runs_) run->cancel("its script has ended");
}

void AdminPages::sweep() {
  std::erase_if(runs_, [](const auto& run) { return run->is_over(); });
}

}  // namespace perilune::script
