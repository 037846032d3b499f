#include "script_world.hpp"

// The graph of a script as text and for Mermaid. The drawing is looked at by tests/docs/graphs.py.

namespace perilune::script {
namespace {

class Graph : public ScriptTest {
 protected:
  std::string text(const std::string& script) {
    const std::string wrong = world.load(script);
    return wrong.empty() ? world.without_folder(filter::graph_text(*world.program)) : wrong;
  }
  std::string mermaid(const std::string& script) {
    const std::string wrong = world.load(script);
    return wrong.empty() ? world.without_folder(filter::graph_mermaid(*world.program)) : wrong;
  }
};

TEST_F(Graph, WhatAFilterKeepsInsideIsNoPartOfIt) {
  const char* const script = "listen(8000):serveHTTP(Message 'x')";
  EXPECT_EQ(text(script), "listen 0.0.0.0:8000\n  serveHTTP    (main.lua:1)\n");
  world.start();
  EXPECT_EQ(mermaid(script), "flowchart TD\n  p0[\"listen 0.0.0.0:8000<br>serveHTTP\"]\n");
}

constexpr const char* routes =
    "listen(8000):demuxHTTP('web')\n"
    "pipeline('web'):route(function() end)\n"
    "pipeline('a'):muxHTTP('b', nil)\n"
    "pipeline('b'):connect('a:1')\n"
    "pipeline('c'):replaceMessage(Message 'x')";

TEST_F(Graph, ARouteMayLeadToWhatNothingElseLeadsTo) {
  EXPECT_EQ(text(routes),
            "listen 0.0.0.0:8000\n"
            "  demuxHTTP -> pipeline \"web\"    (main.lua:1)\n"
            "pipeline \"web\"\n"
            "  route -> perhaps pipeline \"a\" or pipeline \"c\"    (main.lua:2)\n"
            "pipeline \"a\"\n"
            "  muxHTTP -> pipeline \"b\"    (main.lua:3)\n"
            "pipeline \"b\"\n"
            "  connect    (main.lua:4)\n"
            "pipeline \"c\"\n"
            "  replaceMessage    (main.lua:5)\n");
}

TEST_F(Graph, ForMermaidSuchArrowsAreDotted) {
  const std::string told = mermaid(routes);
  EXPECT_NE(told.find("  p1[\"web<br>route\"]\n"), std::string::npos) << told;
  EXPECT_TRUE(
      told.ends_with("  p0 -->|demuxHTTP| p1\n"
                     "  p1 -.->|route| p2\n"
                     "  p1 -.->|route| p4\n"
                     "  p2 -->|muxHTTP| p3\n"))
      << told;
}

TEST_F(Graph, NamesThatARouteListsAreCertain) {
  const std::string script =
      "listen(8000):demuxHTTP(pipeline():route(function() end, { 'a', 'b' }))\n"
      "pipeline('a'):replaceMessage(Message 'x')\npipeline('b'):replaceMessage(Message 'x')";
  EXPECT_NE(text(script).find("route -> pipeline \"a\" or pipeline \"b\""), std::string::npos);
}

constexpr const char* chain =
    "local twice = pipeline('twice'):next()\n"
    "listen(8000):demuxHTTP('web')\n"
    "pipeline('web'):use({ twice, pipeline(), twice }, 'the \"end\"')\n"
    "pipeline('the \"end\"'):replaceMessage(Message 'x')";

TEST_F(Graph, AUseGoesThroughItsPluginsInOrder) {
  const std::string told = text(chain);
  EXPECT_NE(told.find("  use -> pipeline \"twice\" -> pipeline at main.lua:3 -> pipeline \"twice\" -> "
                      "pipeline \"the \"end\"\""),
            std::string::npos)
      << told;
}

TEST_F(Graph, ForMermaidItsArrowsHaveNumbers) {
  const std::string told = mermaid(chain);
  EXPECT_NE(told.find("[\"the #quot;end#quot;<br>replaceMessage\"]"), std::string::npos) << told;
  for (const char* arrow : {"-->|use 1| p0\n", "-->|use 3| p0\n", "-->|use 2| ", "-->|use 4| "})
    EXPECT_NE(told.find(arrow), std::string::npos) << arrow << told;
}

}  // namespace
}  // namespace perilune::script
