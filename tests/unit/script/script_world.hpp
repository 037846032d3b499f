#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "script/interpreter.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"

namespace perilune::script {

/// Time that stands still until a test moves it.
class VirtualDriver final : public loop::Driver {
 public:
  void wait(Instant) override {}
  void dispatch() override {}
  void wake() override {}
  Instant now() override { return now_; }
  double wall_seconds() override { return 1000 + to_seconds(now_.time_since_epoch()); }
  uint64_t random() override { return 4; }
  void advance(Duration span) { now_ += span; }

 private:
  Instant now_{100s};
};

/// A network that refuses everything; tests of what asks the network bring their own.
class NoNetwork final : public net::Network {
 public:
  Result<std::unique_ptr<net::Listener>> listen(const net::Address&, const net::ListenOptions&,
                                                net::ListenHandler&) override {
    return Error{ErrorCode::Resources, Side::Engine, "no network"};
  }
  std::unique_ptr<net::Operation> connect(const net::Address&, const net::ConnectOptions&,
                                          net::ConnectHandler&) override {
    return nullptr;
  }
  std::unique_ptr<net::Operation> resolve(const net::Address&, net::ResolveHandler&) override {
    return nullptr;
  }
  std::unique_ptr<net::Operation> resolve_service(const std::string&, net::ServiceHandler&) override {
    return nullptr;
  }
};

class TestClient final : public flow::ClientInfo {
 public:
  std::string ip() const override { return "10.0.0.7"; }
  uint16_t port() const override { return 40000; }
  std::string local_ip() const override { return "10.0.0.1"; }
  uint16_t local_port() const override { return 8000; }
};

/// A call of a hook, and what became of it.
class TestCall final : public flow::HookHandler {
 public:
  void on_hook_done(flow::HookCall&) override { ++done; }
  flow::HookCall call{*this};
  int done = 0;

  /// "true", "5", "text", "nil", "nil, queue-full", "object", "waiting", "failed: …", "idle" (cancelled).
  std::string outcome() const {
    switch (call.status) {
      case flow::HookStatus::Idle: return "idle";
      case flow::HookStatus::Waiting: return "waiting";
      case flow::HookStatus::Failed: return "failed: " + call.failure->detail;
      case flow::HookStatus::Returned: break;
    }
    if (call.failure) return "nil, " + std::string(code_name(call.failure->code));
    if (call.value.is_nil()) return "nil";
    if (const bool* boolean = call.value.boolean()) return *boolean ? "true" : "false";
    if (const double* number = call.value.number()) {
      char text[32];
      snprintf(text, sizeof text, "%.14g", *number);
      return text;
    }
    if (const std::string* text = call.value.string()) return *text;
    if (call.value.object_as<flow::Message>()) return "message";
    if (call.value.object_as<flow::PipelinePlan>()) return "pipeline";
    return "object";
  }
};

/// One script in one worker on virtual time, in a folder of its own. Scripts see `hook(name, fn)`, by which
/// tests get at their functions, and `note(...)`, which writes to `notes`.
class ScriptWorld {
 public:
  ScriptWorld() : ScriptWorld(no_network) {}
  explicit ScriptWorld(net::Network& its_network) : network(its_network) {
    char name[] = "/tmp/plXXXXXX";
    folder = mkdtemp(name);
    start();
  }
  ~ScriptWorld() {
    hooks.clear();
    program.reset();
    interpreter.reset();
    http.reset();
    turn();
    arena.release_memory();
    EXPECT_EQ(chunks.alive(), 0u);
    std::filesystem::remove_all(folder);
  }

  void start(StateOptions options = {}) {
    hooks.clear();
    program = std::make_unique<filter::Program>();
    interpreter = std::make_unique<Interpreter>(services, *http, std::move(options));
    lua_State* L = interpreter->main();
    interpreter->loader.push_globals(L);
    lua_pushlightuserdata(L, this);
    lua_pushcclosure(L, add_hook, 1);
    lua_setfield(L, -2, "hook");
    lua_pushlightuserdata(L, this);
    lua_pushcclosure(L, add_note, 1);
    lua_setfield(L, -2, "note");
    lua_pop(L, 1);
  }

  void write(const std::string& file, const std::string& text) {
    const auto path = std::filesystem::path(folder) / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  /// Runs `text` as main.lua. Returns "" or what is wrong, the folder cut off.
  std::string load(const std::string& text) {
    write("main.lua", text);
    interpreter->builder.begin(*program);
    const auto run = interpreter->loader.run(folder + "/main.lua");
    interpreter->builder.end();
    if (!run) return without_folder(run.error().detail);
    program->link();
    const auto checked = program->check();
    return checked ? "" : without_folder(checked.error().detail);
  }
  std::string without_folder(std::string text) const {
    for (size_t at; (at = text.find(folder + "/")) != std::string::npos;) text.erase(at, folder.size() + 1);
    return text;
  }

  /// Calls the hook `name` with (ctx).
  void call(TestCall& test_call, const std::string& name, flow::Context& context) {
    test_call.call.run(*hooks.at(name), flow::HookShape::Context, context);
  }
  std::string outcome(const std::string& name, flow::Context& context) {
    TestCall test_call;
    call(test_call, name, context);
    return without_folder(test_call.outcome());
  }
  std::string outcome(const std::string& name) {
    const auto context = flow::Context::make_session(&client, loop.now());
    return outcome(name, *context);
  }
  /// Loads `text`, starts its clusters and calls its hook `f`.
  std::string result(const std::string& text) {
    const std::string problem = load(text);
    if (!problem.empty()) return problem;
    program->start();
    return outcome("f");
  }

  void advance(Duration span) {
    driver.advance(span);
    loop.run_turn(driver.now());
  }
  void turn() { loop.run_turn(driver.now()); }
  /// What was noted since the last time, separated by spaces.
  std::string take_notes() { return std::exchange(notes, ""); }
  void collect_garbage() {
    lua_gc(interpreter->main(), LUA_GCCOLLECT, 0);
    lua_gc(interpreter->main(), LUA_GCCOLLECT, 0);
  }

  std::string folder;
  VirtualDriver driver;
  loop::Loop loop{driver};
  buffer::ChunkPool chunks;
  buffer::ReadArena arena{chunks};
  flow::Runtime runtime{loop, chunks, arena};
  NoNetwork no_network;
  net::Network& network;
  filter::Services services{runtime, network};
  std::unique_ptr<filter::HttpClient> http = std::make_unique<filter::HttpClient>(services);
  TestClient client;
  std::map<std::string, Ref<flow::Hook>> hooks;
  std::unique_ptr<filter::Program> program;
  std::unique_ptr<Interpreter> interpreter;
  std::string notes;

 private:
  static int add_hook(lua_State* L) {
    auto* self = static_cast<ScriptWorld*>(lua_touserdata(L, lua_upvalueindex(1)));
    self->hooks[lua_tostring(L, 1)] = Interpreter::of(L).make_hook(L, 2);
    return 0;
  }
  static int add_note(lua_State* L) {
    auto* self = static_cast<ScriptWorld*>(lua_touserdata(L, lua_upvalueindex(1)));
    for (int i = 1; i <= lua_gettop(L); ++i) {
      lua_getglobal(L, "tostring");
      lua_pushvalue(L, i);
      lua_call(L, 1, 1);
      if (!self->notes.empty()) self->notes += ' ';
      self->notes += lua_tostring(L, -1);
      lua_pop(L, 1);
    }
    return 0;
  }
};

class ScriptTest : public testing::Test {
 protected:
  ScriptWorld world;
};

}  // namespace perilune::script
