#include "script/loader.hpp"

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "script/bind_algo.hpp"
#include "script/embedded.hpp"
#include "script/function_code.hpp"
#include "script/interpreter.hpp"
#include "script/library.hpp"
#include "script/library_code.hpp"
#include "script/line_hook.hpp"
#include "script/line_watcher.hpp"
#include "script/load_limit.hpp"
#include "script/lua_tokens.hpp"
#include "script/message_access.hpp"
#include "script/name_hint.hpp"
#include "script/place.hpp"
#include "script/script_files.hpp"

namespace perilune::script {
namespace {

// What scripts get of Lua's own library. Left out: what reaches files, processes and the interpreter's inside
// (io, os, debug, package, ffi, jit), what makes code of strings (load, loadstring, string.dump), what
// changes the sandbox (getfenv, setfenv, newproxy), and coroutine: handlers are coroutines already, and
// waiting needs them whole.
constexpr const char* chosen[] = {"assert",   "error",    "getmetatable", "ipairs", "next",   "pairs",
                                  "pcall",    "rawequal", "rawget",       "rawset", "select", "setmetatable",
                                  "tonumber", "tostring", "type",         "unpack", "xpcall", "bit",
                                  "math",     "string",   "table"};

// The order in which the library's files build on each other.
constexpr std::string_view library_order[] = {
    "prelude", "messages", "router", "context", "wait",   "cache", "caches", "pool",  "http",  "upstream",
    "plugins", "reload",   "shared", "pages",   "expect", "peer",  "test",   "chaos", "finish"};
// Files of tests alone get these.
constexpr std::string_view of_tests[] = {"expect", "peer", "test", "chaos"};

void open_library(lua_State* L, const char* name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

bool is_module_name(std::string_view name) {
  bool at_begin = true;
  for (const char c : name) {
    if (c == '.') {
      if (at_begin) return false;
      at_begin = true;
      continue;
    }
    const bool is_word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!is_word) return false;
    at_begin = false;
  }
  return !at_begin;
}

// Why a name that other Lua programs use is not there.
std::optional<std::string> why_not_there(std::string_view name, bool is_in_function) {
  if (name == "ctx" && is_in_function)
    return "ctx is not a global: let the function take it, as in function(ctx) or function(msg, ctx)";
  if (name == "ctx")
    return "a static argument is evaluated once, at load; a function is called for every session: "
           "connect(ctx.target) cannot work, connect(function(ctx) return ctx.target end) does";
  if (name == "coroutine")
    return "coroutine is not available: handlers are coroutines already, and may wait (sleep, http.get)";
  if (name == "io") return "io is not available to scripts; file.read reads a file, log.info writes a line";
  constexpr std::string_view others[] = {"debug",  "package",  "load", "loadstring",
                                         "dofile", "loadfile", "ffi"};
  if (std::ranges::find(others, name) != std::end(others))
    return std::string(name) + " is not available to scripts";
  return std::nullopt;
}

// The names of globals, and those in the source that may be locals.
std::vector<std::string> names_near(std::string_view name, std::vector<std::string> names,
                                    std::string_view source) {
  const LuaToken* before = nullptr;
  const std::vector<LuaToken> tokens = lua_tokens(source);
  for (const LuaToken& token : tokens) {
    const bool is_field = before && (before->is_symbol(".") || before->is_symbol(":"));
    if (token.kind == LuaToken::Kind::Name && !is_field && token.text != name) names.emplace_back(token.text);
    before = &token;
  }
  return names;
}

// Modules that lie where `path` (without .lua) was looked for.
std::vector<std::string> modules_beside(const std::string& path, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code code;
  const auto folder = std::filesystem::path(path).parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder.empty() ? "." : folder, code))
    if (entry.path().extension() == ".lua")
      names.push_back(std::string(prefix) + entry.path().stem().string());
  return names;
}

std::string suggest(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return suggestion(word, views);
}

}  // namespace

void Loader::create_globals() {
  lua_State* L = interpreter_.main();
  open_library(L, "", luaopen_base);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, LUA_BITLIBNAME, luaopen_bit);
  open_library(L, LUA_JITLIBNAME, luaopen_jit);
  open_library(L, LUA_DBLIBNAME, luaopen_debug);
  if (ScriptWatch::current()) interpreter_.compiled_code.attach(L);
  lua_getglobal(L, LUA_DBLIBNAME);
  lua_getfield(L, -1, "getinfo");
  getinfo_ = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pop(L, 1);

  lua_newtable(L);
  for (const char* name : chosen) {
    lua_getglobal(L, name);
    lua_setfield(L, -2, name);
  }
  lua_getfield(L, -1, "string");
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  lua_pop(L, 1);
  bind_library(L, interpreter_.bindings);
  interpreter_.builder.bind(L);
  globals_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void Loader::push_core(lua_State* L) {
  lua_newtable(L);
  interpreter_.contexts.bind(L);
  interpreter_.tasks.bind(L);
  interpreter_.builder.bind_plugins(L);
  bind_waits(L);
  bind_http(L);
  bind_pool(L);
  bind_upstream(L);
  bind_shared(L);
  bind_message_access(L, interpreter_.bindings);
  bind_router_access(L);
  lua_pushcfunction(L, luaopen_ffi);
  lua_call(L, 0, 1);
  lua_setfield(L, -2, "ffi");
  interpreter_.survival.bind(L);
  interpreter_.pages.bind(L);
  if (interpreter_.options.tests) bind_test(L);
  const auto add = [&](const char* name, lua_CFunction function) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
  };
  add("find_module", script_function<find_module>);
  add("describe_with_frames", describe_with_frames);
  add("fail", [](lua_State* raised) -> int {
    lua_settop(raised, 1);
    raise_at_script(raised);
  });
  add("suggest", [](lua_State* asked) -> int {  // (word, table with names as keys) → "; did you mean …" or ""
    std::vector<std::string> names;
    luaL_checktype(asked, 2, LUA_TTABLE);
    for (lua_pushnil(asked); lua_next(asked, 2); lua_pop(asked, 1))
      if (lua_type(asked, -2) == LUA_TSTRING) names.emplace_back(*string_at(asked, -2));
    push_text(asked, suggest(string_at(asked, 1).value_or(""), names));
    return 1;
  });
  add("describe", [](lua_State* asked) -> int { return push_text(asked, describe_value(asked, 1)), 1; });
  add("call_now", [](lua_State* called) -> int {  // (why it may not wait, function, ...)
    Interpreter::of(called).call_now(called, lua_gettop(called) - 2, lua_tostring(called, 1));
    return 0;
  });
  add("now", [](lua_State* asked) -> int {  // seconds on the engine's clock
    lua_pushnumber(asked, to_seconds(Interpreter::of(asked).loop().now().time_since_epoch()));
    return 1;
  });
  add("judge_fields",
      [](lua_State* given) -> int {  // (function of a part's name and a field) → what is wrong
        Interpreter::of(given).loader.missing_field_ = luaL_ref(given, LUA_REGISTRYINDEX);
        return 0;
      });
  add("metatable_of", [](lua_State* asked) -> int { return lua_getmetatable(asked, 1); });
  add("is_loading", [](lua_State* asked) -> int {
    return lua_pushboolean(asked, Interpreter::of(asked).loader.is_loading()), 1;
  });
  interpreter_.push_cancelled(L);
  lua_setfield(L, -2, "cancelled");
}

void Loader::run_library() {
  lua_State* L = interpreter_.main();
  lua_newtable(L);
  environment_ = luaL_ref(L, LUA_REGISTRYINDEX);
  push_core(L);
  for (const std::string_view name : library_order) {
    if (!interpreter_.options.tests && std::ranges::find(of_tests, name) != std::end(of_tests)) continue;
    for (const EmbeddedFile& file : embedded_files()) {
      if (file.name != name) continue;
      int status = push_library_file(L, file);
      if (status == 0) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, globals_);
        lua_pushvalue(L, -3);
        lua_rawgeti(L, LUA_REGISTRYINDEX, environment_);
        status = lua_pcall(L, 3, 1, 0);
      }
      PERILUNE_EXPECT(status == 0, lua_tostring(L, -1));
      lua_setfield(L, -2, file.name.data());  // what it returned, for those behind it
    }
  }
  lua_pop(L, 1);
}

Result<std::string> Loader::read_script(const std::string& path) const {
  auto text = interpreter_.read_file(path, limits::file_bytes_max);
  if (text && text->starts_with('#')) text->insert(0, "--");  // a line for the shell
  return text;
}

std::vector<SourceFile> Loader::sources() const {
  std::vector<SourceFile> sources;
  for (const std::string& path : run_)
    if (auto text = read_script(path)) sources.push_back({path, std::move(*text)});
  return sources;
}

std::optional<std::string> Loader::push_file(lua_State* L, const std::string& path) {
  files_.push_back(path);
  run_.push_back(path);
  auto text = read_script(path);
  if (!text) return text.error().detail;
  const std::string chunk = "@" + path;
  if (luaL_loadbufferx(L, text->data(), text->size(), chunk.c_str(), "t") != 0) {
    std::string message = lua_tostring(L, -1);
    lua_pop(L, 1);
    return message;
  }
  ScriptFiles* const files = interpreter_.options.files.get();
  if (!files || !files->is_checked(path)) {
    if (auto missing = missing_global(L, path, *text)) {
      lua_pop(L, 1);
      return missing;
    }
    if (files) files->note_checked(path);
  }
  if (LineWatcher* watcher = interpreter_.options.lines; watcher && watcher->wants_lines())
    watcher->on_file(path, lines_with_code(L));
  lua_rawgeti(L, LUA_REGISTRYINDEX, environment_);
  lua_setfenv(L, -2);
  return std::nullopt;
}

int Loader::describe_with_frames(lua_State* L) {
  Interpreter& interpreter = Interpreter::of(L);
  std::string& described = interpreter.loader.described_;
  std::string sentence = interpreter.describe_error(L);
  if (sentence != described) sentence += script_frames(L);
  described = std::move(sentence);
  push_text(L, described);
  return 1;
}

Result<void> Loader::run(const std::string& path) {
  lua_State* L = interpreter_.main();
  const LoadLimit::Scope limited(interpreter_.options.load_limit.get(), L);
  folder_ = std::filesystem::path(path).parent_path().string();
  const auto fail = [](std::string sentence) {
    return Error{ErrorCode::ScriptError, Side::Script, std::move(sentence)};
  };
  is_loading_ = true;
  if (auto failure = push_file(L, path)) {
    is_loading_ = false;
    return fail(std::move(*failure));
  }
  // Said where it is raised: behind the call the place is gone.
  lua_pushcfunction(L, describe_with_frames);
  lua_insert(L, -2);
  const ScriptWatch::Running running(L, interpreter_.compiled_code, {path.c_str(), 0});
  const int status = lua_pcall(L, 0, 1, -2);
  is_loading_ = false;
  lua_remove(L, -2);
  if (status == 0) {
    is_module_ = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return {};
  }
  std::string message = interpreter_.describe_error(L);
  lua_pop(L, 1);
  return fail(std::move(message));
}

std::string Loader::resolve(lua_State* L, std::string_view path) {
  std::filesystem::path resolved(path);
  if (resolved.is_relative()) {
    const Place place = script_place(L);
    const auto folder =
        place.file.empty() ? std::filesystem::path(folder_) : std::filesystem::path(place.file).parent_path();
    resolved = folder / resolved;
  }
  files_.push_back(resolved.string());
  return resolved.string();
}

// (name, who asks)
Outcome Loader::find_module(lua_State* L) {
  Loader& self = Interpreter::of(L).loader;
  const std::string who(string_at(L, 2).value_or("require"));
  const auto name = string_at(L, 1);
  if (!name) return Outcome::error(who + " expects the name of a module, got " + describe_value(L, 1));
  if (!is_module_name(*name))
    return Outcome::error(
        who + ": " + in_quotes(*name) +
        " is no name of a module: write names with dots, such as \"plugins.jwt\", from the folder of "
        "the script");
  if (!self.is_loading_)
    return Outcome::error(who + " \"" + std::string(*name) + "\": modules are loaded at the top of a file");
  std::string relative(*name);
  std::replace(relative.begin(), relative.end(), '.', '/');
  const std::string base = self.folder_.empty() ? relative : self.folder_ + "/" + relative;
  for (const std::string& path : {base + ".lua", base + "/init.lua"}) {
    std::error_code code;
    if (!self.interpreter_.options.given_files.contains(path) &&
        !std::filesystem::is_regular_file(path, code))
      continue;
    const auto failure = self.push_file(L, path);
    if (!failure) return 1;
    lua_pushnil(L);  // the failure has a place of its own
    push_text(L, *failure);
    return 2;
  }
  // Noted: when it is there one day, it is time to look again.
  if (ScriptFiles* files = self.interpreter_.options.files.get())
    for (const std::string& path : {base + ".lua", base + "/init.lua"})
      (void)files->read(path, limits::file_bytes_max);
  const size_t dot = name->rfind('.');
  const auto known = modules_beside(base, dot == std::string_view::npos ? "" : name->substr(0, dot + 1));
  return Outcome::error(who + ": there is no module \"" + std::string(*name) + "\" (neither " + base +
                        ".lua nor " + base + "/init.lua)" + suggest(*name, known));
}

// Before anything runs: a function that is called only when a request comes would fail then.
std::optional<std::string> Loader::missing_global(lua_State* L, const std::string& path,
                                                  std::string_view source) const {
  const auto names = globals(L);
  const std::vector<GlobalUse> uses = globals_used(L);
  const auto is_written = [&](const std::string& name) {
    return std::ranges::any_of(uses,
                               [&](const GlobalUse& use) { return use.is_written && use.name == name; });
  };
  const auto sentence = [&](const GlobalUse& use) {
    const bool is_known = std::ranges::find(names, use.name) != names.end();
    if (use.is_written && is_known)
      return in_quotes(use.name) + " belongs to the engine and cannot be replaced; write: local " + use.name;
    if (use.is_written || (!is_known && is_written(use.name)))
      return "assignment to the unknown name " + in_quotes(use.name) +
             (use.is_inside ? "; declare it in front of the function: local " : "; write: local ") + use.name;
    if (is_known) return missing_field(L, use);
    if (auto why = why_not_there(use.name, use.is_inside)) return std::move(*why);
    const std::string hint = hint_of_name(use.name, source, interpreter_.options.tests != nullptr);
    return "unknown name " + in_quotes(use.name) +
           (hint.empty() ? suggest(use.name, names_near(use.name, names, source)) : "; " + hint);
  };
  for (const GlobalUse& use : uses)
    if (const std::string wrong = sentence(use); !wrong.empty())
      return Place{path, use.line}.to_string() + ": " + wrong;
  return std::nullopt;
}

std::string Loader::missing_field(lua_State* L, const GlobalUse& use) const {
  if (use.field.empty()) return {};
  lua_rawgeti(L, LUA_REGISTRYINDEX, missing_field_);
  push_text(L, use.name);
  push_text(L, use.field);
  lua_call(L, 2, 1);
  std::string sentence(string_at(L, -1).value_or(""));
  lua_pop(L, 1);
  return sentence;
}

std::vector<std::string> Loader::globals(lua_State* L) const {
  std::vector<std::string> names;
  lua_rawgeti(L, LUA_REGISTRYINDEX, globals_);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
    if (const auto name = string_at(L, -2)) names.emplace_back(*name);
  lua_pop(L, 1);
  return names;
}

}  // namespace perilune::script
