#include <algorithm>

#include "script_world.hpp"

namespace perilune::script {
namespace {

using SandboxTest = ScriptTest;

TEST_F(SandboxTest, WhatScriptsDoNotGet) {
  for (const char* name : {"io", "debug", "package", "ffi", "jit", "load", "loadstring", "dofile", "loadfile",
                           "coroutine", "getfenv", "setfenv", "newproxy", "collectgarbage", "module", "_G"}) {
    ScriptWorld other;
    const std::string said = other.load(std::string("local x = ") + name);
    EXPECT_TRUE(said.starts_with("main.lua:1: ")) << name << ": " << said;
  }
  EXPECT_EQ(world.result("hook('f', function() return tostring(string.dump) end)"), "nil");
  EXPECT_EQ(ScriptWorld().load("os.execute('true')").substr(0, 35), "main.lua:1: os has no \"execute\"");
}

TEST_F(SandboxTest, WhatTheyGet) {
  EXPECT_EQ(world.result(R"(hook("f", function()
    local parts = {}
    for i, v in ipairs { 1, 2 } do parts[#parts + 1] = i * v end
    for k, v in pairs { a = 3 } do parts[#parts + 1] = k .. v end
    local ok, err = pcall(error, "e")
    return table.concat(parts, ",") .. tostring(ok) .. err .. math.max(1, 2) .. bit.bor(1, 2) .. ("x"):rep(2)
  end))"),
            "1,4,a3falsee23xx");
}

TEST_F(SandboxTest, TheEnvironmentIsAsked) {
  StateOptions options;
  options.environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "MODE") return "fast";
    return std::nullopt;
  };
  world.start(std::move(options));
  EXPECT_EQ(world.result("hook('f', function() return os.env.MODE .. tostring(os.env.OTHER) end)"),
            "fastnil");
}

TEST_F(SandboxTest, ModulesRunOnceAndShareTheSandbox) {
  world.write("lib/util.lua", "note('util') return { twice = function(x) return x * 2 end, name = ... }");
  world.write("lib/init.lua", "note('lib') local u = require 'lib.util' return u");
  world.write("silent.lua", "");
  EXPECT_EQ(world.result(R"(
    local a, b = require "lib", require "lib.util"
    local c = require "silent"
    hook("f", function() return tostring(rawequal(a, b)) .. a.twice(4) .. a.name .. tostring(c) .. require("lib").twice(1) end)
  )"),
            "true8lib.utila module that returned nothing2");
  EXPECT_EQ(world.take_notes(), "lib util");
  EXPECT_EQ(world.interpreter->loader.files().size(), 4u);
}

TEST_F(SandboxTest, MistakesInModulesHaveTheirOwnPlace) {
  world.write("syntax.lua", "\nlocal x = = 1");
  world.write("global.lua", "\n\nfoo = 1");
  world.write("a.lua", "require 'b'");
  world.write("b.lua", "require 'a'");
  world.write("jwt.lua", "return {}");
  EXPECT_EQ(world.load("require 'syntax'"), "syntax.lua:2: unexpected symbol near '='");
  EXPECT_EQ(world.load("require 'global'"),
            "global.lua:3: assignment to the unknown name \"foo\"; write: local foo");
  EXPECT_EQ(world.load("require 'a'"),
            "b.lua:1: require: module \"a\" requires itself, directly or through others");
  EXPECT_EQ(world.load("\nrequire 'jvt'"),
            "main.lua:2: require: there is no module \"jvt\" (neither jvt.lua nor jvt/init.lua); did you "
            "mean \"jwt\"?");
  EXPECT_EQ(world.load("#!/usr/bin/env perilune\nfoo = 1"),
            "main.lua:2: assignment to the unknown name \"foo\"; write: local foo");
}

TEST_F(SandboxTest, NamesAreLookedUpBeforeAnythingRuns) {
  const auto loaded = [&](const std::string& body) {
    return world.load("hook('f', function(ctx)\n  " + body + "\nend)");
  };
  EXPECT_EQ(loaded("return Mesage('hi')"), "main.lua:2: unknown name \"Mesage\"; did you mean \"Message\"?");
  EXPECT_EQ(loaded("local target\n  if false then return function() return tarjet end end"),
            "main.lua:3: unknown name \"tarjet\"; did you mean \"target\"?");
  EXPECT_EQ(
      loaded("hits = 1"),
      "main.lua:2: assignment to the unknown name \"hits\"; declare it in front of the function: local hits");
  EXPECT_EQ(loaded("listen = nil"),
            "main.lua:2: \"listen\" belongs to the engine and cannot be replaced; write: local listen");
  EXPECT_EQ(
      world.load("hook('f', function() return ctx.x end)"),
      "main.lua:1: ctx is not a global: let the function take it, as in function(ctx) or function(msg, ctx)");
  EXPECT_EQ(loaded("io.open('x')"),
            "main.lua:2: io is not available to scripts; file.read reads a file, log.info writes a line");
  EXPECT_EQ(loaded("return pcall, json, string, ctx.x"), "");
}

TEST_F(SandboxTest, PartsOfTheLibraryAreLookedUpToo) {
  const auto loaded = [&](const std::string& body) {
    return world.load("local custom = nil\nhook('f', function(ctx)\n  " + body + "\nend)");
  };
  EXPECT_EQ(loaded("return json.encdoe({})"), "main.lua:3: json has no \"encdoe\"; did you mean \"encode\"?");
  EXPECT_EQ(loaded("f = json.encdoe"), "main.lua:3: json has no \"encdoe\"; did you mean \"encode\"?");
  EXPECT_EQ(loaded("return http.post('http://a')"),
            "main.lua:3: http has no \"post\"; http.request(\"POST\", url, { body = … }) does");
  EXPECT_EQ(
      loaded("count = (count or 0) + 1"),
      "main.lua:3: assignment to the unknown name \"count\"; declare it in front of the function: local "
      "count");
  for (const char* body : {
           "return json.encode({})",
           "local json = custom return json.pretty",
           "local j = json return j[custom]",
           "return (custom or json).pretty",  // what it is is known when it runs
           "local log = custom or log log.trace('x')",
           "local codec = custom if codec == nil then codec = json end return codec.name",
           "return table.unpack or unpack",
           "return string.pretty",
           "return function(json) return json.pretty end",
       })
    EXPECT_EQ(loaded(body), "") << body;
}

TEST_F(SandboxTest, ErrorsInsideFunctionsSayWhoCalled) {
  EXPECT_EQ(
      world.load("local function f(x) return x.y end\nlocal function g() f() end\n\ng()"),
      "main.lua:1: attempt to index local 'x' (a nil value)\n"
      "    main.lua:1: in function 'f'\n    main.lua:2: in function 'g'\n    main.lua:4: in the file itself");
  EXPECT_EQ(world.load("local function f() listen({}) end\nf()").substr(0, 20), "main.lua:1: listen: ");
  EXPECT_EQ(world.load("\nmuxHTP()"), "main.lua:2: unknown name \"muxHTP\"");
  // Thousands of calls are some lines.
  const std::string deep =
      world.load("local function f(n) if n == 0 then error('deep') end f(n - 1) return 1 end\nf(1000)");
  EXPECT_EQ(std::count(deep.begin(), deep.end(), '\n'), 21) << deep;
  EXPECT_NE(deep.find("\n    …\n"), std::string::npos) << deep;
  EXPECT_TRUE(deep.ends_with("\n    main.lua:2: in the file itself")) << deep;
}

TEST_F(SandboxTest, AFileThatIsNotThereOrIsNoTextIsRefused) {
  EXPECT_EQ(world.interpreter->loader.run("/nowhere/x.lua").error().detail,
            "/nowhere/x.lua: No such file or directory");
  EXPECT_NE(world.load("\x1bLJ\x02"), "");
}

TEST_F(SandboxTest, PipelinesAreLocalToTheirFile) {
  world.write("part.lua", "pipeline('x'):connect('b:2')\nreturn pipeline():route('x')");
  ASSERT_EQ(world.load("local part = require 'part'\npipeline('x'):connect('a:1')\nlisten(8000):route('x')"),
            "");
  EXPECT_EQ(world.program->scopes.size(), 2u);
  EXPECT_EQ(world.program->pipelines.size(), 4u);
  EXPECT_EQ(world.program->pipelines[1]->filters()[0]->place.line, 2);
  EXPECT_TRUE(world.program->pipelines[1]->filters()[0]->place.file.ends_with("part.lua"));
}

TEST_F(SandboxTest, AProgramIsWhatTheScriptSaid) {
  ASSERT_EQ(world.load(R"(
listen(8000, { idleTimeout = "5s", maxConnections = 10 })
  :handleSessionStart(function(ctx) end)
  :demuxHTTP("routing", { maxMessages = 5 })
listen("127.0.0.1:0"):connect("a:1")
pipeline("routing")
  :route(function(ctx) return "x" end, { "x" })
pipeline("x"):replaceMessage(Message { status = 404 })
  )"),
            "");
  ASSERT_EQ(world.program->listens.size(), 2u);
  EXPECT_EQ(world.program->listens[0].address.to_string(), "0.0.0.0:8000");
  EXPECT_EQ(world.program->listens[0].options.time("idleTimeout", 0s), Duration(5s));
  EXPECT_EQ(world.program->listens[0].options.count("maxConnections", 0), 10u);
  EXPECT_EQ(world.program->listens[0].place.line, 2);
  const auto& filters = world.program->listens[0].pipeline->filters();
  ASSERT_EQ(filters.size(), 2u);
  EXPECT_EQ(filters[1]->name, "demuxHTTP");
  EXPECT_EQ(filters[1]->place.line, 4);
  EXPECT_EQ(world.program->listens[1].address.to_string(), "127.0.0.1:0");
}

TEST_F(SandboxTest, PrintWritesALine) {
  testing::internal::CaptureStderr();
  world.result("hook('f', function() print('a', 1, nil, true) end)");
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("a 1 nil true"), std::string::npos) << log;
}

}  // namespace
}  // namespace perilune::script
