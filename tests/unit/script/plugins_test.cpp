#include "script_world.hpp"

// use: what a list of plugins may be, and what is said of one that is something else.

namespace perilune::script {
namespace {

constexpr const char* answering = "\npipeline('p'):replaceMessage(Message 'x')";

/// A script whose pipeline "web" uses `plugins`, from line 1.
std::string use(const std::string& plugins) {
  return "pipeline('web'):use(" + plugins + ", 'p')" + answering;
}

class Plugins : public ScriptTest {
 protected:
  Plugins() {
    world.write("plugins/jwt.lua", "return pipeline():handleMessageStart(function(req) end):next()");
    world.write("plugins/limit.lua", R"(
      return function(config)
        if not config then error("limit needs a configuration") end
        pipeline("over"):replaceMessage(Message { status = config.status or 429 })
        return pipeline():route(function() return "over" end)
      end)");
    world.write("plugins/table.lua", "return { 1 }");
    world.write("plugins/nothing.lua", "local x = 1");
    world.write("plugins/wrong.lua", "return function() return 5 end");
    world.write("plugins/forgets.lua", "return function() pipeline() end");
    world.write("plugins/circle.lua",
                "local p = pipeline():use({ 'plugins.circle' }, pipeline():next()) return p");
    world.write("plugins/broken.lua", "\nreturn pipeline(:next()");
    world.write("plugins/raises.lua", "\nlocal x = nil\nreturn x.y");
  }
};

TEST_F(Plugins, ModulesAndPipelines) {
  EXPECT_EQ(world.load(use(
                "{ 'plugins.jwt', { 'plugins.limit', { status = 403 } }, { 'plugins.jwt' }, pipeline() }")),
            "");
}

TEST_F(Plugins, EachCallOfAFunctionHasNamesOfItsOwn) {
  EXPECT_EQ(world.load(use("{ { 'plugins.limit', {} }, { 'plugins.limit', {} } }")), "");
}

TEST_F(Plugins, ACallSeesTheNamesOfItsFile) {
  world.write("plugins/shared.lua", R"(
    pipeline("gone"):replaceMessage(Message { status = 410 })
    return function(config)
      return pipeline():route(config.name)
    end)");
  EXPECT_EQ(world.load(use("{ { 'plugins.shared', { name = 'gone' } } }")), "");
  ScriptWorld other;
  other.write("plugins/shared.lua", R"(
    pipeline("gone"):replaceMessage(Message { status = 410 })
    return function() return pipeline():route("gome") end)");
  EXPECT_EQ(other.load(use("{ 'plugins.shared' }")),
            "plugins/shared.lua:3: there is no pipeline \"gome\"; did you mean \"gone\"?");
}

TEST_F(Plugins, FilesAreNotedForThoseWhoWatchThem) {
  ASSERT_EQ(world.load(use("{ 'plugins.jwt' }")), "");
  EXPECT_TRUE(world.interpreter->loader.files().back().ends_with("plugins/jwt.lua"));
}

struct WrongUse {
  std::string plugins;
  const char* sentence;
};

TEST_F(Plugins, MistakesAreTold) {
  const WrongUse mistakes[] = {
      {"{ 'plugins.jvt' }",
       "main.lua:1: use: there is no module \"plugins.jvt\" (neither plugins/jvt.lua nor "
       "plugins/jvt/init.lua); did you "
       "mean \"plugins.jwt\"?"},
      {"{ 'plugins/jwt.lua' }",
       "main.lua:1: use: \"plugins/jwt.lua\" is no name of a module: write names with dots, such as "
       "\"plugins.jwt\", from "
       "the folder of the script"},
      {"'plugins.jwt'", "main.lua:1: use: argument 1 (plugins) expects a list, write { \"plugins.jwt\" }"},
      {"5", "main.lua:1: use: argument 1 (plugins) expects a function or a list of plugins, got a number"},
      {"nil",
       "main.lua:1: use: argument 1 (plugins) expects a function or a list of plugins, got nil; a value that "
       "is known only "
       "later needs a function, such as function(ctx) return ctx.target end"},
      {"{ jwt = 'plugins.jwt' }",
       "main.lua:1: use: plugins are a list without names and gaps, this one has \"jwt\""},
      {"{ 'plugins.jwt', 5 }",
       "main.lua:1: use: plugin 2 expects the name of a module, { \"name\", config } or a pipeline, got 5"},
      {"{ 'plugins.limit', { status = 403 } }", "plugins/limit.lua:3: limit needs a configuration"},
      {"{ 'plugins.jwt', { status = 403 } }",
       "main.lua:1: use: plugin 2 has the name \"status\"; a plugin with a configuration is { \"name\", "
       "config }, and stands "
       "in the list: use({ { \"name\", config } }, …)"},
      {"{ { {} } }",
       "main.lua:1: use: plugin 1: { \"name\", config } begins with the name of a module, not with a table"},
      {"{ { 'plugins.jwt', {} } }",
       "main.lua:1: use: plugin \"plugins.jwt\" returns a pipeline and so takes no configuration; for one it "
       "returns "
       "function(config) … end"},
      {"{ 'plugins.table' }",
       "main.lua:1: use: plugin \"plugins.table\" returns a table; a plugin's module returns a pipeline, or "
       "a function of its "
       "configuration that does"},
      {"{ 'plugins.nothing' }",
       "main.lua:1: use: plugin \"plugins.nothing\" returns nothing; end it with: return pipeline()…"},
      {"{ 'plugins.wrong' }",
       "main.lua:1: use: plugin \"plugins.wrong\": its function gave 5; a plugin's module returns a "
       "pipeline, or a function of "
       "its configuration that does"},
      {"{ 'plugins.forgets' }",
       "main.lua:1: use: plugin \"plugins.forgets\": its function gave nil; a plugin's module returns a "
       "pipeline, or a "
       "function of its configuration that does"},
      {"{ 'plugins.circle' }",
       "plugins/circle.lua:1: use: module \"plugins.circle\" requires itself, directly or through others"},
      {"{ 'plugins.broken' }", "plugins/broken.lua:2: unexpected symbol near ':'"},
      {"{ 'plugins.raises' }", "plugins/raises.lua:3: attempt to index local 'x' (a nil value)"},
  };
  for (const WrongUse& mistake : mistakes) {
    world.start();
    EXPECT_EQ(world.load(use(mistake.plugins)), mistake.sentence) << mistake.plugins;
  }
}

TEST_F(Plugins, WhatAChainNeeds) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"pipeline('web'):use({ 'plugins.jwt' })",
       "main.lua:1: use: argument 2 (pipeline) expects a pipeline or its name, got nothing"},
      {"pipeline('web'):use({ 'plugins.jwt' }, 'prxy')\npipeline('proxy'):replaceMessage(Message 'x')",
       "main.lua:1: there is no pipeline \"prxy\"; did you mean \"proxy\"?"},
      {"pipeline('web'):use({}, 'p')\npipeline('p'):handleMessageStart(function() end)",
       "main.lua:1: nobody answers in pipeline \"p\" (main.lua:2): end it with forward, muxHTTP, route or a "
       "replaceMessage "
       "that gives a response"},
      {"pipeline('web'):use({ pipeline():connect('a:1') }, "
       "'p')\nlisten(8000):demuxHTTP('web')\npipeline('p'):replaceMessage(Message 'x')",
       "main.lua:1: connect takes bytes, and the pipeline of main.lua:1 carries HTTP messages here: send "
       "them with "
       "muxHTTP(\"upstream\"), and let pipeline(\"upstream\") connect"},
      {"pipeline('web'):use({}, 'web')", "main.lua:1: use leads in a circle: \"web\" → \"web\""},
      {"pipeline('a'):use({ pipeline():next() }, 'b')\npipeline('b'):route('a')",
       "main.lua:2: route leads in a circle: \"a\" → \"b\" → \"a\""},
      {"listen(8000):demuxHTTP('web')\npipeline('web'):next()",
       "main.lua:2: next goes on with the rest of a chain, and demuxHTTP leads here: it is for pipelines "
       "that use leads to"},
      {"listen(8000):next()",
       "main.lua:1: next goes on with the rest of a chain, and listen leads here: it is for pipelines that "
       "use leads to"},
      {"pipeline('web'):next():connect('a:1')",
       "main.lua:1: connect can never be reached by requests: next at main.lua:1 answers already"},
      {"pipeline('web').use({}, 'p')",
       "main.lua:1: use: call it with a colon, pipeline():use(...); it was given a table in place of the "
       "pipeline"},
      {"pipeline('web'):use({}, 'p', 5)\npipeline('p'):next()",
       "main.lua:1: use: takes at most 2 arguments, got 5 in addition"},
  };
  for (const auto& [script, sentence] : mistakes) {
    world.start();
    EXPECT_EQ(world.load(script), sentence) << script;
  }
}

TEST_F(Plugins, AreMadeAtLoadOnly) {
  ASSERT_EQ(
      world.load("local web = pipeline('web')\nhook('f', function() web:use({ 'plugins.jwt' }, 'p') end)" +
                 std::string(answering)),
      "");
  EXPECT_EQ(world.outcome("f").substr(0, 34), "failed: main.lua:2: use \"plugins.j");
}

}  // namespace
}  // namespace perilune::script
