#include "script/source_hints.hpp"

#include "script/state.hpp"
#include "script_world.hpp"

// What `check` warns of, and above all what it does not.

namespace perilune::script {
namespace {

TEST(LuaTokens, AreWordsTextsAndSymbolsWithTheirLines) {
  std::string told;
  for (const LuaToken& token : lua_tokens(
           "local a = 'b\\'c' -- d\n--[[ e\nf ]] g.h[==[i\nj]==] .. 1.5e-3 ... 0x1F\nx==~=y::z 1..2")) {
    constexpr const char* kinds[] = {"n", "t", "#", "s"};
    told += kinds[static_cast<size_t>(token.kind)] + std::to_string(token.line) + ":" +
            std::string(token.text) + " ";
  }
  EXPECT_EQ(told,
            "n1:local n1:a s1:= t1:b\\'c n3:g s3:. n3:h t3:i\nj s4:.. #4:1.5e-3 s4:... #4:0x1F n5:x s5:== "
            "s5:~= n5:y s5::: "
            "n5:z #5:1 s5:.. #5:2 ");
}

TEST(LuaTokens, ThatDoNotEndAreNoTrouble) {
  for (const char* source : {"'a", "\"a\\", "[[a", "--[[a", "--", "[=", "1.", "", "a ="})
    EXPECT_LE(lua_tokens(source).size(), 3u) << source;
}

/// The warnings of files, one a line: main.lua, then others.
std::string warnings_of(const std::vector<std::string>& texts) {
  std::vector<SourceFile> files;
  for (const std::string& text : texts)
    files.push_back({files.empty() ? "main.lua" : "other" + std::to_string(files.size()) + ".lua", text});
  const SourceHints hints(files);
  std::string told;
  for (const filter::Warning& warning : hints.warnings())
    told += warning.place.to_string() + ": " + warning.text + "\n";
  return told;
}

TEST(SourceHints, ANameOfContextThatIsNeverWritten) {
  EXPECT_EQ(
      warnings_of({"f(function(req, ctx)\n  ctx.target = 1\nend)\ng(function(ctx) return ctx.tagret end)"}),
      "main.lua:4: ctx.tagret is read here and written nowhere; did you mean \"target\"?\n");
  EXPECT_EQ(
      warnings_of({"local function g(ctx) if ctx.a then return end end\nf(function(ctx) return ctx.b end)"}),
      "main.lua:2: ctx.b is read here and written nowhere\n");
  EXPECT_EQ(warnings_of({"f(ctx.zzz, 1)"}), "main.lua:1: ctx.zzz is read here and written nowhere\n");
  EXPECT_EQ(warnings_of({"f(function(ctx) ctx.session.user = 1 return ctx.session.usr end)"}),
            "main.lua:1: ctx.usr is read here and written nowhere; did you mean \"user\"?\n");
  EXPECT_EQ(warnings_of({"context { 'a', 'b' }\nctx.a = 1"}),
            "main.lua:1: context declares \"b\", and nothing writes it\n");
  EXPECT_EQ(warnings_of({"context { 'a' }\nf(ctx.a)"}),
            "main.lua:2: ctx.a is read here and written nowhere\n");
}

TEST(SourceHints, NamesThatMayBeWrittenAreLeftAlone) {
  for (const char* source : {
           "ctx.a = 1 f(ctx.a)",
           "ctx.a, ctx.b = f() g(ctx.a, ctx.b)",
           "function h(c) c.a = 1 end f(ctx.a)",
           "function h(c, k) c[k] = 1 end f(ctx.a)",
           "f(ctx['a']) g(ctx.a)",
           "set(ctx, 'a', 1) f(ctx.a)",
           "ctx[k] = 1 f(ctx.a)",
           "ctx.session[k] = 1 f(ctx.a)",
           "function ctx.a() end f(ctx.a)",
           "local ctx = make() f(ctx.a)",
           "local function render(ctx) if x then y() end return ctx.title end f(render)",
           "local build = function(ctx) ctx.key = 1 end",
           "for _, ctx in ipairs(list) do ctx.elapsed = 2 end",
           "local c = ctx for k, v in pairs(t) do c[k] = v end f(ctx.user)",
           "f(my.ctx.a)",
           "x = { a = 1 } f(ctx.a)",
           "-- ctx.a\nf('ctx.a')",
           "f(ctx.client.ip, ctx.request.path, ctx.response, ctx.upstream, ctx.elapsed, ctx.key, "
           "ctx.session)",
           "if ctx.request == nil then f() end",
           "context { 'a' } ctx.a = 1",
       })
    EXPECT_EQ(warnings_of({source}), "") << source;
  EXPECT_EQ(warnings_of({"f(ctx.a)", "g(function(c) c.a = 2 end)"}), "");  // of all files together
}

TEST(SourceHints, NamesThatAreNotDeclaredWhereOthersAre) {
  const std::string declares = "context { 'target' }\nctx.target = 1\n";
  const std::string wrong =
      "main.lua:3: ctx.targte is an error when it runs: context {…} does not declare it; did you mean "
      "\"target\"?\n";
  EXPECT_EQ(warnings_of({declares + "ctx.targte = 1"}), wrong);
  EXPECT_EQ(warnings_of({declares + "f(ctx.targte)"}), wrong) << "once, not as one that nothing writes too";
  EXPECT_EQ(warnings_of({declares + "f(ctx.targte) ctx.targte = 1"}), wrong);
  EXPECT_EQ(warnings_of({declares + "ctx[k] = 1 ctx.targte = 1"}), wrong);
  for (const char* more :
       {"context { 'targte' } ctx.targte = 1", "context({ 'targte' }) ctx.targte = 1",
        "context(names) ctx.targte = 1", "context { a, 'b' } ctx.targte = 1",
        "local declare = context ctx.targte = 1", "local ctx = {} ctx.targte = 1", "f(ctx.client)"})
    EXPECT_EQ(warnings_of({declares + more}), "") << more;
  EXPECT_EQ(warnings_of({declares + "ctx.other = 1", "context { 'other' }"}), "") << "in another file";
}

TEST(SourceHints, CallsThatWaitWhereNoneMay) {
  const std::string wrong = ": its function may not wait, and sleep does: this is an error when it runs\n";
  EXPECT_EQ(warnings_of({"p:handleExchangeEnd(function()\nif x then sleep(1) end end)"}),
            "main.lua:2: handleExchangeEnd" + wrong);
  EXPECT_EQ(warnings_of({"p:handleSessionEnd(function() for i = 1, 2 do sleep '1s' end end)"}),
            "main.lua:1: handleSessionEnd" + wrong);
  EXPECT_EQ(
      warnings_of({"p:handleExchangeEnd(function() http.request('GET', u) end)"}),
      "main.lua:1: handleExchangeEnd: its function may not wait, and http.request does: this is an error "
      "when it runs\n");
  for (const char* source : {
           "p:handleExchangeEnd(function() end) sleep(1)",
           "p:handleMessageStart(function() sleep(1) end)",
           "p:handleExchangeEnd(function() f(function() sleep(1) end) end)",
           "local function sleep() end p:handleExchangeEnd(function() sleep(1) end)",
           "local http = {} p:handleExchangeEnd(function() http.get(1) end)",
           "p:handleExchangeEnd(function() local t, sleep = {}, f sleep(1) end)",
           "p:handleExchangeEnd(function() for _, http in f() do http.get(1) end end)",
           "local function g(a, sleep) p:handleExchangeEnd(function() sleep(1) end) end",
           "p:handleExchangeEnd(function() my.sleep(1) my.http.get(1) f(sleep, http) end)",
       })
    EXPECT_EQ(warnings_of({source}), "") << source;
}

TEST(SourceHints, TheEnginesNames) {
  EXPECT_EQ(warnings_of({"f(function(ctx)\n  ctx.request = nil\nend)"}),
            "main.lua:2: ctx.request is the engine's and read-only: this is an error when it runs\n");
}

TEST(SourceHints, NamesThatARouteGives) {
  const std::string pipelines = "\npipeline('forward') pipeline \"404\"";
  EXPECT_EQ(warnings_of({"p:route(function(ctx) return ctx.request and 'fowrard' or '404' end)" + pipelines}),
            "main.lua:1: route may give \"fowrard\", and this file has no pipeline of that name; did you "
            "mean \"forward\"?\n");
  EXPECT_EQ(warnings_of({"p:route(function() if x then return 'a'\nelse return '404' end end)" + pipelines}),
            "main.lua:1: route may give \"a\", and this file has no pipeline of that name\n");
  for (const char* route : {
           "p:route(function() return x and 'forward' or '404' end)",
           "p:route(function() return x == 'a' and 'forward' or '404' end)",
           "p:route(function() return f('a') or t['b'] end)",
           "p:route(function() return f(x or 'a') end)",
           "p:route(function() return 'a' .. x end)",
           "p:route(function() return x .. 'a' end)",
           "p:route(function() local g = function() return 'a' end return f(g) end)",
           "p:route(function() table.sort(t, function(a, b) return 'a' end) return 'forward' end)",
           "p:route(function() return 'a' and 'forward' end)",
           "other:rout(function() return 'a' end)",
       })
    EXPECT_EQ(warnings_of({route + pipelines}), "") << route;
  EXPECT_EQ(warnings_of({"p:route(function() return '\\98' end)" + pipelines}), "");
  EXPECT_EQ(warnings_of({"local make = pipeline p:route(function() return 'a' end)" + pipelines}), "");
  EXPECT_EQ(warnings_of({"pipeline(n) p:route(function() return 'a' end)"}),
            "");  // names are made at run time
}

TEST(SourceHints, PipelinesThatATextMayName) {
  const std::vector<SourceFile> files{
      {"main.lua", "pipeline('old') pipeline('v1-api') f('v1-' .. x, 'x%d', 'gone')"}};
  const SourceHints hints(files);
  EXPECT_FALSE(hints.may_name("main.lua", "old"));
  EXPECT_TRUE(hints.may_name("main.lua", "v1-api"));
  EXPECT_TRUE(hints.may_name("main.lua", "x5"));
  EXPECT_TRUE(hints.may_name("main.lua", "gone"));
  EXPECT_FALSE(hints.may_name("other.lua", "gone"));
}

// ── of whole scripts

class ScriptWarnings : public ScriptTest {
 protected:
  std::string warnings(const std::string& text) {
    world.start();
    world.write("main.lua", text);
    State state(world.services, *world.http);
    auto loaded = state.load(world.folder + "/main.lua");
    if (!loaded) return world.without_folder(loaded.error().detail);
    std::string told;
    for (const filter::Warning& warning : state.warnings(**loaded))
      told += warning.place.to_string() + ": " + warning.text + "\n";
    return world.without_folder(told);
  }
};

const std::string answer = ":replaceMessage(Message 'x')\n";

TEST_F(ScriptWarnings, PipelinesThatNothingLeadsTo) {
  EXPECT_EQ(warnings("listen(1):demuxHTTP('a')\npipeline('a')" + answer + "pipeline('b')" + answer +
                     "pipeline()" + answer),
            "main.lua:3: pipeline \"b\" is never used: nothing leads to it\n"
            "main.lua:4: this pipeline is never used: nothing leads to it\n");
  // two that lead to each other only
  EXPECT_EQ(warnings("listen(1):demuxHTTP('a')\npipeline('a')" + answer +
                     "pipeline('b'):route(function() end, { 'c' })\n" +
                     "pipeline('c'):route(function() end, { 'b' })"),
            "main.lua:3: pipeline \"b\" is never used: nothing leads to it\n"
            "main.lua:4: pipeline \"c\" is never used: nothing leads to it\n");
}

TEST_F(ScriptWarnings, NotThoseThatARouteMayName) {
  const std::string route = "listen(1):demuxHTTP(pipeline():route(function(ctx) return ";
  EXPECT_EQ(warnings(route + "'a' end))\npipeline('a')" + answer), "");
  EXPECT_EQ(warnings(route + "'v' .. ctx.request.query.v end))\npipeline('v1')" + answer), "");
  EXPECT_EQ(warnings("local p = pipeline()" + answer + route + "p end))"), "");
  EXPECT_EQ(warnings(route + "os.env.P end))\npipeline('a')" + answer),
            "main.lua:2: pipeline \"a\" is never used: nothing leads to it; if a route does, list it: "
            "route(fn, { \"a\" })\n");
  // what it names leads on
  EXPECT_EQ(warnings(route + "'a' end))\npipeline('a'):muxHTTP('b')\npipeline('b'):connect('a:1')"), "");
}

TEST_F(ScriptWarnings, NotThoseThatAListOfNamesLeavesOut) {
  const std::string route =
      "listen(1):demuxHTTP(pipeline():route(function(ctx) return ctx.elapsed > 1 and 'a' or 'b' end, { 'a' "
      "}))\n";
  EXPECT_EQ(warnings(route + "pipeline('a')" + answer + "pipeline('b')" + answer), "");
  EXPECT_EQ(warnings(route + "pipeline('a')" + answer + "pipeline('b')" + answer + "pipeline('c')" + answer),
            "main.lua:4: pipeline \"c\" is never used: nothing leads to it\n");
}

TEST_F(ScriptWarnings, NotThoseThatARouteIsGiven) {
  const std::string route = "\nlisten(1):demuxHTTP(pipeline():route(function() return p end))";
  EXPECT_EQ(warnings("local p = pipeline('a')" + answer + route), "");
  EXPECT_EQ(warnings("local p = choose(pipeline('a')" + answer + ", nil)" + route),
            "main.lua:1: unknown name \"choose\"");
  EXPECT_EQ(warnings("local p = nil\npipeline('a')" + answer + route),
            "main.lua:2: pipeline \"a\" is never used: nothing leads to it; if a route does, list it: "
            "route(fn, { \"a\" })\n");
}

TEST_F(ScriptWarnings, NotThoseThatAUseMayChoose) {
  const std::string use =
      "\nlisten(1):demuxHTTP(pipeline():use(function() return { p } end, 'end'))\npipeline('end')" + answer;
  // of a module's file
  world.write("keys.lua", "return function() return pipeline():handleMessageStart(function() end) end");
  EXPECT_EQ(warnings("local p = require 'keys' ()" + use), "");
  EXPECT_EQ(warnings("local p = pipeline():handleMessageStart(function() end)" + use), "");
  EXPECT_EQ(warnings("local p = pipeline('own'):next()" + use), "");
  // what it leads to
  EXPECT_EQ(warnings("local p = pipeline():route('b')\npipeline('b')" + answer + use), "");
  // no plugin, or one that nobody holds
  EXPECT_EQ(warnings("local p = pipeline('no'):replaceMessage(function() end)" + use),
            "main.lua:1: pipeline \"no\" is never used: nothing leads to it\n");
  EXPECT_EQ(warnings("local p\npipeline('gone'):next()" + use),
            "main.lua:2: pipeline \"gone\" is never used: nothing leads to it\n");
}

TEST_F(ScriptWarnings, NotWhatAModuleReads) {
  EXPECT_EQ(warnings("return function(ctx) return ctx.user end"), "");
  EXPECT_EQ(warnings("return function(ctx) ctx.request = 1 end"),
            "main.lua:1: ctx.request is the engine's and read-only: this is an error when it runs\n");
}

TEST_F(ScriptWarnings, NotThoseOfAModule) { EXPECT_EQ(warnings("pipeline('a')" + answer + "return {}"), ""); }

TEST_F(ScriptWarnings, FunctionsThatTakeWhatTheyDoNotGet) {
  EXPECT_EQ(
      warnings("listen(1):handleSessionStart(\n  function(req, ctx) end)\n  :connect(function(ctx, more) "
               "return 'a:1' end)"),
      "main.lua:2: handleSessionStart: this function takes (req, ctx) and is called with (ctx); write "
      "function(ctx)\n"
      "main.lua:3: connect: this function takes (ctx, more) and is called with (ctx); write function(ctx)\n");
  EXPECT_EQ(
      warnings("listen(1):demuxHTTP(pipeline()\n  :handleMessageStart(function(ctx, req) end)" + answer +
               ")"),
      "main.lua:2: handleMessageStart: this function takes (ctx, req) and is called with (msg, ctx); write "
      "function(msg, ctx)\n");
  EXPECT_EQ(
      warnings("upstream('a', { endpoints = {},\n  onEvict = function(ctx, reason, x) end })\n"
               "listen(1):serveHTTP(function(req, ctx) end, {\n  errorPage = function(ctx) end })"),
      "main.lua:2: upstream: this function takes (ctx, reason, x) and is called with (ctx, reason); write "
      "function(ctx, reason)\n"
      "main.lua:4: serveHTTP: this function takes (ctx) and is called with (err, ctx); write function(err, "
      "ctx)\n");
}

TEST_F(ScriptWarnings, NotThoseThatTakeLessOrAny) {
  EXPECT_EQ(warnings("listen(1):handleSessionStart(function(...) end):handleSessionStart(print)\n"
                     "  :handleSessionStart(function() end):handleSessionEnd(function(ctx, err) end)\n"
                     "  :serveHTTP(function(request) end)"),
            "");
}

}  // namespace
}  // namespace perilune::script
