// Chains of plugins: who sees what on the way there and back, and what a chain does when something fails in
// it.

#include "cluster_play.hpp"

namespace perilune::tests {
namespace {

/// A proxy whose chain is `plugins`, in front of 10.0.0.1:80. Each `mark(name)` notes the way in the
/// request's field "way" and in the answer's.
std::string chained(std::string_view plugins, std::string_view before = "") {
  return R"(
    local function note(msg, word)
      msg.headers.way = (msg.headers.way and msg.headers.way .. " " or "") .. word
    end
    local function mark(name)
      return pipeline()
        :handleMessageStart(function(req) note(req, name) end)
        :next()
        :handleMessageStart(function(res) note(res, name) end)
    end
    )" + std::string(before) +
         R"(
    listen(8000):demuxHTTP("web")
    pipeline("web")
      :use()" +
         std::string(plugins) + R"(, "proxy")
      :handleMessageStart(function(res) note(res, "web") end)
    pipeline("proxy"):muxHTTP(pipeline():connect("10.0.0.1:80"))
  )";
}

/// An upstream that says which way a request came.
void tell_ways(ClusterPlay& play) {
  play.upstream("10.0.0.1:80", [](const SeenRequest& seen) {
    seen.peer->send(answer(200, seen.message.field("way") + "|" + seen.message.body));
  });
}

TEST(Use, GoesThroughThePluginsAndBack) {
  ClusterPlay play;
  tell_ways(play);
  play.start(chained("{ mark('a'), mark('b'), mark('c') }"));
  for (int i = 0; i < 3; ++i) {
    const WireMessage message = play.client().ask("/");
    EXPECT_EQ(message.body, "a b c|");
    EXPECT_EQ(message.field("way"), "c b a web");
  }
}

TEST(Use, AnEmptyListGoesStraightOn) {
  ClusterPlay play;
  tell_ways(play);
  play.start(chained("{}"));
  EXPECT_EQ(play.client().ask("/").field("way"), "web");
}

TEST(Use, WithoutNextAPluginGoesOnAtItsEnd) {
  ClusterPlay play;
  tell_ways(play);
  play.start(chained("{ mark('a'), inner, mark('c'), pipeline() }", R"(
    local inner = pipeline():handleMessageStart(function(req) note(req, "inner") end)
  )"));
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.body, "a inner c|");
  EXPECT_EQ(message.field("way"), "c a web");
}

TEST(Use, ARequestThatIsReplacedGoesOn) {
  ClusterPlay play;
  tell_ways(play);
  play.start(chained("{ other }", R"(
    local other = pipeline():replaceMessage(function(req)
      if req.path == "/early" then return Message { status = 203, body = "early" } end
      return Message { method = "POST", path = "/x", headers = { way = "new" }, body = "body" }
    end)
  )"));
  EXPECT_EQ(play.client().ask("/").body, "new|body");
  const WireMessage early = play.client().ask("/early");
  EXPECT_EQ(early.status(), 203);
  EXPECT_EQ(early.field("way"), "web");
}

TEST(Use, AnEarlyAnswerPassesWhatIsBehindItsOwnNextAndNothingDeeper) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(chained("{ mark('a'), guard, mark('c') }", R"(
    local guard = pipeline()
      :handleMessageStart(function(req)
        if req.path == "/no" then return Message { status = 403 } end
      end)
      :next()
      :handleMessageStart(function(res) note(res, "guard") end)
  )"));
  const WireMessage refused = play.client().ask("/no");
  EXPECT_EQ(refused.status(), 403);
  EXPECT_EQ(refused.field("way"), "guard a web");
  EXPECT_EQ(server.requests.size(), 0u);
  EXPECT_EQ(play.client().ask("/yes").field("way"), "c guard a web");
}

TEST(Use, OneOfThemAnswersAlways) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(chained("{ mark('a'), pipeline():replaceMessage(Message { status = 410 }), mark('c') }"));
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 410);
  EXPECT_EQ(message.field("way"), "a web");
  EXPECT_EQ(server.requests.size(), 0u);
}

TEST(Use, ARouteInAPluginLeadsToPipelinesThatGoOn) {
  ClusterPlay play;
  tell_ways(play);
  play.start(chained("{ split, mark('c') }", R"(
    local split = pipeline():route(function(ctx) return ctx.request.path == "/left" and "left" or "right" end)
    pipeline("left"):handleMessageStart(function(req) note(req, "left") end):next()
    pipeline("right"):replaceMessage(Message { status = 404 })
  )"));
  EXPECT_EQ(play.client().ask("/left").body, "left c|");
  EXPECT_EQ(play.client().ask("/else").status(), 404);
}

TEST(Use, ChainsWithinChains) {
  ClusterPlay play;
  tell_ways(play);
  // The chain within ends with a next() of the chain around it.
  play.start(chained("{ mark('a'), within, mark('z') }", R"(
    local within = pipeline():use({ mark('b'), mark('c') }, "end of within")
    pipeline("end of within"):handleMessageStart(function(req) note(req, "d") end):next()
  )"));
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.body, "a b c d z|");
  EXPECT_EQ(message.field("way"), "z c b a web");
}

TEST(Use, TheContextIsShared) {
  ClusterPlay play;
  tell_ways(play);
  play.start(chained("{ writer, reader }", R"(
    local writer = pipeline():handleMessageStart(function(req, ctx) ctx.user = "ann" end)
    local reader = pipeline():handleMessageStart(function(req, ctx) note(req, ctx.user) end)
  )"));
  EXPECT_EQ(play.client().ask("/").body, "ann|");
}

TEST(Use, APluginWaitsAndItsClientLeaves) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(chained("{ slow, mark('c') }", R"(
    local slow = pipeline():handleMessageStart(function(req) sleep(5) end)
  )"));
  Client& leaves = play.client();
  leaves.get("/");
  play.world.run_for(1s);
  leaves.reset();
  play.world.run_for(10s);
  EXPECT_EQ(server.requests.size(), 0u);
  Client& stays = play.client();
  stays.get("/");
  ASSERT_TRUE(play.run_until([&] { return server.requests.size() == 1; }));
  stays.reset();
  play.world.run_for(90s);
  EXPECT_EQ(alive_in(*play.workers[0]), "");
}

TEST(Use, BodiesStreamThroughAChain) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80",
                [](const SeenRequest& seen) { seen.peer->send(answer(200, seen.message.body)); });
  play.start(chained("{ mark('a'), upper, mark('c') }", R"(
    local upper = pipeline():replaceMessageBody(function(body) return body:upper() end):next()
      :replaceMessageBody(function(body) return body .. "!" end)
  )"));
  Client& client = play.client();
  client.post("/", "hello");
  EXPECT_EQ(client.wait().body, "HELLO!");
}

TEST(Use, TheTimeoutOfAPluginIsAnsweredThere) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(chained("{ mark('a'), pipeline():timeout(2), mark('c') }"));
  const Instant began = play.world.now();
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 504);
  EXPECT_EQ(message.field("way"), "a web");
  EXPECT_LT(play.world.now() - began, 3s);
}

TEST(Use, AFailureInAChainIsAnAnswerThatPluginsSee) {
  ClusterPlay play;  // nobody listens at the upstream
  CapturedLog log;
  play.start(chained("{ sorry, mark('c') }", R"(
    local sorry = pipeline():next():replaceMessageStart(function(res)
      return Message { status = 503, body = res.error.code }
    end)
  )"));
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 503);
  EXPECT_EQ(message.body, "connect-failure");
}

TEST(Use, BytesHaveChainsToo) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest& seen) { seen.peer->send(answer(200, seen.path())); });
  play.start(R"(
    local count = pipeline():handleData(function(data, ctx) ctx.bytes = (ctx.bytes or 0) + #data end)
    local web = pipeline():decodeHTTPRequest()
      :handleMessageStart(function(req) req.path = "/changed" end)
      :encodeHTTPRequest():next()
    listen(8000):use({ count, web }, pipeline():connect("10.0.0.1:80"))
  )");
  EXPECT_EQ(play.client().ask("/").body, "/changed");
}

TEST(Use, AFunctionChoosesForEachRequest) {
  ClusterPlay play;
  tell_ways(play);
  play.write("plugins/known.lua",
             "return pipeline():handleMessageStart(function(req) req.headers.way = 'known' end):next()");
  play.start(chained(R"(function(ctx)
      local path = ctx.request.path
      if path == "/none" then return {} end
      if path == "/end" then return { open, a } end
      if path == "/two" then return { "plugins.known", b } end
      return { a }
    end)",
                     "local a, b = mark('a'), mark('b') require 'plugins.known' "
                     "local open = pipeline():handleMessageStart(function(req) note(req, 'open') end)"));
  EXPECT_EQ(play.client().ask("/").body, "a|");
  EXPECT_EQ(play.client().ask("/two").body, "known b|");
  EXPECT_EQ(play.client().ask("/none").body, "|");
  EXPECT_EQ(play.client().ask("/end").body, "open a|");
}

TEST(Use, WhatAFunctionMayNotChooseIsA500ThatSaysWhy) {
  ClusterPlay play;
  tell_ways(play);
  play.write("plugins/late.lua", "return function() return pipeline() end");
  play.start(chained(R"(function(ctx)
      local path = ctx.request.path
      if path == "/nil" then return end
      if path == "/word" then return "plugins.late" end
      if path == "/late" then return { "plugins.late" } end
      if path == "/number" then return { 5 } end
      if path == "/open" then return { open } end
      if path == "/bytes" then return { mark_a, bytes } end
      if path == "/raise" then error("no plugins today") end
      if path == "/map" then return { x = open } end
    end)",
                     R"(
      local mark_a = mark("a")
      local open = pipeline():replaceMessage(function(req) return req end)
      local bytes = pipeline():connect("10.0.0.1:80")
      require "plugins.late"
  )"));
  const std::pair<const char*, const char*> cases[] = {
      {"/nil", "use: the function gave nil, not a list of plugins; {} is the list of none"},
      {"/word", "use: the function gave a string, not a list of plugins"},
      {"/late", ": use: plugin \"plugins.late\" is not loaded as a pipeline; load it at the top of the file"},
      {"/number", "use: plugin 1 that the function gave expects a pipeline, got 5"},
      {"/open",
       "has no next(): beside a replaceMessage, a plugin that a function chooses says where the chain goes "
       "on"},
      {"/bytes", "takes bytes, and what comes to it are HTTP messages"},
      {"/raise", "no plugins today"},
      {"/map", "use: plugins are a list without names and gaps, this one has \"x\""},
  };
  for (const auto& [path, sentence] : cases) {
    play.world.run_for(2s);  // the log tells of one place once a second
    CapturedLog log;
    const WireMessage message = play.client().ask(path);
    EXPECT_EQ(message.status(), 500) << path;
    EXPECT_EQ(message.field("way"), "web") << path;
    EXPECT_TRUE(log.has(sentence)) << path << ": " << log.text;
  }
}

TEST(Use, NextOutsideOfAChainIsA500) {
  ClusterPlay play;
  play.start(R"(
    listen(8000):demuxHTTP(pipeline():route(function() return "lost" end))
    pipeline("lost"):next()
  )");
  CapturedLog log;
  EXPECT_EQ(play.client().ask("/").status(), 500);
  EXPECT_TRUE(log.has("main.lua:3: next: no chain goes on here")) << log.text;
}

}  // namespace
}  // namespace perilune::tests
