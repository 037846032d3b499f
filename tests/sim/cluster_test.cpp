// Clusters on the virtual network. Names begin with the number of the statement in the survey of pools that
// they show: S46 is "a waiter takes whichever comes first".

#include "cluster_play.hpp"

namespace perilune::tests {
namespace {

using upstream::EndpointCounts;

constexpr std::string_view one = R"({ endpoints = { "10.0.0.1:80" } })";
constexpr std::string_view two = R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" } })";

// ── keying

TEST(ClusterKey, S1_S4_TwoClustersOfOneAddressShareNoConnection) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(R"(
    local a = upstream("a", { endpoints = { "10.0.0.1:80" } })
    local b = upstream("b", { endpoints = { "10.0.0.1:80" }, bind = "127.0.0.9" })
    listen(8000):demuxHTTP(pipeline():route(function(ctx) return ctx.request.path == "/a" and "a" or "b" end, { "a", "b" }))
    pipeline("a"):forward(a)
    pipeline("b"):forward(b)
  )");
  Client& client = play.client();
  for (const char* path : {"/a", "/b", "/a", "/b"}) EXPECT_EQ(client.ask(path).status(), 200);
  EXPECT_EQ(server.connections(), 2u);
}

TEST(ClusterKey, S5_S6_ConnectionsOfOnePoolTagAreNotUsedByAnother) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one, "{ pool = function(ctx) return ctx.client.id end }"));
  Client& first = play.client();
  Client& second = play.client();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(first.ask("/first").status(), 200);
    EXPECT_EQ(second.ask("/second").status(), 200);
  }
  EXPECT_EQ(server.connections(), 2u);
  for (const SeenRequest& seen : server.requests)
    EXPECT_EQ(seen.path(), seen.connection == 0 ? "/first" : "/second");
}

TEST(ClusterKey, S9_AnEndpointThatComesBackIsAnother) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(std::string(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
    listen(8001):serveHTTP(function(req)
      api:set(req.path == "/off" and { "10.0.0.2:80" } or { "10.0.0.1:80" })
      return Message "ok"
    end)
    listen(8000):demuxHTTP(pipeline():forward(api))
  )"));
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.1:80");
  EXPECT_EQ(play.client(8001).ask("/off").status(), 200);
  EXPECT_TRUE(play.run_until([&] { return server.open_connections() == 0; }));
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
  EXPECT_EQ(play.client(8001).ask("/on").status(), 200);
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.1:80");
  EXPECT_EQ(server.connections(), 2u);
}

// ── lease

TEST(ClusterLease, S11_S19_AnIdleConnectionIsUsedAgainAndSaysSo) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
    listen(8000):demuxHTTP(pipeline():forward(api):handleMessageStart(function(res, ctx)
      res.headers["x-reused"] = tostring(ctx.upstream.reused)
      res.headers["x-cluster"] = ctx.upstream.cluster
      res.headers["x-endpoint"] = ctx.upstream.endpoint
    end))
  )");
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").field("x-reused"), "false");
  const WireMessage second = client.ask("/");
  EXPECT_EQ(second.field("x-reused"), "true");
  EXPECT_EQ(second.field("x-cluster"), "api");
  EXPECT_EQ(second.field("x-endpoint"), "10.0.0.1:80");
  EXPECT_EQ(server.connections(), 1u);
}

TEST(ClusterLease, S12_S13_TheOrderIsLifoOrFifo) {
  for (const bool is_fifo : {false, true}) {
    ClusterPlay play;
    std::vector<SeenRequest> held;
    Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
    play.start(forwarding(is_fifo ? R"({ endpoints = { "10.0.0.1:80" }, order = "fifo" })" : one));
    const auto clients = play.ask_all(2);
    ASSERT_TRUE(play.run_until([&] { return held.size() == 2; }));
    for (size_t i = 0; i < 2; ++i) {
      held[i].peer->send(answer(200, "x"));
      play.world.run_for(10ms);
    }
    play.client().get("/next");
    ASSERT_TRUE(play.run_until([&] { return held.size() == 3; }));
    EXPECT_EQ(held[2].connection, held[is_fifo ? 0 : 1].connection);
    held[2].peer->send(answer(200, "x"));
    EXPECT_EQ(server.connections(), 2u);
    play.world.run_for(10ms);
  }
}

TEST(ClusterLease, S17_S110_WhatWasSaidOnAnIdleConnectionEndsItBeforeARequestThatMustNotBeSentTwice) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  // The end arrives together with the request: only asking the socket finds out.
  server.server->peers()[0]->close();
  Client& client = play.client();
  client.post("/", "once");
  EXPECT_EQ(client.wait().status(), 200);
  EXPECT_EQ(server.requests.size(), 2u);
  EXPECT_EQ(server.connections(), 2u);
}

TEST(ClusterLease, APostTakesNoOldIdleConnectionOfAServerThatNobodyKnows) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  const auto ask = [&](Duration pause) {
    play.world.run_for(pause);
    Client& client = play.client();
    client.post("/", "x");
    EXPECT_EQ(client.wait().status(), 200);
    return server.requests.back().connection;
  };
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_EQ(ask(400ms), 0u);
  EXPECT_EQ(ask(600ms), 1u);
  EXPECT_EQ(ask(10ms), 1u);
  play.world.run_for(600ms);
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_EQ(server.connections(), 2u);  // a GET may
}

// ── limits

TEST(ClusterLimits, S21_S30_NeverMoreConnectionsThanTheLimit) {
  for (const char* limit : {"maxConnections", "maxConnectionsPerEndpoint"}) {
    ClusterPlay play;
    Upstream& server = play.upstream("10.0.0.1:80");
    play.start(forwarding("{ endpoints = { \"10.0.0.1:80\" }, " + std::string(limit) + " = 3 }"));
    const auto clients = play.ask_all(40);
    for (Client* client : clients) EXPECT_EQ(client->wait().status(), 200);
    EXPECT_EQ(server.open_max, 3u) << limit;
    EXPECT_EQ(server.requests.size(), 40u);
  }
}

TEST(ClusterLimits, S22_AtTheTotalTheLeastRecentlyUsedOfAnyEndpointMakesRoom) {
  ClusterPlay play;
  Upstream& first = play.upstream("10.0.0.1:80");
  Upstream& second = play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, maxConnections = 1 })"));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").body, "10.0.0.1:80");
  EXPECT_EQ(client.ask("/").body, "10.0.0.2:80");
  EXPECT_TRUE(play.run_until([&] { return first.open_connections() == 0; }));
  EXPECT_EQ(second.open_connections(), 1u);
}

TEST(ClusterLimits, S23_AReleaseGivesItsSlotToWhoWaitsForAnotherEndpoint) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, maxConnections = 1 })"));
  Client& first = play.client();
  first.get("/1");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  Client& second = play.client();
  second.get("/2");
  play.world.run_for(100ms);
  EXPECT_FALSE(second.has_answer());
  held[0].peer->send(answer(200, "late"));
  EXPECT_EQ(first.wait().body, "late");
  EXPECT_EQ(second.wait().body, "10.0.0.2:80");
}

TEST(ClusterLimits, S29_WithoutDescriptorsAnIdleConnectionMakesRoom) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, retry = { attempts = 3, on = { "resources", "connect-failure" } } })"));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").body, "10.0.0.1:80");
  play.engines[0]->network.set_descriptors_max(2);  // the client's, and one
  EXPECT_EQ(client.ask("/").status(), 200);
}

// ── queue

TEST(ClusterQueue, S36_TenantsTakeTurns) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1 })",
                        R"({ tenant = function(ctx) return ctx.request.path:sub(2, 2) end })"));
  play.ask_all(1, "/first");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  for (const char* path : {"/a1", "/a2", "/a3", "/b1"}) {
    play.client().get(path);
    play.world.run_for(1ms);
  }
  for (size_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(play.run_until([&] { return held.size() == i + 1; }));
    held[i].peer->send(answer(200, "x"));
  }
  EXPECT_EQ(server.paths(), (std::vector<std::string>{"/first", "/a1", "/b1", "/a2", "/a3"}));
  play.world.run_for(10ms);
}

TEST(ClusterQueue, S40_TheQueueIsBounded) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1, queue = 2 })"));
  auto clients = play.ask_all(1);
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  auto more = play.ask_all(2);
  play.world.run_for(10ms);
  const WireMessage refused = play.client().ask("/");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_NE(refused.body.find("queue-full"), std::string::npos) << refused.body;
  play.upstreams[0]->act = [](const SeenRequest& seen) { seen.peer->send(answer(200, "x")); };
  held[0].peer->send(answer(200, "x"));
  for (Client* client : more) EXPECT_EQ(client->wait().status(), 200);
}

TEST(ClusterQueue, S41_TheWaitEndsInTimeThoughNothingIsReleased) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1, queueTimeout = "3s" })"));
  play.client().get("/");
  play.world.run_for(10ms);
  const Instant begun = play.world.now();
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 503);
  EXPECT_NE(message.body.find("queue-timeout"), std::string::npos) << message.body;
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 3.0, 0.01);
}

TEST(ClusterQueue, S42_TheWaitCountsInTheRequestsTime) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1 })", R"({ timeout = "2s" })"));
  play.client().get("/");
  play.world.run_for(10ms);
  const Instant begun = play.world.now();
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status() / 100, 5);
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 2.0, 0.01);
}

TEST(ClusterQueue, S43_WhoLeavesIsNotServed) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1 })"));
  Client& first = play.client();
  first.get("/first");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  Client& leaver = play.client();
  leaver.get("/leaver");
  play.world.run_for(10ms);
  Client& last = play.client();
  last.get("/last");
  play.world.run_for(10ms);
  leaver.reset();
  play.world.run_for(10ms);
  EXPECT_EQ(play.record().waiting, 1u);
  server.act = [](const SeenRequest& seen) { seen.peer->send(answer(200, "x")); };
  held[0].peer->send(answer(200, "x"));
  EXPECT_EQ(last.wait().status(), 200);
  EXPECT_EQ(server.paths(), (std::vector<std::string>{"/first", "/last"}));
  EXPECT_EQ(play.count(&EndpointCounts::cancelled), 1u);
}

TEST(ClusterQueue, S45_AThousandWaitAndOneConnectionWakesOne) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1, queueTimeout = "1h" })"));
  play.ask_all(1001);
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1 && play.record().waiting == 1000; }));
  held[0].peer->send(answer(200, "x"));
  play.world.run_for(1s);
  EXPECT_EQ(server.requests.size(), 2u);
  EXPECT_EQ(play.record().waiting, 999u);
}

TEST(ClusterQueue, S46_AWaiterTakesWhatComesFirstAndItsOwnDialIsPooled) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(one));
  play.client().get("/first");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  play.world.set_behaviour(address_of("10.0.0.1:80"), {.latency = 1s});
  play.client().get("/second");
  play.world.run_for(100ms);
  EXPECT_EQ(held.size(), 1u);  // it dials
  held[0].peer->send(answer(200, "x"));
  ASSERT_TRUE(play.run_until([&] { return held.size() == 2; }));
  EXPECT_EQ(held[1].connection, 0u);
  held[1].peer->send(answer(200, "x"));
  play.world.run_for(5s);
  EXPECT_EQ(server.open_connections(), 2u);  // the dial that lost is idle
}

TEST(ClusterQueue, S47_S110_AFailedConnectLetsTheRequestGoElsewhere) {
  ClusterPlay play;
  play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, retry = { attempts = 2 } })"));
  for (int i = 0; i < 4; ++i) {
    Client& client = play.client();
    client.post("/", "x");  // nothing was sent, so this too
    EXPECT_EQ(client.wait().body, "10.0.0.2:80");
  }
}

TEST(ClusterQueue, S48_S94_ARemovedEndpointServesWhoWaitsAndEndsWhatIsUnderWay) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& old = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.upstream("10.0.0.2:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, maxConnections = 1 })
    listen(8001):serveHTTP(function() api:set { "10.0.0.2:80" } return Message "ok" end)
    listen(8000):demuxHTTP(pipeline():forward(api))
  )");
  Client& busy = play.client();
  busy.get("/busy");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  Client& waiting = play.client();
  waiting.get("/waiting");
  play.world.run_for(10ms);
  EXPECT_EQ(play.client(8001).ask("/").status(), 200);
  held[0].peer->send(answer(200, "busy"));
  EXPECT_EQ(busy.wait().body, "busy");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 2; }));
  held[1].peer->send(answer(200, "waiting"));
  EXPECT_EQ(waiting.wait().body, "waiting");
  EXPECT_TRUE(play.run_until([&] { return old.open_connections() == 0; }));
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
}

TEST(ClusterDrain, S94_AndAfterDrainTimeoutItIsCut) {
  ClusterPlay play;
  Upstream& old = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.upstream("10.0.0.2:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, drainTimeout = "2s" })
    listen(8001):serveHTTP(function() api:set { "10.0.0.2:80" } return Message "ok" end)
    listen(8000):demuxHTTP(pipeline():forward(api))
  )");
  Client& busy = play.client();
  busy.get("/");
  ASSERT_TRUE(play.run_until([&] { return old.requests.size() == 1; }));
  EXPECT_EQ(play.client(8001).ask("/").status(), 200);
  const Instant begun = play.world.now();
  EXPECT_EQ(busy.wait().status(), 503);
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 2.0, 0.1);
}

// ── life

TEST(ClusterLife, S50_IdleConnectionsEndAfterTheirTimeout) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, idleTimeout = "10s" })"));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  play.world.run_for(6s);
  EXPECT_EQ(play.client().ask("/").status(), 200);  // counts from the last release
  play.world.run_for(6s);
  EXPECT_EQ(server.open_connections(), 1u);
  play.world.run_for(5s);
  EXPECT_EQ(server.open_connections(), 0u);
  EXPECT_EQ(server.connections(), 1u);
}

TEST(ClusterLife, S55_AConnectionServesSoManyRequests) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxMessages = 3 })"));
  Client& client = play.client();
  for (int i = 0; i < 9; ++i) EXPECT_EQ(client.ask("/").status(), 200);
  EXPECT_EQ(server.connections(), 3u);
  for (const SeenRequest& seen : server.requests) EXPECT_LT(seen.connection, 3u);
}

TEST(ClusterLife, S56_TheServersKeepAliveIsHeededWithAMargin) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest& seen) {
    seen.peer->send(answer(200, "x", "Keep-Alive: timeout=5, max=100\r\n"));
  });
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  play.world.run_for(3900ms);
  EXPECT_EQ(server.open_connections(), 1u);
  play.world.run_for(200ms);
  EXPECT_EQ(server.open_connections(), 0u);
}

TEST(ClusterLife, S57_PurgeHalvesWhatABurstLeft) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, purge = "5s", idleTimeout = "1h" })"));
  for (Client* client : play.ask_all(16)) EXPECT_EQ(client->wait().status(), 200);
  const size_t after_burst = server.open_connections();
  EXPECT_GE(after_burst, 8u);
  play.world.run_for(120s);
  EXPECT_LE(server.open_connections(), 1u);
}

TEST(ClusterLife, S59_ThoseOfOneMomentDoNotEndTogether) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, ttl = "100s", idleTimeout = "1h", learnIdle = false })"));
  const auto clients = play.ask_all(40);
  ASSERT_TRUE(play.run_until([&] { return held.size() == 40; }));
  for (const SeenRequest& seen : held) seen.peer->send(answer(200, "x"));
  play.world.run_for(89s);
  EXPECT_EQ(server.open_connections(), 40u);
  size_t most = 0;
  size_t before = 40;
  for (int second = 0; second < 23; ++second) {
    play.world.run_for(1s);
    most = std::max(most, before - server.open_connections());
    before = server.open_connections();
  }
  EXPECT_EQ(server.open_connections(), 0u);
  EXPECT_LT(most, 12u);
}

// ── dead and dirty connections

TEST(ClusterDead, S65_WhatTheServerClosesIsOutAtOnce) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  server.server->peers()[0]->close();
  play.world.run_for(10ms);
  EXPECT_EQ(play.record().limits.used(), 0u);
  EXPECT_EQ(play.count(&EndpointCounts::closed_idle), 1u);
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_EQ(play.count(&EndpointCounts::stale_retries), 0u);
}

TEST(ClusterDead, S66_WhatNobodyAskedForReachesNobody) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  server.server->peers()[0]->send(answer(200, "for nobody"));
  play.world.run_for(10ms);
  EXPECT_EQ(play.count(&EndpointCounts::unexpected_data), 1u);
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.1:80");
  EXPECT_EQ(server.connections(), 2u);
}

TEST(ClusterDead, S66_AlsoBeforeTheFirstRequest) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  server.server->on_peer = [inner = server.server->on_peer](sim::SimPeer& peer) {
    inner(peer);
    peer.send("HTTP/1.1 408 Too Early\r\nContent-Length: 0\r\n\r\n");
  };
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, floor = 1 })"));
  play.world.run_for(100ms);
  EXPECT_GE(play.count(&EndpointCounts::unexpected_data), 1u);
  EXPECT_EQ(server.requests.size(), 0u);
}

TEST(ClusterDead, S69_ReadinessThatMeansNothingEndsNothing) {
  ClusterPlay play(1, 1, {.spurious = 0.5});
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  Client& client = play.client();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client.ask("/").status(), 200);
    play.world.run_for(1s);
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST(ClusterDead, S68_AConnectionThatClosesWithItsAnswerIsNotGivenToWhoWaits) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1 })"));
  Client& first = play.client();
  first.post("/1", "x");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  Client& second = play.client();
  second.post("/2", "x");
  play.world.run_for(10ms);
  held[0].peer->send(answer(200, "x"));
  held[0].peer->close_when_sent();
  EXPECT_EQ(first.wait().status(), 200);
  ASSERT_TRUE(play.run_until([&] { return held.size() == 2; }));
  EXPECT_EQ(held[1].connection, 1u);
  held[1].peer->send(answer(200, "x"));
  EXPECT_EQ(second.wait().status(), 200);
}

struct ReuseCase {
  const char* name;
  std::string response;
  bool is_reused;
  bool closes = false;
  friend void PrintTo(const ReuseCase& test, std::ostream* out) { *out << test.name; }
};
class ClusterReuse : public testing::TestWithParam<ReuseCase> {};
TEST_P(ClusterReuse, S71_S73_S75_S76_S77_WhatMayBeUsedAgain) {
  const ReuseCase& test = GetParam();
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) {
    seen.peer->send(test.response);
    if (test.closes) seen.peer->close_when_sent();
  });
  play.start(forwarding(one));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").status(), 200);
  play.world.run_for(10ms);
  EXPECT_EQ(server.open_connections(), test.is_reused ? 1u : 0u);
}
INSTANTIATE_TEST_SUITE_P(
    Answers, ClusterReuse,
    testing::Values(
        ReuseCase{"plain", answer(200, "x"), true},
        ReuseCase{"says close", answer(200, "x", "Connection: close\r\n"), false},
        ReuseCase{"of 1.0", "HTTP/1.0 200 X\r\nContent-Length: 1\r\n\r\nx", false},
        ReuseCase{"of 1.0 that keeps",
                  "HTTP/1.0 200 X\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", true},
        ReuseCase{"until close", "HTTP/1.1 200 X\r\n\r\nx", false, true},
        ReuseCase{"surplus", answer(200, "x") + "surplus", false},
        ReuseCase{"chunked", "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", true},
        ReuseCase{"103 before", "HTTP/1.1 103 Early\r\n\r\n" + answer(200, "x"), true},
        ReuseCase{"max=0", answer(200, "x", "Keep-Alive: max=0\r\n"), false}));

TEST(ClusterEarly, S72_AnAnswerBeforeTheWholeRequestEndsTheConnection) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  server.server->on_peer = [](sim::SimPeer& peer) {
    peer.on_news = [](sim::SimPeer& known) {
      if (known.received().find("\r\n\r\n") != std::string::npos) {
        known.take_received();
        known.send(answer(200, "early"));
      }
    };
  };
  play.start(forwarding(one));
  Client& client = play.client();
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart");
  EXPECT_EQ(client.wait().body, "early");
  EXPECT_TRUE(play.run_until([&] { return server.open_connections() == 0; }));
}

TEST(ClusterEarly, S78_S79_AClientThatLeavesCostsTheConnectionUnlessLittleIsLeft) {
  for (const size_t length : {size_t{1000}, size_t{1000000}}) {
    ClusterPlay play;
    Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) {
      seen.peer->send("HTTP/1.1 200 X\r\nContent-Length: " + std::to_string(length) + "\r\n\r\nbegin");
    });
    play.start(forwarding(one));
    Client& client = play.client();
    client.get("/");
    ASSERT_TRUE(play.run_until([&] { return server.requests.size() == 1; }));
    play.world.run_for(10ms);
    client.reset();
    play.world.run_for(10ms);
    if (length == 1000) server.requests[0].peer->send(std::string(995, 'x'));
    play.world.run_for(100ms);
    EXPECT_EQ(server.open_connections(), length == 1000 ? 1u : 0u);
  }
}

// ── connections ahead

TEST(ClusterAhead, S83_ByDefaultConnectionsAreOpenedForRequestsOnly) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  play.world.run_for(1s);
  EXPECT_EQ(server.connections(), 1u);
}

TEST(ClusterAhead, S84_ARatioOf15OpensTwoForOneRequest) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, preconnect = 1.5 })"));
  play.client().get("/");
  play.world.run_for(1s);
  EXPECT_EQ(server.connections(), 2u);
  play.client().get("/");
  play.world.run_for(1ms);
  ASSERT_TRUE(play.run_until([&] { return held.size() == 2; }));
  EXPECT_EQ(held[1].connection + held[0].connection, 1u);  // the spare one, at once
}

TEST(ClusterAhead, S87_S89_TheFloorIsKeptWithoutTraffic) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, floor = 3, idleTimeout = "10s" })"));
  ASSERT_TRUE(play.run_until([&] { return server.open_connections() == 3; }));
  server.server->peers()[1]->close();
  ASSERT_TRUE(play.run_until([&] { return server.connections() == 4 && server.open_connections() == 3; }));
  play.world.run_for(60s);
  EXPECT_EQ(server.open_connections(), 3u);
  EXPECT_EQ(play.client().ask("/").status(), 200);
}

TEST(ClusterAhead, S87_TheFloorRestsAfterFailuresUntilAConnectSucceeds) {
  ClusterPlay play;
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, floor = 2 })"));
  play.world.run_for(60s);
  EXPECT_EQ(play.count(&EndpointCounts::connect_failed), 4u);  // 2 at once, and then one or two more
  Upstream& server = play.upstream("10.0.0.1:80");
  play.world.run_for(60s);
  EXPECT_EQ(server.connections(), 0u);
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_TRUE(play.run_until([&] { return server.open_connections() == 2; }));
}

// ── workers

class ClusterWorkers : public testing::TestWithParam<unsigned> {};
TEST_P(ClusterWorkers, S98_S101_TheLimitIsExactForAnyNumberOfWorkers) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    ClusterPlay play(GetParam(), seed);
    Upstream& server = play.upstream("10.0.0.1:80");
    Upstream& other = play.upstream("10.0.0.2:80");
    play.start(forwarding(
        R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, maxConnections = 5, queueTimeout = "1h" })"));
    OpenMeter meter;
    for (int round = 0; round < 4; ++round) {
      const auto clients = play.ask_all(64);
      for (Client* client : clients) {
        play.run_until([&] {
          meter.look(play.world.now(), server.open_connections() + other.open_connections());
          return client->has_answer();
        });
        EXPECT_EQ(client->wait().status(), 200);
      }
      EXPECT_LE(play.record().limits.used(), 5u);
    }
    EXPECT_EQ(meter.most(), 5u);
    EXPECT_EQ(server.requests.size() + other.requests.size(), 256u);
  }
}
INSTANTIATE_TEST_SUITE_P(Counts, ClusterWorkers, testing::Values(1u, 2u, 4u, 16u));

TEST(ClusterWorkersElsewhere, S99_AnIdleConnectionElsewhereMakesRoom) {
  ClusterPlay play(2);
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1 })"));
  // Clients land on either worker; whichever has the connection gives it up.
  OpenMeter meter;
  for (int i = 0; i < 40; ++i) {
    Client& client = play.client();
    client.get("/");
    play.run_until([&] {
      meter.look(play.world.now(), server.open_connections());
      return client.has_answer();
    });
    EXPECT_EQ(client.wait().status(), 200) << i;
  }
  EXPECT_EQ(meter.most(), 1u);
  EXPECT_GT(server.connections(), 1u);
}

// ── retries

TEST(ClusterRetry, S108_S114_AStaleConnectionIsReplacedByAFreshOne) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/1").status(), 200);
  bool dies = true;
  server.act = [&](const SeenRequest& seen) {
    if (std::exchange(dies, false)) seen.peer->close();
    else seen.peer->send(answer(200, "fresh"));
  };
  EXPECT_EQ(play.client().ask("/2").body, "fresh");
  EXPECT_EQ(server.requests.back().connection, 1u);
  EXPECT_EQ(play.count(&EndpointCounts::stale_retries), 1u);
  EXPECT_EQ(play.count(&EndpointCounts::retried), 0u);  // S114
  EXPECT_EQ(play.count(&EndpointCounts::failed), 0u);
}

TEST(ClusterRetry, S109_APostIsNeverSentTwice) {
  for (const char* options : {"{ endpoints = { \"10.0.0.1:80\" } }",
                              "{ endpoints = { \"10.0.0.1:80\" }, retry = { attempts = 5, on = { \"reset\", "
                              "\"closed\", \"5xx\" } } }"}) {
    ClusterPlay play;
    Upstream& server = play.upstream("10.0.0.1:80");
    play.start(forwarding(options));
    EXPECT_EQ(play.client().ask("/1").status(), 200);
    server.act = [&](const SeenRequest& seen) { seen.peer->close(); };
    Client& client = play.client();
    client.post("/2", "once");
    EXPECT_EQ(client.wait().status(), 502);
    EXPECT_EQ(server.requests.size(), 2u);
  }
}

TEST(ClusterRetry, S109_UnlessTheScriptSaysSo) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  int left = 2;
  server.act = [&](const SeenRequest& seen) {
    if (left-- > 0) seen.peer->send(answer(503, "no"));
    else seen.peer->send(answer(200, seen.message.body));
  };
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, retry = { attempts = 3, on = { 503 }, methods = "any" } })"));
  Client& client = play.client();
  client.post("/", "thrice");
  EXPECT_EQ(client.wait().body, "thrice");
  EXPECT_EQ(server.requests.size(), 3u);
}

TEST(ClusterRetry, S111_AFreshConnectionThatEndsIsNoStaleOne) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest& seen) { seen.peer->close(); });
  play.start(forwarding(one));
  EXPECT_EQ(play.client().ask("/").status(), 502);
  EXPECT_EQ(server.requests.size(), 1u);
}

TEST(ClusterRetry, S112_AnAnswerThatBeganIsNotTriedAgain) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest& seen) {
    seen.peer->send("HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nbegin");
    seen.peer->close_when_sent();
  });
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, retry = { attempts = 3, on = { "closed", "reset", "truncated" } } })"));
  Client& client = play.client();
  client.get("/");
  EXPECT_TRUE(play.run_until([&] { return client.is_over(); }));
  EXPECT_EQ(server.requests.size(), 1u);
}

TEST(ClusterRetry, S113_ALongBodyIsNotKept) {
  for (const size_t size : {size_t{60000}, size_t{70000}}) {
    ClusterPlay play;
    int seen_count = 0;
    play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) {
      seen.peer->send(++seen_count == 1 ? answer(503, "no")
                                        : answer(200, std::to_string(seen.message.body.size())));
    });
    play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, retry = { attempts = 2, on = { 503 } } })"));
    Client& client = play.client();
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
                std::string(size, 'x'));
    const WireMessage message = client.wait();
    EXPECT_EQ(message.status(), size == 60000 ? 200 : 503);
    EXPECT_EQ(message.body, size == 60000 ? "60000" : "no");
  }
}

TEST(ClusterRetry, S115_RetriesHaveABudget) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  Upstream& server = play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) { held.push_back(seen); });
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, retry = { attempts = 2, on = { 503 } } })"));
  const auto clients = play.ask_all(40);
  ASSERT_TRUE(play.run_until([&] { return held.size() == 40; }));
  for (size_t i = 0; i < 40; ++i) held[i].peer->send(answer(503, "no"));
  play.world.run_for(5s);
  // 20 % of 40 and fewer, but at least 3, may be tried again at a time.
  EXPECT_GE(server.requests.size(), 43u);
  EXPECT_LE(server.requests.size(), 48u);
  size_t failed = 0;
  for (Client* client : clients) failed += client->has_answer() ? 1 : 0;
  EXPECT_EQ(failed, 80 - server.requests.size());
}

TEST(ClusterRetry, S116_TheLastAnswerIsTheClients) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest& seen) { seen.peer->send(answer(503, "first")); });
  play.upstream("10.0.0.2:80", [](const SeenRequest& seen) { seen.peer->send(answer(503, "second")); });
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, retry = { attempts = 2, on = { 503 } } })"));
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 503);
  EXPECT_EQ(message.body, "second");
}

TEST(ClusterRetry, EachTryHasATimeOfItsOwn) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.upstream("10.0.0.2:80");
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, retry = { attempts = 2, on = { "try-timeout" } } })",
      R"({ tryTimeout = "1s" })"));
  const Instant begun = play.world.now();
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 1.0, 0.3);
}

// ── hedges

TEST(ClusterHedge, ASecondEndpointIsAskedWhenTheFirstIsSlow) {
  ClusterPlay play;
  Upstream& slow = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, hedge = { after = "200ms" } })"));
  const Instant begun = play.world.now();
  EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 0.2, 0.05);
  EXPECT_TRUE(play.run_until([&] { return slow.open_connections() == 0; }));  // the loser is reset
}

TEST(ClusterHedge, APostIsNotAskedTwice) {
  ClusterPlay play;
  Upstream& slow = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  Upstream& other = play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, hedge = { after = "200ms" } })",
                        R"({ timeout = "1s" })"));
  Client& client = play.client();
  client.post("/", "x");
  EXPECT_EQ(client.wait().status(), 504);
  EXPECT_EQ(slow.requests.size() + other.requests.size(), 1u);
}

TEST(ClusterHedge, ASlowDialIsHedgedAlsoForAPost) {
  ClusterPlay play;
  Upstream& slow = play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.world.set_behaviour(address_of("10.0.0.1:80"), {.connect = sim::SimBehaviour::Connect::BlackHole});
  play.start(
      forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, hedge = { connect = "300ms" } })"));
  Client& client = play.client();
  const Instant begun = play.world.now();
  client.post("/", "x");
  EXPECT_EQ(client.wait().body, "10.0.0.2:80");
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 0.3, 0.05);
  EXPECT_EQ(slow.requests.size(), 0u);
}

// ── balancing

std::map<std::string, int> spread(ClusterPlay& play, int requests, std::string_view path = "/") {
  std::map<std::string, int> counts;
  Client& client = play.client();
  for (int i = 0; i < requests; ++i) ++counts[client.ask(path).body];
  return counts;
}

TEST(ClusterBalance, RoundRobinGoesByWeightInTheOrderOfDeclaration) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", { "10.0.0.2:80", weight = 3 } } })"));
  auto counts = spread(play, 40);
  EXPECT_EQ(counts["10.0.0.1:80"], 10);
  EXPECT_EQ(counts["10.0.0.2:80"], 30);
}

TEST(ClusterBalance, EachKindUsesAllAndSkipsTheDead) {
  for (const char* kind : {"round-robin", "least-requests", "random", "ring-hash", "maglev"}) {
    const bool is_by_key = std::string_view(kind) == "ring-hash" || std::string_view(kind) == "maglev";
    ClusterPlay play;
    play.upstream("10.0.0.1:80");
    play.upstream("10.0.0.2:80");
    play.start(forwarding(
        "{ endpoints = { \"10.0.0.1:80\", \"10.0.0.2:80\", \"10.0.0.3:80\" }, balance = \"" +
        std::string(kind) + "\", retry = { attempts = 3 }" +
        (is_by_key ? ", key = (function() local n = 0 return function() n = n + 1 return n end end)() }"
                   : " }")));
    auto counts = spread(play, 100);
    EXPECT_EQ(counts["10.0.0.1:80"] + counts["10.0.0.2:80"], 100) << kind;
    EXPECT_GT(counts["10.0.0.1:80"], 10) << kind;
    EXPECT_GT(counts["10.0.0.2:80"], 10) << kind;
  }
}

TEST(ClusterBalance, AKeyStaysWithItsEndpoint) {
  for (const char* kind : {"ring-hash", "maglev"}) {
    ClusterPlay play;
    for (const char* address : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}) play.upstream(address);
    play.start(
        forwarding("{ endpoints = { \"10.0.0.1:80\", \"10.0.0.2:80\", \"10.0.0.3:80\" }, balance = \"" +
                   std::string(kind) + "\", key = function(ctx) return ctx.request.path end }"));
    std::map<std::string, std::string> seen;
    for (int round = 0; round < 3; ++round)
      for (int i = 0; i < 20; ++i) {
        const std::string path = "/" + std::to_string(i);
        const std::string body = play.client().ask(path).body;
        if (round == 0) seen[path] = body;
        EXPECT_EQ(body, seen[path]) << kind;
      }
    std::map<std::string, int> used;
    for (const auto& [path, body] : seen) ++used[body];
    EXPECT_GE(used.size(), 2u);
  }
}

TEST(ClusterBalance, S124_ACookieSticks) {
  ClusterPlay play;
  for (const char* address : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}) play.upstream(address);
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80" }, sticky = { cookie = "route" } })"));
  for (int user = 0; user < 6; ++user) {
    const WireMessage first = play.client().ask("/");
    const std::string cookie = first.field("set-cookie").substr(0, first.field("set-cookie").find(';'));
    EXPECT_TRUE(cookie.starts_with("route="));
    for (int i = 0; i < 5; ++i) {
      const WireMessage again = play.client().ask("/", "Cookie: a=b; " + cookie + "; c=d\r\n");
      EXPECT_EQ(again.body, first.body);
      EXPECT_EQ(again.field("set-cookie"), "");
    }
  }
}

TEST(ClusterBalance, PrioritiesFailOver) {
  ClusterPlay play;
  Upstream& first = play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", { "10.0.0.2:80", priority = 1 } },
                             health = { tcp = true, interval = "1s", rise = 1, fall = 1 } })"));
  play.world.run_for(3s);
  EXPECT_EQ(spread(play, 10)["10.0.0.1:80"], 10);
  first.kill();
  play.world.run_for(3s);
  EXPECT_EQ(spread(play, 10)["10.0.0.2:80"], 10);
  first.open();
  play.world.run_for(3s);
  EXPECT_EQ(spread(play, 10)["10.0.0.1:80"], 10);
}

TEST(ClusterBalance, PinnedRequestsGoToTheirEndpoint) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.upstream("10.0.0.2:80");
  play.start(forwarding(two, R"({ endpoint = function(ctx) return ctx.request.path:sub(2) end })"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(play.client().ask("/10.0.0.2:80").body, "10.0.0.2:80");
    EXPECT_EQ(play.client().ask("/10.0.0.1:80").body, "10.0.0.1:80");
  }
  EXPECT_EQ(play.client().ask("/10.0.0.9:80").status(), 503);
}

// ── health

TEST(ClusterHealth, FailuresEjectAndTimeBringsBack) {
  ClusterPlay play;
  bool is_broken = true;
  play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) {
    seen.peer->send(is_broken ? answer(500, "broken") : answer(200, "10.0.0.1:80"));
  });
  play.upstream("10.0.0.2:80");
  play.start(forwarding(two));
  auto counts = spread(play, 40);
  EXPECT_EQ(counts["broken"], 5);
  EXPECT_EQ(counts["10.0.0.2:80"], 35);
  is_broken = false;
  play.world.run_for(29s);
  EXPECT_EQ(spread(play, 4)["10.0.0.1:80"], 0);
  play.world.run_for(2s);
  EXPECT_EQ(spread(play, 4)["10.0.0.1:80"], 2);
}

TEST(ClusterHealth, S93_AnUnhealthyEndpointDrainsAndIsNotReset) {
  ClusterPlay play;
  std::vector<SeenRequest> held;
  bool is_healthy = true;
  play.upstream("10.0.0.1:80", [&](const SeenRequest& seen) {
    if (seen.path() != "/health") held.push_back(seen);
    else seen.peer->send(answer(is_healthy ? 200 : 503, ""));
  });
  play.upstream("10.0.0.2:80");
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, health = { path = "/health", interval = "1s", fall = 1, rise = 1 } })"));
  play.world.run_for(2s);
  Client& busy = play.client();
  busy.get("/busy");
  ASSERT_TRUE(play.run_until([&] { return held.size() == 1; }));
  is_healthy = false;
  play.world.run_for(3s);
  EXPECT_EQ(spread(play, 6)["10.0.0.2:80"], 6);
  held[0].peer->send(answer(200, "well ended"));
  EXPECT_EQ(busy.wait().body, "well ended");
}

TEST(ClusterHealth, TooFewHealthyIsPanic) {
  ClusterPlay play;
  for (const char* address : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"})
    play.upstream(address, [&play, address](const SeenRequest& seen) {
      seen.peer->send(seen.path() == "/health" ? answer(503, "") : answer(200, address));
    });
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80" }, health = { path = "/health", interval = "1s", fall = 1 } })"));
  play.world.run_for(5s);
  EXPECT_EQ(spread(play, 9).size(), 3u);
}

TEST(ClusterHealth, WithoutPanicNoEndpointIsLeft) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest& seen) { seen.peer->send(answer(503, "")); });
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, panic = 0, health = { path = "/health", interval = "1s", fall = 1 } })"));
  play.world.run_for(5s);
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 503);
  EXPECT_NE(message.body.find("no-endpoint"), std::string::npos) << message.body;
}

TEST(ClusterHealth, RequestsHaveALimit) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxRequests = 2 })"));
  play.ask_all(2);
  ASSERT_TRUE(play.run_until([&] { return server.requests.size() == 2; }));
  const WireMessage message = play.client().ask("/");
  EXPECT_EQ(message.status(), 503);
  EXPECT_NE(message.body.find("overflow"), std::string::npos) << message.body;
}

// ── discovery

TEST(ClusterDiscovery, ARequestWaitsForTheFirstAnswerAndFollowsChanges) {
  ClusterPlay play;
  for (const char* address : {"10.0.0.1:80", "10.0.0.2:80"}) play.upstream(address);
  play.world.dns().set("api.test", {"10.0.0.1"}, 5s);
  play.start(forwarding(R"({ dns = "api.test:80" })"));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").body, "10.0.0.1:80");
  play.world.dns().set("api.test", {"10.0.0.2"}, 5s);
  play.world.run_for(10s);
  EXPECT_EQ(client.ask("/").body, "10.0.0.2:80");
}

TEST(ClusterDiscovery, WithoutAnAnswerItIsA503) {
  ClusterPlay play;
  play.world.dns().fail("api.test");
  play.start(forwarding(R"({ dns = "api.test:80" })"));
  EXPECT_EQ(play.client().ask("/").status(), 503);
}

// ── hooks

TEST(ClusterHooks, ValidateRefusesAndAnotherIsTaken) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, validate = function(ctx) sleep(0.5) return false end })"));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").status(), 200);
  const Instant begun = play.world.now();
  EXPECT_EQ(client.ask("/").status(), 200);
  EXPECT_NEAR(to_seconds(play.world.now() - begun), 0.5, 0.1);
  EXPECT_EQ(server.requests.back().connection, 1u);
}

TEST(ClusterHooks, TheySeeConnectionsComeAndGoAndMayWait) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(R"(
    local seen = {}
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, idleTimeout = "5s",
      onLease = function(ctx) ctx.uses = (ctx.uses or 0) + 1 sleep(0.1) table.insert(seen, "lease " .. ctx.uses) end,
      onRelease = function(ctx) sleep(0.1) table.insert(seen, "release " .. ctx.uses) end,
      onEvict = function(ctx, reason) table.insert(seen, "evict " .. reason) end })
    listen(8001):serveHTTP(function() return Message(table.concat(seen, ", ")) end)
    listen(8000):demuxHTTP(pipeline():forward(api))
  )");
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").status(), 200);
  play.world.run_for(200ms);
  EXPECT_EQ(client.ask("/").status(), 200);
  play.world.run_for(10s);
  EXPECT_EQ(play.client(8001).ask("/").body, "lease 1, release 1, lease 2, release 2, evict idle-timeout");
  EXPECT_EQ(server.connections(), 1u);
}

// ── what none has

TEST(ClusterNone, TheIdleCutoffIsLearned) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  // The server ends each connection that was idle for 2 s.
  server.act = [&](const SeenRequest& seen) {
    seen.peer->send(answer(200, "x"));
    const size_t number = server.requests.size();
    sim::SimPeer* peer = seen.peer;
    play.world.after(2s, [&server, number, peer] {
      bool was_used = false;
      for (size_t i = number; i < server.requests.size(); ++i)
        was_used = was_used || server.requests[i].peer == peer;
      if (!was_used && peer->is_open()) peer->close();
    });
  };
  play.start(forwarding(one));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(play.client().ask("/").status(), 200);
    play.world.run_for(5s);
  }
  const uint64_t closed_by_server = play.count(&EndpointCounts::closed_idle);
  EXPECT_GE(closed_by_server, 2u);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(play.client().ask("/").status(), 200);
    play.world.run_for(5s);
  }
  EXPECT_EQ(play.count(&EndpointCounts::closed_idle), closed_by_server);  // we close first now
}

TEST(ClusterNone, ExplainSaysWhy) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
    listen(8001):serveHTTP(function() return Message(api:explain("10.0.0.1:80")) end)
    listen(8000):demuxHTTP(pipeline():forward(api))
  )");
  Client& client = play.client();
  client.ask("/");
  client.ask("/");
  const std::string text = play.client(8001).ask("/").body;
  EXPECT_NE(text.find("0 busy, 1 idle"), std::string::npos) << text;
  EXPECT_NE(text.find("the next request takes the connection"), std::string::npos) << text;
  EXPECT_NE(text.find("2 requests: 1 reused a connection, 1 connection opened"), std::string::npos) << text;
}

// ── seeds

/// Everything at once, with faults: each request gets one answer or a cut, and nothing is left.
TEST(ClusterSeeds, EveryFaultAndNothingIsLost) {
  const char* only = std::getenv("PERILUNE_SEED");
  const uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  const uint64_t last = only ? first : 200;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CapturedLog log;
    ClusterPlay play(static_cast<unsigned>(1 + seed % 3), seed, sim::SimFaults::of_seed(seed));
    for (const char* address : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}) {
      Upstream& server = play.upstream(address);
      server.act = [&play, &server](const SeenRequest& seen) {
        if (play.world.draw(0.1)) seen.peer->close();
        else if (play.world.draw(0.1)) seen.peer->send(answer(503, seen.path()));
        else if (play.world.draw(0.05)) return;
        else seen.peer->send(answer(200, seen.path()));
      };
    }
    play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80", { "10.0.0.3:80", priority = 1 } },
      maxConnections = 4, queue = 20, queueTimeout = "2s", idleTimeout = "3s", ttl = "5s", readTimeout = "3s",
      preconnect = 1.5, floor = 1, purge = "5s", maxMessages = 7,
      retry = { attempts = 3, on = { "connect-failure", "reset", "closed", 503 } }, hedge = { after = "100ms", connect = "100ms" },
      health = { tcp = true, interval = "1s" } })",
                          R"({ timeout = "5s", tryTimeout = "2s" })"));
    std::vector<std::pair<Client*, std::string>> asked;
    for (int i = 0; i < 40; ++i) {
      const std::string path = "/" + std::to_string(i);
      Client& client = play.client();
      if (i % 4 == 0) client.post(path, "body of " + path);
      else client.get(path);
      asked.emplace_back(&client, path);
      if (play.world.draw(0.3)) play.world.run_for(Duration(play.world.below(300'000'000)));
      if (play.world.draw(0.05)) client.drop();
    }
    play.world.run_for(60s);
    std::map<std::string, int> posts;
    for (const auto& server : play.upstreams)
      for (const SeenRequest& seen : server->requests)
        if (seen.method() == "POST") ++posts[seen.path()];
    for (const auto& [path, count] : posts)
      EXPECT_EQ(count, 1) << "POST " << path << " was sent " << count << " times";
    play.clients.clear();
    play.world.set_faults({});
    EXPECT_EQ(play.stop(), "");
    if (testing::Test::HasFailure()) {
      std::printf("PERILUNE_SEED=%llu replays it\n%s\n", static_cast<unsigned long long>(seed),
                  log.text.substr(0, 4000).c_str());
      return;
    }
  }
}

}  // namespace
}  // namespace perilune::tests
