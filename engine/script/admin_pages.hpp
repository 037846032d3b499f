#pragma once

#include <functional>
#include <lua.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "flow/hook.hpp"
#include "loop/loop.hpp"
#include "script/stack.hpp"

namespace perilune::script {

class Interpreter;

/// The pages that a script adds to the admin address (`admin(path, fn)`), and, for the script that serves
/// that address, its way to the process. The other half is lua/pages.lua.
class AdminPages {
 public:
  using Answer = std::function<void(Result<std::string>)>;

  explicit AdminPages(Interpreter& interpreter);
  ~AdminPages();
  AdminPages(const AdminPages&) = delete;
  AdminPages& operator=(const AdminPages&) = delete;

  /// Adds its primitives to the table at the top of the stack.
  void bind(lua_State* L);
  bool has(const std::string& path) const { return pages_.contains(path); }
  std::vector<std::string> paths() const;
  /// Makes a page of a request, both in the form of lua/pages.lua. `answer` is called once, perhaps at once,
  /// with an error (Side::Script) when the page raises or takes longer than limits::admin_page_timeout.
  void run(const std::string& path, std::string request, Answer answer);
  /// Calls off what is under way; who waits is told.
  void stop();

 private:
  class Run;
  static Outcome add_page(lua_State* L);
  static Outcome allows(lua_State* L);
  void sweep();

  Interpreter& interpreter_;
  std::map<std::string, Ref<flow::Hook>> pages_;
  std::vector<std::unique_ptr<Run>> runs_;
  loop::MemberTask<AdminPages, &AdminPages::sweep> sweep_task_{*this};
};

}  // namespace perilune::script
