#include "script/interpreter.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "script/compiled_code.hpp"
#include "script/line_hook.hpp"
#include "script/message_box.hpp"
#include "script/name_hint.hpp"
#include "script/place.hpp"
#include "script/script_file.hpp"
#include "script/script_files.hpp"

namespace perilune::script {
namespace {

constexpr size_t outside_bytes_max =
    4 * 1024 * 1024;  // bodies of garbage Messages, however large the heap is

int on_panic(lua_State*) {
  PERILUNE_EXPECT(false, "Lua is called where its errors are caught");
  return 0;
}

// What the end of a session or a request leaves behind: its ctx table with a few names, and what those hold.
constexpr size_t bytes_of_context = 512;

constexpr const char* loading_may_not_wait =
    "this is the top of a file, which only declares; use every or after, or wait in a handler";

// The error value as a string in `L`; on a dead thread nothing may be called, so the main thread does it.
int call_tostring(lua_State* L) {
  luaL_callmeta(L, 1, "__tostring");
  return 1;
}

std::string text_at(lua_State* L, int index) {
  size_t size = 0;
  const char* text = lua_tolstring(L, index, &size);
  return text ? std::string(text, size) : std::string();
}

// A string field of a table, without metamethods.
std::string field(lua_State* L, int table, const char* name) {
  lua_pushstring(L, name);
  lua_rawget(L, table);
  std::string text = lua_type(L, -1) == LUA_TSTRING ? text_at(L, -1) : std::string();
  lua_pop(L, 1);
  return text;
}

// What a function meant by `nil, err`.
Error error_at(lua_State* L, int index) {
  Error error{ErrorCode::ScriptError, Side::Script, {}};
  if (lua_type(L, index) == LUA_TSTRING) error.detail = text_at(L, index);
  if (lua_type(L, index) != LUA_TTABLE) return error;
  if (const auto code = code_from_name(field(L, index, "code"))) error.code = *code;
  const std::string side = field(L, index, "side");
  for (const Side known : {Side::Client, Side::Upstream, Side::Script, Side::Engine})
    if (side == side_name(known)) error.side = known;
  error.detail = field(L, index, "detail");
  return error;
}

}  // namespace

Interpreter::Interpreter(filter::Services& filter_services, filter::HttpClient& http_client,
                         StateOptions state_options)
    : services(filter_services),
      http(http_client),
      options(std::move(state_options)),
      heap(limits::library_bytes),
      main_(lua_newstate(LuaHeap::allocate, &heap)),
      bindings(services.runtime.chunks, loop().driver(), *this) {
  PERILUNE_EXPECT(main_ != nullptr, "there is memory for a Lua state");
  lua_State* L = main();
  lua_atpanic(L, on_panic);
  // What is made here stays: to walk through it would find next to nothing.
  lua_gc(L, LUA_GCSTOP, 0);
  main_coroutine.thread = L;
  main_coroutine.why_no_wait = loading_may_not_wait;
  lua_setexdata(L, &main_coroutine);
  if (options.tests) tests = std::make_unique<TestDesk>(*options.tests, services);
  loader.create_globals();
  push_error(L, Error{ErrorCode::Cancelled, Side::Engine, {}});
  cancelled_ = luaL_ref(L, LUA_REGISTRYINDEX);
  loader.run_library();
  if (options.lines) watch_lines(L);
  tune_collector();
  // Next when the heap has grown as much as the collector was just told.
  if (!collects_at_fixed_times()) lua_gc(L, LUA_GCRESTART, -1);
}

Interpreter::~Interpreter() {
  stop();
  contexts.end_all();
  // From here on objects that Lua's last collection lets go of must not call back.
  hooks.end_all();
  bindings.end_messages();
  heap.close();
  main_.reset();
}

void Interpreter::tune_collector() {
  if (collects_at_fixed_times()) return collect_at_fixed_time(main());
  const size_t bytes = std::max(static_cast<size_t>(lua_gc(main(), LUA_GCCOUNT, 0)) * 1024, size_t{1});
  bindings.outside_bytes_max = std::clamp(bytes, limits::garbage_body_bytes_min, outside_bytes_max);
  const size_t pause = 200 + 100 * limits::garbage_bytes_min / bytes;
  lua_gc(main(), LUA_GCSETPAUSE, static_cast<int>(std::min<size_t>(pause, 2000)));
}

size_t Interpreter::heap_bytes() const {
  return static_cast<size_t>(lua_gc(main(), LUA_GCCOUNT, 0)) * 1024 +
         static_cast<size_t>(lua_gc(main(), LUA_GCCOUNTB, 0));
}

size_t Interpreter::garbage_bytes() const {
  const size_t bytes = heap_bytes();
  const size_t allocated = bytes > bytes_collected_ ? bytes - bytes_collected_ : 0;
  return allocated + contexts.ended() * bytes_of_context;
}

bool Interpreter::collect_garbage() {
  bindings.messages->drop_idle(main());
  loop::Driver& driver = loop().driver();
  for (const Instant end = driver.now() + 1ms; driver.now() < end;) {
    if (lua_gc(main(), LUA_GCSTEP, 0) != 1) continue;
    bytes_collected_ = heap_bytes();
    contexts.forget_ended();
    return true;
  }
  return false;
}

void Interpreter::start() {
  is_started_ = true;
  for (const auto& [dictionary, bytes_max] : wanted_sizes_) dictionary->resize(bytes_max);
  wanted_sizes_.clear();
  tasks.start();
}

algo::SharedDictionary& Interpreter::open_dictionary(const std::string& name,
                                                     std::optional<size_t> bytes_max) {
  algo::SharedDictionary& dictionary =
      services.dictionaries->of(name, bytes_max.value_or(limits::shared_bytes_max));
  if (bytes_max && is_started_) dictionary.resize(*bytes_max);
  else if (bytes_max) wanted_sizes_.emplace_back(&dictionary, *bytes_max);
  return dictionary;
}

void Interpreter::stop() {
  tasks.stop();
  if (std::exchange(is_started_, false)) survival.unload();
  if (tests) tests->stop();
  pages.stop();
  coroutines.cancel_all();
  contexts.clear_caches();
  lua_rawgeti(main(), LUA_REGISTRYINDEX, pool_settler);
  call_now(main(), 0, "a destroy callback may not wait");
}

Ref<flow::Hook> Interpreter::make_hook(lua_State* L, int index) {
  lua_pushvalue(L, index);
  const FunctionPlace place = function_place(L);
  auto hook = make_ref<LuaHook>(*this, luaL_ref(L, LUA_REGISTRYINDEX), place);
  hooks.add(*hook);
  return hook;
}

int Interpreter::parameters_of(lua_State* L, int index) {
  lua_pushvalue(L, index);
  loader.push_getinfo(L);  // lua_getinfo does not tell
  lua_insert(L, -2);
  lua_pushliteral(L, "u");
  lua_call(L, 2, 1);
  lua_getfield(L, -1, "isvararg");
  lua_getfield(L, -2, "nparams");
  const int count = lua_toboolean(L, -2) ? INT_MAX : static_cast<int>(lua_tointeger(L, -1));
  lua_pop(L, 3);
  return count;
}

std::string Interpreter::resolve_path(lua_State* L, std::string_view path) { return loader.resolve(L, path); }

Result<std::string> Interpreter::read_file(const std::string& path, size_t bytes_max) {
  if (const auto given = options.given_files.find(path); given != options.given_files.end())
    return given->second.size() <= bytes_max ? Result<std::string>(given->second)
                                             : too_large(path, bytes_max);
  // While it runs a script sees the files as they are.
  if (options.files && loader.is_loading()) return options.files->read(path, bytes_max);
  return read_whole_file(path, bytes_max);
}

std::optional<std::string> Interpreter::environment(std::string_view name) {
  if (options.environment) return options.environment(name);
  const char* value = std::getenv(std::string(name).c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

void Interpreter::take_results(lua_State* L, flow::HookCall& call) {
  call.status = flow::HookStatus::Returned;
  const int results = lua_gettop(L);
  if (results == 0) return;
  call.value = objects.to_value(L, 1);
  if (call.value.is_nil() && lua_isuserdata(L, 1)) {
    // A kept denial must not let in whom it was to deny.
    PlaceText place{};
    const Coroutine& coroutine = Coroutine::of(L);
    write_place(place, coroutine.place.source, coroutine.place.line);
    push_text(L, std::string(place.data()) + ": the function gave a Message that is over: " +
                     "copy what you need while its exchange lasts, as Message { … }");
    return take_failure(L, call);
  }
  if (results > 1 && call.value.is_nil() && !lua_isnil(L, 2))
    call.failure = std::make_unique<Error>(error_at(L, 2));
}

bool Interpreter::is_cancelled(lua_State* L) const {
  push_cancelled(L);
  const bool same = lua_rawequal(L, -1, -2) != 0;
  lua_pop(L, 1);
  return same;
}

std::string Interpreter::describe_error(lua_State* L) {
  const int type = lua_type(L, -1);
  if (type == LUA_TSTRING || type == LUA_TNUMBER) {
    const std::string text = text_at(L, -1);
    return text + std::string(hint_of_method(text));
  }
  // Lua puts a place in front of strings only.
  const Place raised = script_place(L);
  const std::string place = raised.file.empty() ? std::string() : raised.to_string() + ": ";
  if (type == LUA_TTABLE || type == LUA_TUSERDATA) {
    lua_State* main_thread = main();
    lua_pushvalue(L, -1);
    if (L != main_thread) lua_xmove(L, main_thread, 1);
    lua_pushcfunction(main_thread, call_tostring);
    lua_insert(main_thread, -2);
    const int status = lua_pcall(main_thread, 1, 1, 0);
    std::string text = status == 0 ? text_at(main_thread, -1) : std::string();
    lua_pop(main_thread, 1);
    if (!text.empty()) return place + text;
  }
  return place + (type == LUA_TNIL ? "" : "a ") + lua_typename(L, type) + " was raised as an error";
}

namespace {

/// Without functions of C that have no name: their address tells nobody anything. Empty where only such ones
/// are left.
std::string without_addresses(std::string traceback) {
  constexpr std::string_view nameless = "\n\t[C]: at 0x";
  constexpr std::string_view title = "\nstack traceback:";
  for (size_t at = traceback.find(nameless); at != std::string::npos; at = traceback.find(nameless, at))
    traceback.erase(at, std::min(traceback.find('\n', at + 1), traceback.size()) - at);
  if (traceback.ends_with(title)) traceback.resize(traceback.size() - title.size());
  return traceback;
}

}  // namespace

void Interpreter::report_unless_cancelled(lua_State* L) {
  if (is_cancelled(L)) return;
  const std::string message = describe_error(L);
  luaL_traceback(main(), L, message.c_str(), 0);
  const std::string traceback = without_addresses(text_at(main(), -1));
  lua_pop(main(), 1);
  reporter.report(message, traceback, loop().now());
}

void Interpreter::take_failure(lua_State* L, flow::HookCall& call) {
  call.status = flow::HookStatus::Failed;
  if (is_cancelled(L)) {
    call.failure = std::make_unique<Error>(Error{ErrorCode::Cancelled, Side::Engine, {}});
    return;
  }
  report_unless_cancelled(L);
  call.failure = std::make_unique<Error>(Error{ErrorCode::ScriptError, Side::Script, describe_error(L)});
}

void Interpreter::call_now(lua_State* L, int arguments, const char* why) {
  const int handler = lua_gettop(L) - arguments;
  lua_pushcfunction(L, [](lua_State* raised) {
    const std::string message = Interpreter::of(raised).describe_error(raised);
    luaL_traceback(raised, raised, message.c_str(), 1);
    return 1;
  });
  lua_insert(L, handler);
  Coroutine& coroutine = Coroutine::of(L);
  const ScriptWatch::Running running(main(), compiled_code, {});
  const char* before = std::exchange(coroutine.why_no_wait, why);
  const int status = lua_pcall(L, arguments, 0, handler);
  coroutine.why_no_wait = before;
  if (status != 0) {
    const std::string traceback = without_addresses(text_at(L, -1));
    reporter.report(traceback.substr(0, traceback.find('\n')), traceback, loop().now());
    lua_pop(L, 1);
  }
  lua_remove(L, handler);
}

}  // namespace perilune::script
