#include "script_world.hpp"

// What people get wrong most, and the exact sentence that they are told.

namespace perilune::script {
namespace {

struct Mistake {
  const char* name;
  const char* script;
  const char* sentence;
};

const Mistake at_load[] = {
    {"syntax", "listen(8000)\n  :connect('a:1'\n",
     "main.lua:3: ')' expected (to close '(' at line 2) near '<eof>'"},
    {"misspelt function", "lisen(8000)", "main.lua:1: unknown name \"lisen\"; did you mean \"listen\"?"},
    {"misspelt local", "local router = 1\nprint(routr)",
     "main.lua:2: unknown name \"routr\"; did you mean \"router\"?"},
    {"forgotten local", "\ntargets = {}",
     "main.lua:2: assignment to the unknown name \"targets\"; write: local targets"},
    {"forgotten local in a handler", "hook('f', function()\n  count = 1\nend)",
     "main.lua:2: assignment to the unknown name \"count\"; declare it in front of the function: local "
     "count"},
    {"replaced builtin", "function sleep() end",
     "main.lua:1: \"sleep\" belongs to the engine and cannot be replaced; write: local sleep"},
    {"misspelt filter", "listen(8000):demuxHTPP('x')",
     "main.lua:1: there is no filter \"demuxHTPP\"; did you mean \"demuxHTTP\"?"},
    {"misspelt option", "listen(8000)\n  :connect('a:1', { conectTimeout = 5 })",
     "main.lua:2: connect: unknown option \"conectTimeout\"; did you mean \"connectTimeout\"?"},
    {"misspelt listen option", "listen(8000, { maxConnection = 5 })",
     "main.lua:1: listen: unknown option \"maxConnection\"; did you mean \"maxConnections\"?"},
    {"wrong type of argument", "listen(8000):connect({})",
     "main.lua:1: connect: argument 1 (target) expects a function or a string, got a table; write "
     "\"host:port\", such as \"127.0.0.1:8080\""},
    {"wrong type of option", "listen(8000):connect('a:1', { readTimeout = {} })",
     "main.lua:1: connect: option \"readTimeout\" expects a time (seconds or \"5s\"), got a table"},
    {"wrong unit", "listen(8000):connect('a:1', { readTimeout = '5 seconds' })",
     "main.lua:1: connect: option \"readTimeout\": \"5 seconds\" is no time; write seconds, or \"250ms\", "
     "\"5s\", \"1m\", "
     "\"1h\""},
    {"static ctx", "listen(8000):connect(ctx.target)",
     "main.lua:1: a static argument is evaluated once, at load; a function is called for every session: "
     "connect(ctx.target) cannot work, connect(function(ctx) return ctx.target end) does"},
    {"static nil", "local config = {}\nlisten(8000):connect(config.target)",
     "main.lua:2: connect: argument 1 (target) expects a function or a string, got nil; a value that is "
     "known only later "
     "needs a function, such as function(ctx) return ctx.target end"},
    {"dot for colon", "listen(8000).connect('a:1')",
     "main.lua:1: connect: call it with a colon, pipeline():connect(...); it was given \"a:1\" in place of "
     "the pipeline"},
    {"pipeline that is not there", "listen(8000):demuxHTTP('ruoting')\npipeline('routing'):connect('a:1')",
     "main.lua:1: there is no pipeline \"ruoting\"; did you mean \"routing\"?"},
    {"pipeline defined twice", "pipeline('a'):connect('a:1')\npipeline('a'):connect('a:1')",
     "main.lua:2: pipeline: pipeline \"a\" is defined already at main.lua:1"},
    {"port as text", "listen('8000x')", nullptr},
    {"port out of range", "listen(80000)",
     "main.lua:1: listen: a port is a whole number from 0 to 65535, got 80000"},
    {"address used twice", "listen(8000):connect('a:1')\nlisten(8000):connect('a:1')",
     "main.lua:2: listen: 0.0.0.0:8000 is listened at already, in main.lua:1"},
    {"handler that is no function", "pipeline():handleMessageStart(print('x'))",
     "main.lua:1: handleMessageStart: argument 1 (handler) expects a function, got nothing"},
    {"one argument too many", "listen(8000):connect('a:1', 'b:2')",
     "main.lua:1: connect: options are a table, got \"b:2\""},
    {"io", "io.open('x')",
     "main.lua:1: io is not available to scripts; file.read reads a file, log.info writes a line"},
    {"coroutine", "coroutine.wrap(print)",
     "main.lua:1: coroutine is not available: handlers are coroutines already, and may wait (sleep, "
     "http.get)"},
    {"misspelt class", "algo.UrlRouter {}",
     "main.lua:1: algo has no \"UrlRouter\"; did you mean \"URLRouter\"?"},
    {"module that is not there", "require 'plugins.jwt'",
     "main.lua:1: require: there is no module \"plugins.jwt\" (neither plugins/jwt.lua nor "
     "plugins/jwt/init.lua)"},
    {"module by path", "require '../secret'",
     "main.lua:1: require: \"../secret\" is no name of a module: write names with dots, such as "
     "\"plugins.jwt\", from the "
     "folder of the script"},
    {"reserved ctx name", "context { 'request' }",
     "main.lua:1: context: \"request\" is a name of the engine's own"},
    {"control bytes in a name", "listen(8000, { ['a\\nb'] = 1 })",
     "main.lua:1: listen: unknown option \"a\\x0ab\""},
    {"unknown pool option", "algo.ResourcePool(function() end, { maxUse = 1 })",
     "main.lua:1: algo.ResourcePool: unknown option \"maxUse\"; did you mean \"maxUses\"?"},
    {"ambiguous idleTimeout", "algo.ResourcePool(function() end, { idleTimeout = 0 })",
     "main.lua:1: algo.ResourcePool: idleTimeout must be above 0: write false to keep nothing idle, "
     "math.huge to keep it for "
     "ever"},
    {"every without interval", "every(0, function() end)",
     "main.lua:1: every: argument 1 (interval) expects a number of seconds or \"5s\" above 0, got 0"},
    {"upstream defined twice",
     "upstream('a', { endpoints = { 'a:1' } })\nupstream('a', { endpoints = { 'a:1' } })",
     "main.lua:2: upstream: upstream \"a\" is defined already at main.lua:1"},
    {"upstream without a name", "upstream { endpoints = { 'a:1' } }",
     "main.lua:1: upstream: argument 1 (name) expects a name, got a table"},
    {"misspelt upstream option", "upstream('a', {\n  endpoints = { 'a:1' }, maxConection = 5 })",
     "main.lua:1: upstream: unknown option \"maxConection\"; did you mean \"maxConnections\"?"},
    {"upstream that never idles", "upstream('a', { endpoints = { 'a:1' }, idleTimeout = 0 })",
     "main.lua:1: upstream: option \"idleTimeout\": a time of 0 means nothing here; say false for never"},
    {"forward to a name", "pipeline():forward('api')",
     "main.lua:1: forward: argument 1 (upstream) expects a function or an upstream, got a string"},
    {"forward to nothing", "pipeline():forward(print('x'))",
     "main.lua:1: forward: argument 1 (upstream) expects a function or an upstream, got nothing"},
    {"misspelt method of an upstream", "local a = upstream('a', { endpoints = { 'a:1' } })\na:reqest()",
     "main.lua:2: an upstream has no \"reqest\"; did you mean \"request\"?"},
    {"a field of an upstream", "local a = upstream('a', { endpoints = { 'a:1' } })\na.weight = 5",
     "main.lua:2: an upstream has no fields to set, as \"weight\"; keep what belongs to it in a local table"},
    {"request at the top of a file",
     "local a = upstream('a', { endpoints = { 'a:1' } })\nlocal res = a:request(Message { path = '/' })",
     "main.lua:2: Upstream:request cannot wait here: this is the top of a file, which only declares; use "
     "every or "
     "after, or wait in a handler"},
    {"endpoints set at the top of a file", "local a = upstream('a', { endpoints = {} })\na:set { 'a:1' }",
     "main.lua:2: Upstream:set: upstreams start when the whole script is loaded; at the top of a file give "
     "endpoints to "
     "upstream(), and call set in a handler, every or after"},
    {"nobody answers", "listen(8000):demuxHTTP('r')\npipeline('r'):handleMessageStart(function() end)",
     nullptr},
};

TEST(Mistakes, AreSaidAtLoad) {
  for (const Mistake& mistake : at_load) {
    ScriptWorld world;
    const std::string said = world.load(mistake.script);
    if (mistake.sentence) EXPECT_EQ(said, mistake.sentence) << mistake.name;
    else EXPECT_TRUE(said.starts_with("main.lua:1: ")) << mistake.name << ": " << said;
  }
}

const Mistake in_handlers[] = {
    {"pipeline in a handler", "hook('f', function() pipeline('x') end)",
     "main.lua:1: pipelines are made while the file is loaded, at its top, not in a handler"},
    {"filter in a handler", "local p = pipeline() hook('f', function() p:connect('a:1') end)",
     "main.lua:1: connect: pipelines are made while the file is loaded, at its top, not in a handler"},
    {"every in a handler", "hook('f', function() every(1, print) end)",
     "main.lua:1: every: it belongs at the top of a file; in a handler use after"},
    {"require in a handler", "hook('f', function() require 'x' end)",
     "main.lua:1: require \"x\": modules are loaded at the top of a file"},
    {"the only return that calls",
     "hook('f', function(x)\n  if x == 1 then return x end\n  return http.get 'https://a/'\nend)",
     "main.lua:3: http.get: only http URLs can be asked, got \"https://a/\""},
    {"one of several returns that call",
     "hook('f', function(x)\n  if x == 1 then return tostring(x) end\n\n  return http.get 'https://a/'\nend)",
     "main.lua:1: http.get: only http URLs can be asked, got \"https://a/\" (at the return in line 2 or 4)"},
    {"free of a stranger",
     "local p = algo.ResourcePool(function() return 1 end)\nhook('f', function() p:free(5) end)",
     "main.lua:2: ResourcePool:free: the pool does not have 5"},
    {"free twice",
     "local p = algo.ResourcePool(function() return 1 end)\n"
     "hook('f', function() local r = p:allocate 'k' p:free(r) p:free(r) end)",
     "main.lua:2: ResourcePool:free: 1 is free already"},
    {"upstream in a handler", "hook('f', function() upstream('a', { endpoints = { 'a:1' } }) end)",
     "main.lua:1: upstream: upstreams are made while the file is loaded, at its top, not in a handler"},
    {"dot for colon of an upstream",
     "local a = upstream('a', { endpoints = { 'a:1' } })\n"
     "hook('f', function() a.request(Message { path = '/' }) end)",
     "main.lua:2: Upstream:request: call it with a colon, on what upstream() gave, not on a Message"},
    {"request of a response",
     "local a = upstream('a', { endpoints = { 'a:1' } })\nhook('f', function() a:request(Message 'x') end)",
     "main.lua:2: Upstream:request: argument 1 (msg) expects a request, as Message { path = \"/\" } is one, "
     "got a "
     "response"},
    {"misspelt option of request",
     "local a = upstream('a', { endpoints = { 'a:1' } })\n"
     "hook('f', function() a:request(Message { path = '/' }, { timout = 1 }) end)",
     "main.lua:2: Upstream:request: unknown option \"timout\"; did you mean \"timeout\"?"},
    {"endpoints that are none",
     "local a = upstream('a', { endpoints = { 'a:1' } })\nhook('f', function() a:set { 'b' } end)",
     "main.lua:2: Upstream:set: argument 1 (endpoints): address \"b\": no port; expected \"host:port\""},
    {"drain of a stranger",
     "local a = upstream('a', { endpoints = { 'a:1' } })\nhook('f', function() a:drain 'a:2' end)",
     "main.lua:2: Upstream:drain: upstream \"a\" has no endpoint \"a:2\"; did you mean \"a:1\"?"},
    {"sleep of a word", "hook('f', function() sleep 'soon' end)",
     "main.lua:1: sleep: argument 1 (time) expects a number of seconds or \"5s\", got \"soon\""},
    {"https", "hook('f', function() http.get 'https://a/' end)",
     "main.lua:1: http.get: only http URLs can be asked, got \"https://a/\""},
    {"misspelt http option", "hook('f', function() http.get('http://a/', { timout = 1 }) end)",
     "main.lua:1: http.get: unknown option \"timout\"; did you mean \"timeout\"?"},
};

TEST(Mistakes, AreSaidInHandlers) {
  for (const Mistake& mistake : in_handlers) {
    ScriptWorld world;
    testing::internal::CaptureStderr();
    EXPECT_EQ(world.result(mistake.script), std::string("failed: ") + mistake.sentence) << mistake.name;
    EXPECT_NE(testing::internal::GetCapturedStderr().find(mistake.sentence), std::string::npos)
        << mistake.name;
  }
}

}  // namespace
}  // namespace perilune::script
