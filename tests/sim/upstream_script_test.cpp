// What scripts do with an upstream beyond forwarding to it, on the virtual network.

#include "cluster_play.hpp"
#include "filter/cluster_stats.hpp"

namespace perilune::tests {
namespace {

/// A proxy on port 8000 whose answers are what `f(api, req)` gives.
std::string asking(std::string_view options, std::string_view body) {
  return "local api = upstream(\"api\", " + std::string(options) + ")\n" + "local function f(req)\n" +
         std::string(body) + "\nend\n" +
         "listen(8000):serveHTTP(function(req) return Message(tostring(f(req))) end)\n";
}

constexpr std::string_view one = R"({ endpoints = { "10.0.0.1:80" } })";
constexpr std::string_view two = R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" } })";

TEST(UpstreamRequest, GivesTheWholeResponse) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest& seen) {
    seen.peer->send(answer(201, seen.method() + " " + seen.message.body, "X-A: b\r\n"));
  });
  play.start(asking(one, R"(
    local res = api:request(Message { method = "POST", path = "/x", body = "hello" })
    return res.status .. " " .. res.body .. " " .. res.headers["x-a"]
  )"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(play.client().ask("/").body, "201 POST hello b");
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(server.requests.at(0).path(), "/x");
  EXPECT_NE(server.requests.at(0).message.head.find("Host: 10.0.0.1:80"), std::string::npos);
}

TEST(UpstreamRequest, AStaticMessageAndTheClientsOwnStayAsTheyAre) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
    local check = Message { path = "/check" }
    listen(8000):serveHTTP(function(req)
      local res = api:request(check)
      local same = api:request(req)
      return Message(res.status .. " " .. same.status .. " " .. tostring(check.headers.host) .. " " .. req.headers.host)
    end)
  )");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(play.client().ask("/own").body, "200 200 nil proxy");
  EXPECT_EQ(server.paths(), (std::vector<std::string>{"/check", "/own", "/check", "/own"}));
}

TEST(UpstreamRequest, FailsByName) {
  ClusterPlay play;
  play.start(asking(one, R"(
    local res, err = api:request(Message { path = "/" })
    return tostring(res) .. " " .. err.code .. " " .. err.side .. " " .. tostring(err.endpoint)
  )"));
  EXPECT_EQ(play.client().ask("/").body, "nil connect-failure upstream 10.0.0.1:80");
}

TEST(UpstreamRequest, TimesOutAndIsTriedElsewhere) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.upstream("10.0.0.2:80");
  play.start(asking(two, R"(
    if req.path == "/once" then
      local began = time.monotonic()
      local res, err = api:request(Message { path = "/" }, { timeout = "2s", endpoint = "10.0.0.1:80" })
      return err.code .. " " .. math.floor(time.monotonic() - began)
    end
    local retry = { attempts = 2, on = { "try-timeout" } }
    local res, err = api:request(Message { path = "/" }, { tryTimeout = "1s", retry = retry })
    return res and res.body or err.code
  )"));
  EXPECT_EQ(play.client().ask("/once").body, "request-timeout 2");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
}

TEST(UpstreamRequest, AnAnswerThatIsTooLargeAndOneThatIsCut) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest& seen) {
    if (seen.path() == "/large") {
      seen.peer->send(answer(200, std::string(5000, 'x')));
    } else {
      seen.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
      seen.peer->close();
    }
  });
  play.start(asking(one, R"(
    local res, err = api:request(Message { path = req.path }, { bodyLimit = "4k" })
    return res and res.body or err.code
  )"));
  EXPECT_EQ(play.client().ask("/large").body, "response-too-large");
  EXPECT_EQ(play.client().ask("/cut").body, "truncated");
}

TEST(UpstreamRequest, EndsWithItsClient) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(asking(one, R"(return api:request(Message { path = "/" }, { timeout = false }))"));
  Client& client = play.client();
  client.get("/");
  ASSERT_TRUE(play.run_until([&] { return server.requests.size() == 1; }));
  client.reset();
  EXPECT_TRUE(play.run_until([&] { return server.open_connections() == 0; }));
  EXPECT_EQ(play.record().requests, 0u);
}

TEST(UpstreamMethods, StatsSayWhatHappened) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.start(asking(R"({ endpoints = { "10.0.0.1:80", { "10.0.0.2:80", weight = 0, priority = 1 } } })", R"(
    for i = 1, 4 do api:request(Message { path = "/" }) end
    sleep(0.01) -- the last connection comes back behind the answer
    local stats = api:stats()
    local first, second = stats.endpoints["10.0.0.1:80"], stats.endpoints["10.0.0.2:80"]
    return table.concat({
      stats.connections.total, stats.connections.idle, stats.requests.total, stats.reuse, stats.answerTime.count,
      first.requests.total, first.health, tostring(first.ejected), second.requests.total, second.weight,
      second.priority, tostring(stats.answerTime.p50 <= stats.answerTime.p99),
    }, " ")
  )"));
  EXPECT_EQ(play.client().ask("/").body, "1 1 4 0.75 4 4 unknown false 0 0 1 true");
}

TEST(UpstreamMethods, EndpointsAreListedAndReplaced) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(asking(one, R"(
    if req.path ~= "/" then api:set { { req.path:sub(2), weight = 3 } } end
    local list = {}
    for _, each in ipairs(api:endpoints()) do
      list[#list + 1] = each.address .. " " .. each.weight .. " " .. each.active
    end
    return table.concat(list, ", ") .. " " .. api:request(Message { path = "/" }).body
  )"));
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.1:80 1 0 10.0.0.1:80");
  EXPECT_EQ(play.client().ask("/10.0.0.2:80").body, "10.0.0.2:80 3 0 10.0.0.2:80");
}

TEST(UpstreamMethods, DrainReachesEveryWorker) {
  ClusterPlay play(2);
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
    listen(8001):serveHTTP(function() api:drain "10.0.0.1:80" return Message(tostring(api)) end)
    listen(8000):demuxHTTP(pipeline():forward(api))
  )");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_GE(server.open_connections(), 1u);
  EXPECT_EQ(play.client(8001).ask("/").body, "upstream \"api\"");
  EXPECT_TRUE(play.run_until([&] { return server.open_connections() == 0; }, 2s));
  EXPECT_EQ(play.client().ask("/").status(), 200);
}

TEST(UpstreamMethods, ExplainSpeaks) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.start(asking(two, R"(
    api:request(Message { path = "/" }, { endpoint = "10.0.0.1:80" })
    sleep(0.01)
    return api:explain "10.0.0.1:80"
  )"));
  const std::string text = play.client().ask("/").body;
  EXPECT_TRUE(text.starts_with("10.0.0.1:80: may be chosen; 0 busy, 1 idle")) << text;
  EXPECT_EQ(text.find("10.0.0.2"), std::string::npos);
}

TEST(UpstreamForward, TakesItsDefaultsFromTheUpstreamAndChoosesByAFunction) {
  ClusterPlay play;
  Upstream& slow = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  Upstream& other = play.upstream("10.0.0.2:80");
  play.start(R"(
    local slow = upstream("slow", { endpoints = { "10.0.0.1:80" }, timeout = "1s", host = "endpoint" })
    local quick = upstream("quick", { endpoints = { "10.0.0.2:80" }, host = "quick.example", forwarded = false })
    listen(8000):demuxHTTP(pipeline():forward(function(ctx) return ctx.request.path == "/slow" and slow or quick end))
  )");
  const Instant begun = play.world.now();
  EXPECT_EQ(play.client().ask("/slow").status(), 504);
  EXPECT_LT(play.world.now() - begun, 2s);
  EXPECT_NE(slow.requests.at(0).message.head.find("Host: 10.0.0.1:80"), std::string::npos);
  EXPECT_NE(slow.requests.at(0).message.head.find("X-Forwarded-For:"), std::string::npos);
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_NE(other.requests.at(0).message.head.find("Host: quick.example"), std::string::npos);
  EXPECT_EQ(other.requests.at(0).message.head.find("X-Forwarded-For:"), std::string::npos);
}

TEST(UpstreamForward, AFunctionOfAnOptionThatGivesNonsenseIsShownWhatItGave) {
  const std::pair<const char*, const char*> wrong[] = {
      {"timeout = function() return '5 sec' end",
       "the function for timeout gave \"5 sec\", which is not a time: \"5 sec\" is no time; write seconds, "
       "or"},
      {"tryTimeout = function() return 0/0 end",
       "the function for tryTimeout gave nan, which is not a time: it is not a number (0/0)"},
      {"endpoint = function() return '10.0.0.1' end",
       "the function for endpoint gave \"10.0.0.1\", which is not an endpoint: address \"10.0.0.1\": no "
       "port"},
      {"key = function() return {} end",
       "the function for key gave a table, which is not a string, a number or a boolean"},
      {"host = function() return 'a b' end",
       "the function for host gave \"a b\", which is not a name for the Host field"},
  };
  for (const auto& [option, sentence] : wrong) {
    ClusterPlay play;
    play.upstream("10.0.0.1:80");
    play.start(R"(local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
      listen(8000):demuxHTTP(pipeline():forward(api, { )" +
               std::string(option) + R"( })
        :replaceMessageStart(function(res) return Message(res.error.detail) end)))");
    const std::string said = play.client().ask("/").body;
    EXPECT_NE(said.find(sentence), std::string::npos) << said;
    EXPECT_NE(said.find(":2: forward: "), std::string::npos) << said;
  }
}

TEST(UpstreamHooks, TheKeyOfAConnectionCanBeRead) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.start(R"(
    local keys = {}
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, onLease = function(ctx) keys[#keys + 1] = ctx.key end })
    listen(8001):serveHTTP(function() return Message(table.concat(keys, "|")) end)
    listen(8000):demuxHTTP(pipeline():forward(api, { pool = function(ctx) return ctx.request.query.pool end }))
  )");
  for (const char* path : {"/", "/?pool=ann", "/?pool=b%20c"})
    EXPECT_EQ(play.client().ask(path).body, "10.0.0.1:80");
  EXPECT_EQ(play.client(8001).ask("/").body, "10.0.0.1:80|10.0.0.1:80 ann|10.0.0.1:80 b c");
}

TEST(UpstreamStats, AWaitInTheQueueIsNotADial) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) {
    play.world.after(2s, [peer = seen.peer] { peer->send(answer(200, "late")); });
  });
  play.start(asking(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1 })", R"(
    if req.path == "/stats" then
      local stats = api:stats()
      return table.concat({ stats.queueWait.count, stats.connectTime.count, stats.reuse }, " ")
    end
    return api:request(Message { path = "/" }).status
  )"));
  EXPECT_EQ(play.client().ask("/").body, "200");
  EXPECT_EQ(play.client().ask("/stats").body, "0 1 0");
  Client& first = play.client();
  Client& second = play.client();
  first.get("/");
  second.get("/");
  EXPECT_EQ(first.wait().body, "200");
  EXPECT_EQ(second.wait().body, "200");
  EXPECT_EQ(play.client().ask("/stats").body.substr(0, 4), "1 1 ");
}

TEST(UpstreamStats, ReuseIsOfWhatWasSent) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(asking(one, R"(
    if req.path == "/stats" then return api:stats().reuse end
    local res, err = api:request(Message { path = "/" })
    return res and res.status or err.code
  )"));
  server.kill();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(play.client().ask("/").body, "connect-failure");
  server.open();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(play.client().ask("/").body, "200");
  EXPECT_EQ(play.client().ask("/stats").body, "0.5");
}

TEST(UpstreamFiles, OneNameIsOneUpstream) {
  sim::SimWorld world(1);
  sim::SimWorker engine(world);
  const auto load = [&](std::string_view second) {
    ScriptFolder one_folder;
    ScriptFolder other_folder;
    const std::string first = one_folder.write(forwarding(two));
    const std::string other = other_folder.write(std::string(second));
    app::Worker worker(engine.loop, engine.network, 0);
    const auto loaded = worker.load({first, other});
    return loaded.has_error() ? loaded.error().detail : std::string();
  };
  const std::string listen = "listen(8001):demuxHTTP(pipeline():forward(api))";
  EXPECT_EQ(
      load("local api = upstream('api', { endpoints = { '10.0.0.2:80', '10.0.0.1:80' }, queue = 5 })\n" +
           listen),
      "");
  const std::string said = load("local api = upstream('api', { endpoints = { '10.0.0.3:80' } })\n" + listen);
  EXPECT_NE(said.find("upstream: \"api\" has other endpoints at "), std::string::npos) << said;
}

/// A script that is loaded beside what runs, as a reload does.
struct Loaded {
  Loaded(ClusterPlay& play, size_t index, std::string_view script)
      : worker(play.engines[index]->loop, play.engines[index]->network, static_cast<int>(index),
               app::WorkerShared{nullptr, &play.counts, play.board}) {
    const auto result = worker.load({folder.write(script)});
    if (result.has_error()) said = result.error().detail;
  }
  ScriptFolder folder;
  app::Worker worker;
  std::string said;
};

TEST(UpstreamFiles, WhatIsLoadedChangesNothingBeforeItStarts) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 7 })"));
  const std::string other =
      forwarding(R"({ endpoints = { "10.0.0.2:80" }, maxConnections = 3, ejection = false })");
  const uint64_t version = play.record().version();
  const auto is_as_it_was = [&] {
    return play.record().version() == version && play.record().limits.total_max() == 7 &&
           play.board->all().size() == 1 && play.client().ask("/").body == "10.0.0.1:80";
  };
  {
    const Loaded broken(play, 0, other + "upstream('new', { endpoints = {} })\nlisen(1)");
    EXPECT_NE(broken.said.find(":4: unknown name \"lisen\""), std::string::npos) << broken.said;
    EXPECT_TRUE(is_as_it_was());
  }
  EXPECT_TRUE(is_as_it_was());
  Loaded good(play, 0, other);
  EXPECT_EQ(good.said, "");
  EXPECT_TRUE(is_as_it_was());
  good.worker.start();
  EXPECT_EQ(play.record().limits.total_max(), 3u);
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
}

TEST(UpstreamFiles, AWorkerThatStartsLateDoesNotUndoWhatAScriptHasSet) {
  ClusterPlay play(2);
  const std::string script =
      forwarding(R"({ endpoints = { "10.0.0.1:80" } })") +
      "every(1000, function() api:set { '10.0.0.2:80' } end, { worker = 'one', atStart = true })";
  const auto members = [&] {
    std::string names;
    for (const auto& member : play.record().members()) names += member->name + " ";
    return names;
  };
  std::vector<std::unique_ptr<Loaded>> versions;
  for (int version = 0; version < 2; ++version) {
    Loaded& early = *versions.emplace_back(std::make_unique<Loaded>(play, 0, script));
    Loaded& late = *versions.emplace_back(std::make_unique<Loaded>(play, 1, script));
    early.worker.start();
    EXPECT_EQ(members(), "10.0.0.1:80 ");
    play.world.run_for(1s);
    EXPECT_EQ(members(), "10.0.0.2:80 ");
    late.worker.start();
    play.world.run_for(1s);
    EXPECT_EQ(members(), "10.0.0.2:80 ");
  }
}

TEST(UpstreamMetrics, AreSumsOfEachEndpoint) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(play.client().ask("/").status(), 200);
  stats::Snapshot snapshot;
  filter::add_to(snapshot, play.record());
  const std::string text = snapshot.text();
  for (const char* line : {
           "perilune_upstream_requests_total{cluster=\"api\",endpoint=\"10.0.0.1:80\"} 3\n",
           "perilune_upstream_requests_reused_total{cluster=\"api\",endpoint=\"10.0.0.1:80\"} 2\n",
           "perilune_upstream_connections_total{cluster=\"api\",endpoint=\"10.0.0.1:80\"} 1\n",
           "perilune_upstream_endpoint_healthy{cluster=\"api\",endpoint=\"10.0.0.1:80\"} 1\n",
           "perilune_upstream_answer_seconds_count{cluster=\"api\",endpoint=\"10.0.0.1:80\"} 3\n",
           "perilune_upstream_answer_seconds_bucket{cluster=\"api\",endpoint=\"10.0.0.1:80\",le=\"+Inf\"} "
           "3\n",
           "perilune_upstream_ejections_total{cluster=\"api\"} 0\n",
       })
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST(UpstreamMetrics, PercentilesAreReadOffTheBuckets) {
  upstream::DurationHistogram histogram;
  for (int i = 0; i < 90; ++i) histogram.observe(1500us);
  for (int i = 0; i < 10; ++i) histogram.observe(100ms);
  filter::DurationTotals totals;
  totals.add(histogram);
  const filter::DurationSummary summary = totals.summary();
  EXPECT_EQ(summary.count, 100u);
  EXPECT_NEAR(summary.mean, 0.01135, 1e-6);
  EXPECT_GT(summary.p50, 0.001);
  EXPECT_LE(summary.p50, 0.0021);
  EXPECT_GT(summary.p95, 0.065);
  EXPECT_LE(summary.p99, 0.132);
  EXPECT_EQ(filter::DurationTotals().summary().p99, 0);
}

TEST(UpstreamMetrics, PercentilesTellMicrosecondsToo) {
  upstream::DurationHistogram histogram;
  for (int i = 0; i < 90; ++i) histogram.observe(100us);
  for (int i = 0; i < 10; ++i) histogram.observe(700us);
  filter::DurationTotals totals;
  totals.add(histogram);
  const filter::DurationSummary summary = totals.summary();
  EXPECT_NEAR(summary.mean, 0.00016, 1e-9);
  EXPECT_GT(summary.p50, 0.00005);
  EXPECT_LE(summary.p50, 0.0002);
  EXPECT_GT(summary.p99, 0.00035);
  EXPECT_LE(summary.p99, 0.0014);
}

}  // namespace
}  // namespace perilune::tests
