#pragma once

#include <lua.hpp>
#include <memory>
#include <string>

#include "script/admin_pages.hpp"
#include "script/binding.hpp"
#include "script/builder.hpp"
#include "script/compiled_code.hpp"
#include "script/context_tables.hpp"
#include "script/coroutine.hpp"
#include "script/hook.hpp"
#include "script/loader.hpp"
#include "script/lua_heap.hpp"
#include "script/objects.hpp"
#include "script/reporter.hpp"
#include "script/state.hpp"
#include "script/survival.hpp"
#include "script/tasks.hpp"
#include "script/test_desk.hpp"

namespace perilune::script {

/// The inside of a State: the Lua state and what surrounds it. The main thread runs files as they are loaded
/// and callbacks that may not wait; everything else runs in coroutines.
class Interpreter final : public BindingHost {
 public:
  Interpreter(filter::Services& filter_services, filter::HttpClient& http_client, StateOptions state_options);
  ~Interpreter();

  static Interpreter& of(lua_State* L) { return Coroutine::of(L).interpreter; }

  lua_State* main() const { return main_.get(); }
  loop::Loop& loop() const { return services.runtime.loop; }

  // for bindings
  Ref<flow::Hook> make_hook(lua_State* L, int index) override;
  /// The parameters of the function at `index`; INT_MAX where it takes any number.
  int parameters_of(lua_State* L, int index);
  std::string resolve_path(lua_State* L, std::string_view path) override;
  std::optional<std::string> environment(std::string_view name) override;
  bool is_loading() const override { return loader.is_loading(); }
  Result<std::string> read_file(const std::string& path, size_t bytes_max) override;
  stats::Registry& metrics() override { return services.metrics; }

  /// Pushes the error value `cancelled`.
  void push_cancelled(lua_State* L) const { lua_rawgeti(L, LUA_REGISTRYINDEX, cancelled_); }
  /// Moves what a function returned (the whole stack of `L`) to `call`. Does not raise.
  void take_results(lua_State* L, flow::HookCall& call);
  /// Reports the error at the top of the stack of a coroutine that raised, and fills `call`.
  void take_failure(lua_State* L, flow::HookCall& call);
  void report_unless_cancelled(lua_State* L);
  /// The sentence of an error value at the top of a stack that may be dead. Does not raise.
  std::string describe_error(lua_State* L);
  /// Calls the function below `arguments` values at the top of the stack; it may not wait, `why` says
  /// why. An error is reported. Results are dropped.
  void call_now(lua_State* L, int arguments, const char* why);
  /// To be told of each call of a hook: lets the collector rest longer the smaller the heap is.
  void note_call() {
    if (++calls_ % (collects_at_fixed_times() ? 64 : 4096) == 0) tune_collector();
  }
  /// Bytes in the Lua heap.
  size_t heap_bytes() const;
  /// An estimate of the bytes that a collection would free: what was allocated since collect_garbage() ended
  /// a cycle, and what became garbage of that which was alive then.
  size_t garbage_bytes() const;
  /// Goes on with the collection of garbage for about a millisecond. True when that ended a cycle.
  bool collect_garbage();
  /// The scripts' version serves: what it declared begins.
  void start();
  /// The dictionary of this name. One that is there is as large as was asked for once the script is started.
  algo::SharedDictionary& open_dictionary(const std::string& name, std::optional<size_t> bytes_max);
  /// Ends what runs by itself: tasks, waits, what caches and pools hold.
  void stop();

  filter::Services& services;
  filter::HttpClient& http;
  const StateOptions options;
  LuaHeap heap;
  CompiledCode compiled_code;

 private:
  struct CloseState {
    void operator()(lua_State* L) const { lua_close(L); }
  };
  bool is_cancelled(lua_State* L) const;
  /// The collector's work is the walk through all that is alive, so a small heap is to be walked rarely: not
  /// when it has doubled, as is the rule, but after garbage_bytes_min in addition.
  void tune_collector();

  bool is_started_ = false;
  std::vector<std::pair<algo::SharedDictionary*, size_t>> wanted_sizes_;
  std::unique_ptr<lua_State, CloseState> main_;
  int cancelled_ = LUA_NOREF;
  uint32_t calls_ = 0;
  size_t bytes_collected_ = 0;  // in the heap when collect_garbage() had ended a cycle

 public:
  BindingContext bindings;
  Reporter reporter;
  Coroutine main_coroutine{*this};
  Coroutines coroutines{*this};
  Hooks hooks;
  Objects objects;
  ContextTables contexts{*this};
  Builder builder{*this};
  Loader loader{*this};
  Tasks tasks{*this};
  Survival survival{*this};
  /// For files of tests; null for scripts.
  std::unique_ptr<TestDesk> tests;
  /// How often `options.lines` has stopped what ran.
  uint32_t stops = 0;
  AdminPages pages{*this};
  /// The function of lua/pool.lua that takes what left a pool.
  int pool_settler = LUA_NOREF;
};

}  // namespace perilune::script
