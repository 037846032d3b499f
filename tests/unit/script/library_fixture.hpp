#pragma once

#include <gtest/gtest.h>

#include <lua.hpp>
#include <map>
#include <string>
#include <vector>

#include "script/bind_algo.hpp"
#include "script/embedded.hpp"
#include "script/library_code.hpp"
#include "script/message_access.hpp"
#include "script/message_box.hpp"
#include "script/script_file.hpp"

namespace perilune::script {

class StoppedClock final : public loop::Driver {
 public:
  void wait(Instant) override {}
  void dispatch() override {}
  void wake() override {}
  Instant now() override { return Instant(1500ms); }
  double wall_seconds() override { return 784111777.5; }
  uint64_t random() override { return next_random_ += 0x9e3779b97f4a7c15; }

 private:
  uint64_t next_random_ = 0;
};

/// Hooks here are only looked at.
class NamedHook final : public flow::Hook {
 public:
  void run(flow::HookCall&) override {}
  void cancel(flow::HookCall&) override {}
};

class LibraryHost final : public BindingHost {
 public:
  Ref<flow::Hook> make_hook(lua_State*, int) override { return make_ref<NamedHook>(); }
  std::string resolve_path(lua_State*, std::string_view path) override {
    return path.starts_with('/') ? std::string(path) : folder + "/" + std::string(path);
  }
  std::optional<std::string> environment(std::string_view name) override {
    if (name == "HOME") return "/home/ann";
    return std::nullopt;
  }
  bool is_loading() const override { return loading; }
  Result<std::string> read_file(const std::string& path, size_t bytes_max) override {
    return read_whole_file(path, bytes_max);
  }
  stats::Registry& metrics() override { return registry; }
  std::string folder = "/nowhere";
  bool loading = true;
  stats::Registry registry;
};

/// A plain Lua state with the library in its globals. What is called for the second time is compiled.
class LuaLibrary {
 public:
  LuaLibrary() : L(luaL_newstate()) {
    luaL_openlibs(L);
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    bind_library(L, context);
    lua_pop(L, 1);
    run_direct_files();
    EXPECT_EQ(run("require('jit.opt').start('hotloop=1', 'hotexit=1')"), "");
  }
  ~LuaLibrary() {
    context.end_messages();
    lua_close(L);
    EXPECT_EQ(chunks.alive(), 0u);
  }

  /// Runs `code` as script.lua and gives what it returned, as text separated by " | "; or "error: …".
  std::string run(const std::string& code) {
    lua_settop(L, 0);
    if (luaL_loadbuffer(L, code.data(), code.size(), "@script.lua") != 0 ||
        lua_pcall(L, 0, LUA_MULTRET, 0) != 0) {
      return "error: " + std::string(lua_tostring(L, -1));
    }
    std::string text;
    const int count = lua_gettop(L);
    for (int i = 1; i <= count; ++i) {
      lua_getglobal(L, "tostring");
      lua_pushvalue(L, i);
      lua_call(L, 1, 1);
      text.append(i > 1 ? " | " : "").append(*string_at(L, -1));
      lua_pop(L, 1);
    }
    lua_settop(L, 0);
    return text;
  }
  /// Makes `message` the global `name`.
  void set(const char* name, flow::Message& message) {
    push_message(L, context, message);
    lua_setglobal(L, name);
  }
  void collect() { lua_gc(L, LUA_GCCOLLECT, 0); }

  buffer::ChunkPool chunks;
  StoppedClock clock;
  LibraryHost host;
  BindingContext context{chunks, clock, host};
  lua_State* const L;

 private:
  /// The files of our Lua library that make what messages and routers do quick.
  void run_direct_files() {
    lua_newtable(L);
    bind_message_access(L, context);
    bind_router_access(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "ffi");
    lua_call(L, 1, 1);
    lua_setfield(L, -2, "ffi");
    for (const EmbeddedFile& file : embedded_files()) {
      if (file.name != "messages" && file.name != "router") continue;
      EXPECT_EQ(push_library_file(L, file), 0);
      lua_pushnil(L);
      lua_pushvalue(L, -3);
      EXPECT_EQ(lua_pcall(L, 2, 0, 0), 0) << lua_tostring(L, -1);
    }
    lua_pop(L, 1);
  }
};

/// A piece of a script and what it comes to.
struct ScriptCase {
  const char* code;
  const char* result;
};
inline void expect_all(LuaLibrary& lua, std::initializer_list<ScriptCase> cases) {
  for (const ScriptCase& one : cases) EXPECT_EQ(lua.run(one.code), one.result) << one.code;
}

inline Ref<flow::Message> wire_request(const char* method, const char* path) {
  auto head = message::RequestHead::make();
  head->method = method;
  head->path = path;
  return flow::Message::of(std::move(head));
}

}  // namespace perilune::script
