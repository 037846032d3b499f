// Clusters among clients, upstreams and scripts that mean no good.

#include <random>

#include "cluster_play.hpp"

namespace perilune::tests {
namespace {

using upstream::EndpointCounts;

// ── hooks

TEST(HostileHooks, OnLeaseThatRaisesAtOnceWhereHedgesAreOn) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, hedge = { after = "p95", connect = "p50" },
    onLease = function(ctx) if ctx.uses then error("no") end ctx.uses = 1 end })"));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").status(), 200);
  EXPECT_EQ(client.ask("/").status(), 500);
}

TEST(HostileHooks, AConnectionThatEndsWhileAHookLooksAtItIsReplaced) {
  for (const char* hook :
       {"validate = function(ctx) sleep(0.5) return true end", "onLease = function(ctx) sleep(0.5) end",
        "validate = function(ctx) sleep(0.5) return false end"}) {
    for (const bool is_reset : {false, true}) {
      SCOPED_TRACE(hook);
      ClusterPlay play;
      Upstream& server = play.upstream("10.0.0.1:80");
      play.start(forwarding("{ endpoints = { \"10.0.0.1:80\" }, " + std::string(hook) + " }"));
      Client& client = play.client();
      EXPECT_EQ(client.ask("/").status(), 200);
      play.world.run_for(1s);
      client.post("/", "once");
      play.world.run_for(100ms);
      if (is_reset) server.server->peers()[0]->reset();
      else server.server->peers()[0]->close();
      EXPECT_EQ(client.wait().status(), 200);
      EXPECT_EQ(server.requests.size(), 2u);
    }
  }
}

TEST(HostileHooks, ClientsLeaveWhileAHookLooksAtADeadConnection) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, validate = function(ctx) sleep(0.5) return true end })"));
  Client& client = play.client();
  EXPECT_EQ(client.ask("/").status(), 200);
  client.get("/");
  play.world.run_for(100ms);
  server.server->peers()[0]->close();
  play.world.run_for(100ms);
  client.reset();
  play.world.run_for(2s);
  EXPECT_EQ(play.client().ask("/").status(), 200);
}

// Where requests are pipelined a connection on which nobody has begun is somebody's alone: it is being opened
// for him, or a hook looks at it for him. Whoever comes then shares another, waits, or opens one.
TEST(HostileHooks, NewcomersWhereRequestsArePipelined) {
  const char* hooks[] = {
      "", "onLease = function() sleep(0.05) end,",
      "validate = function(ctx) sleep(0.05) ctx.n = (ctx.n or 0) + 1 return ctx.n % 3 > 0 end,",
      "onRelease = function() sleep(0.05) end,",
      "validate = function() sleep(0.02) return true end, onLease = function() sleep(0.03) end, "
      "onRelease = function() sleep(0.01) end,"};
  for (const char* hook : hooks)
    for (const char* limit : {"", "maxConnections = 1,", "maxConnections = 2, preconnect = 2,"})
      for (uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(std::string(hook) + limit + std::to_string(seed));
        ClusterPlay play(1, seed);
        Upstream& server = play.upstream("10.0.0.1:80");
        server.act = [&](const SeenRequest& seen) {
          play.world.after(20ms, [&, peer = seen.peer] {
            if (peer->is_open()) peer->send(answer(200, server.name));
          });
        };
        play.start(forwarding(
            "{ endpoints = { \"10.0.0.1:80\" }, " + std::string(limit) + hook + " pipelining = 3 }",
            seed % 2 == 0 ? "{ pool = function() return 'p' end }" : ""));
        std::mt19937_64 dice(seed);
        std::vector<Client*> stay;
        for (int i = 0; i < 12; ++i) {
          Client& client = play.client();
          if (dice() % 2 == 0) client.post("/", "abc");
          else client.get("/");
          play.world.run_for(std::chrono::milliseconds(dice() % 4 == 0 ? 70 : 1 + dice() % 30));
          if (dice() % 4 == 0) client.reset();
          else stay.push_back(&client);
        }
        for (Client* client : stay) EXPECT_EQ(client->wait().status(), 200);
        play.world.run_for(1s);
        EXPECT_EQ(play.client().ask("/").status(), 200);
      }
}

// The connection ends with the refusal, and with it all that is known of its pool.
TEST(HostileHooks, ASharedConnectionIsRefusedWhenTheOtherOneHasLeft) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  server.act = [&](const SeenRequest& seen) {
    if (server.requests.size() > 1) return seen.peer->send(answer(200, "x"));
    seen.peer->send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nhalf");
  };
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1, pipelining = 3,
    validate = function() sleep(0.2) return false end })",
                        "{ pool = function() return 'p' end }"));
  Client& first = play.client();
  first.get("/");
  play.world.run_for(100ms);
  Client& second = play.client();
  second.get("/");
  play.world.run_for(100ms);
  first.reset();
  EXPECT_EQ(second.wait().status(), 200);
  EXPECT_EQ(play.client().ask("/").status(), 200);
}

TEST(HostileHooks, AConnectionThatEndsWhileItsReleaseIsLookedAt) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80" }, maxConnections = 1, onRelease = function(ctx) sleep(0.5) end })"));
  EXPECT_EQ(play.client().ask("/").status(), 200);
  play.world.run_for(100ms);
  server.server->peers()[0]->close();
  EXPECT_EQ(play.client().ask("/").status(), 200);
  play.world.run_for(2s);
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_EQ(server.open_max, 1u);
}

TEST(HostileHooks, OnReleaseOfAnEndpointThatIsRemovedMeanwhile) {
  for (const char* pool : {"", "{ pool = function() return 'p' end }"}) {
    ClusterPlay play;
    Upstream& server = play.upstream("10.0.0.1:80");
    play.upstream("10.0.0.2:80");
    play.start(R"(
      local api = upstream("api", { endpoints = { "10.0.0.1:80" }, onRelease = function(ctx) sleep(0.5) end })
      listen(8001):serveHTTP(function() api:set({ "10.0.0.2:80" }) return Message "ok" end)
      listen(8000):demuxHTTP(pipeline():forward(api)" +
               std::string(*pool ? ", " : "") + pool + R"())
    )");
    EXPECT_EQ(play.client().ask("/").status(), 200);
    EXPECT_EQ(play.client(8001).ask("/").status(), 200);
    play.world.run_for(3s);
    EXPECT_EQ(server.open_connections(), 0u);
    EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
  }
}

TEST(HostileHooks, AHookThatNeverReturnsHoldsNothingOnceItsClientLeft) {
  for (const char* hook : {"onLease", "validate"}) {
    SCOPED_TRACE(hook);
    ClusterPlay play;
    play.upstream("10.0.0.1:80");
    play.start(R"(
      local calls = 0
      local api = upstream("api", { endpoints = { "10.0.0.1:80" }, maxConnections = 1, )" +
               std::string(hook) + R"( = function()
        calls = calls + 1
        if calls <= 2 then sleep(100000) end
      end })
      listen(8000):demuxHTTP(pipeline():forward(api))
    )");
    if (std::string_view(hook) == "validate") {
      EXPECT_EQ(play.client().ask("/").status(), 200);
    }
    for (int i = 0; i < 2; ++i) {
      Client& client = play.client();
      client.get("/");
      play.world.run_for(100ms);
      client.reset();
      play.world.run_for(100ms);
    }
    EXPECT_EQ(play.client().ask("/").status(), 200);
    EXPECT_EQ(play.record().requests.load(), 0u);
  }
}

TEST(HostileHooks, TheProcessStopsWhileEachOfThemWaits) {
  for (const char* hook : {"onLease", "validate", "onRelease", "onEvict"}) {
    SCOPED_TRACE(hook);
    ClusterPlay play;
    play.upstream("10.0.0.1:80");
    play.start(forwarding("{ endpoints = { \"10.0.0.1:80\" }, ttl = \"1s\", " + std::string(hook) +
                          " = function() sleep(100000) end }"));
    play.client().get("/");
    play.world.run_for(500ms);
    play.client().get("/");
    play.world.run_for(2s);
  }
}

// ── members

TEST(HostileMembers, ClientsLeaveWhileMembersAreAwaited) {
  ClusterPlay play;
  play.start(forwarding(R"({ dns = "nowhere.test:80" })"));
  const auto clients = play.ask_all(5);
  play.world.run_for(1ms);
  for (Client* client : clients) client->drop();
  play.client().get("/");
  play.world.run_for(1ms);
}

TEST(HostileMembers, ListsOfThousandsOfTheSameAndOfNone) {
  ClusterPlay play(2);
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, balance = "maglev", key = function() return 1 end })
    listen(8001):serveHTTP(function(req)
      local list = {}
      if req.path == "/many" then for i = 1, 3000 do list[i] = "10.1." .. math.floor(i / 250) .. "." .. i % 250 .. ":80" end end
      if req.path == "/same" then for i = 1, 3000 do list[i] = "10.0.0.1:80" end end
      api:set(list)
      return Message(tostring(#api:endpoints()))
    end)
    listen(8000):demuxHTTP(pipeline():forward(api, { timeout = "1s" }))
  )");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(play.client(8001).ask("/many").body, "3000");
    play.world.run_for(10ms);
    EXPECT_EQ(play.client().ask("/").status(), 502);
    EXPECT_EQ(play.client(8001).ask("/same").status(), 500);  // refused, and nothing changed
    EXPECT_EQ(play.client().ask("/").status(), 502);
    EXPECT_EQ(play.client(8001).ask("/none").body, "0");
    play.world.run_for(10ms);
    EXPECT_EQ(play.client().ask("/").status(), 503);
  }
}

TEST(HostileMembers, ATunnelToARemovedEndpointIsCut) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest& seen) {
    seen.peer->send("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  });
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, drainTimeout = "1s" })
    listen(8001):serveHTTP(function() api:drain() api:set({}) return Message "ok" end)
    listen(8000):demuxHTTP(pipeline():forward(api, { pool = function() return "p" end }))
  )");
  Client& client = play.client();
  client.get("/",
             "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
             "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
  play.world.run_for(100ms);
  EXPECT_TRUE(client.peer().received().starts_with("HTTP/1.1 101")) << client.peer().received();
  EXPECT_EQ(play.client(8001).ask("/").status(), 200);
  play.world.run_for(500ms);
  EXPECT_FALSE(client.is_over());
  play.world.run_for(3s);
  EXPECT_TRUE(client.is_over());
  EXPECT_EQ(server.open_connections(), 0u);
}

// ── pools by tag

TEST(HostileTags, AnEndpointIsRemovedWhileATaggedConnectionIsDialledForNobody) {
  for (const bool answers : {false, true}) {
    ClusterPlay play;
    play.upstream("10.0.0.1:80");
    play.upstream("10.0.0.2:80");
    play.world.set_behaviour(address_of("10.0.0.1:80"),
                             answers ? sim::SimBehaviour{.latency = 400ms}
                                     : sim::SimBehaviour{.connect = sim::SimBehaviour::Connect::BlackHole});
    play.start(R"(
      local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
      listen(8001):serveHTTP(function() api:set({ "10.0.0.2:80" }) return Message "ok" end)
      listen(8000):demuxHTTP(pipeline():forward(api, { pool = function(ctx) return "p" .. ctx.request.path end }))
    )");
    const auto clients = play.ask_all(3, "/a");
    play.world.run_for(100ms);
    for (Client* client : clients) client->reset();
    play.world.run_for(10ms);
    EXPECT_EQ(play.client(8001).ask("/").status(), 200);
    play.world.run_for(20s);
    EXPECT_EQ(play.client().ask("/").body, "10.0.0.2:80");
  }
}

TEST(HostileTags, AnIdleConnectionOfOneTagMakesRoomForAnother) {
  for (const char* limit : {"maxConnections", "maxConnectionsPerEndpoint"})
    for (const unsigned workers : {1u, 2u}) {
      SCOPED_TRACE(std::string(limit) + " " + std::to_string(workers));
      ClusterPlay play(workers);
      play.upstream("10.0.0.1:80");
      play.start(forwarding("{ endpoints = { \"10.0.0.1:80\" }, " + std::string(limit) + " = 1 }",
                            "{ pool = function(ctx) return ctx.request.path end }"));
      for (int i = 0; i < 6; ++i) {
        const Instant begun = play.world.now();
        EXPECT_EQ(play.client().ask("/" + std::to_string(i)).status(), 200);
        EXPECT_LT(to_seconds(play.world.now() - begun), 1);
        play.world.run_for(300ms);
      }
    }
}

TEST(HostileTags, DrainClosesTaggedConnectionsToo) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" } })
    listen(8001):serveHTTP(function() api:drain("10.0.0.1:80") return Message "ok" end)
    listen(8000):demuxHTTP(pipeline():forward(api, { pool = function(ctx) return "p" end }))
  )");
  EXPECT_EQ(play.client().ask("/").status(), 200);
  EXPECT_EQ(play.client(8001).ask("/").status(), 200);
  play.world.run_for(1s);
  EXPECT_EQ(server.open_connections(), 0u);
}

TEST(HostileTags, WhatStillRunsOnARemovedEndpointIsCutForEachTag) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, drainTimeout = "2s" })
    listen(8001):serveHTTP(function() api:set({}) return Message "ok" end)
    listen(8000):demuxHTTP(pipeline():forward(api, { pool = function(ctx) return "p" end }))
  )");
  Client& client = play.client();
  client.get("/");
  play.world.run_for(100ms);
  EXPECT_EQ(play.client(8001).ask("/").status(), 200);
  play.world.run_for(5s);
  EXPECT_EQ(server.open_connections(), 0u);
  EXPECT_GE(client.wait(1s).status(), 500);
}

TEST(HostileTags, NumbersThatDifferAreDifferentPools) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" } })",
                        "{ pool = function(ctx) return tonumber(ctx.request.path:sub(2)) end }"));
  for (const char* path : {"/0.12345671", "/0.12345672", "/0.12345671"})
    EXPECT_EQ(play.client().ask(path).status(), 200);
  EXPECT_EQ(server.connections(), 2u);
}

// ── bodies and hedges

std::string put_head(std::string_view fields) {
  return "PUT /x HTTP/1.1\r\nHost: proxy\r\n" + std::string(fields) + "\r\n";
}

TEST(HostileHedge, ABodyThatIsNotKeptAnyMoreIsNotSentWithAHole) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  Upstream& second = play.upstream("10.0.0.2:80");
  // Its connection is made after the body outgrew what is kept.
  play.world.set_behaviour(address_of("10.0.0.2:80"), {.latency = 300ms});
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, hedge = { after = "100ms" } })",
                        R"({ timeout = "5s" })"));
  Client& client = play.client();
  const std::string piece(40'000, 'a');
  const auto chunk = [&] { client.send("9c40\r\n" + piece + "\r\n"); };
  client.send(put_head("Transfer-Encoding: chunked\r\n"));
  chunk();
  play.world.run_for(200ms);
  chunk();
  play.world.run_for(100ms);
  chunk();
  play.world.run_for(2s);
  client.send("0\r\n\r\n");
  client.wait();
  for (const SeenRequest& seen : second.requests) EXPECT_EQ(seen.message.body.size(), 120'000u);
}

TEST(HostileHedge, WhereNobodyElseCanBeAskedTheBudgetIsLeftToRetries) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, hedge = { after = "100ms" } })"));
  const auto clients = play.ask_all(5);
  play.world.run_for(1s);
  EXPECT_EQ(play.record().retries.load(), 0u);
}

TEST(HostileHedge, OneOfTwoTriesAsksForTheBody) {
  // Both say 100; the client sends nothing until it hears one.
  ClusterPlay play;
  std::vector<std::unique_ptr<sim::SimServer>> servers;
  int bodies = 0;
  for (const char* address : {"10.0.0.1:80", "10.0.0.2:80"}) {
    servers.push_back(std::make_unique<sim::SimServer>(play.outside, address_of(address)));
    servers.back()->on_peer = [&](sim::SimPeer& peer) {
      peer.on_news = [&](sim::SimPeer& known) {
        if (known.is_over()) {
          if (known.is_open()) known.close();
          return;
        }
        if (known.received().ends_with("body")) {
          ++bodies;
          known.take_received();
          known.send(answer(200, "thanks"));
        } else if (known.received().ends_with("\r\n\r\n")) {
          play.world.after(200ms, [&known] {
            if (known.is_open()) known.send("HTTP/1.1 100 Continue\r\n\r\n");
          });
        }
      };
    };
  }
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, hedge = { after = "100ms" } })",
                        R"({ timeout = "5s" })"));
  Client& client = play.client();
  client.send(put_head("Content-Length: 4\r\nExpect: 100-continue\r\n"));
  play.world.run_for(10ms);
  EXPECT_TRUE(play.run_until([&] { return client.peer().received().starts_with("HTTP/1.1 100"); }, 4s));
  client.send("body");
  EXPECT_EQ(client.wait().status(), 200);
  play.world.run_for(1s);
  for (auto& server : servers) server->close();
}

TEST(HostileRetry, BodiesAroundTheLimitArriveWhole) {
  for (const bool is_chunked : {false, true})
    for (const size_t size : {65'535u, 65'536u, 65'537u, 200'000u})
      for (const bool is_slow : {false, true}) {
        SCOPED_TRACE(std::to_string(size) + (is_chunked ? " chunked" : "") + (is_slow ? " slow" : ""));
        ClusterPlay play;
        int asked = 0;
        Upstream& server = play.upstream("10.0.0.1:80");
        server.act = [&](const SeenRequest& seen) { seen.peer->send(answer(++asked == 1 ? 503 : 200, "x")); };
        play.start(
            forwarding(R"({ endpoints = { "10.0.0.1:80" }, retry = { on = { 503 }, attempts = 3 } })"));
        std::string body;
        for (size_t i = 0; i < size; ++i) body += static_cast<char>('a' + i * 7 / 5 % 26);
        Client& client = play.client();
        std::string wire = put_head(is_chunked ? "Transfer-Encoding: chunked\r\n"
                                               : "Content-Length: " + std::to_string(size) + "\r\n");
        if (is_chunked) {
          char line[32];
          std::snprintf(line, sizeof line, "%zx\r\n", size);
          wire += line + body + "\r\n0\r\n\r\n";
        } else {
          wire += body;
        }
        if (is_slow) {
          client.send(wire.substr(0, 1));
          play.world.run_for(10ms);
          client.peer().send_slowly(wire.substr(1), 10'000, 10ms);
        } else {
          client.send(wire);
        }
        const int status = client.wait().status();
        EXPECT_TRUE(status == 200 || (size > 65'536u && status == 503)) << status;
        for (const SeenRequest& seen : server.requests) EXPECT_TRUE(seen.message.body == body);
      }
}

TEST(HostileRetry, APostThatWasWrittenIsNotSentAgainWhateverTheAnswer) {
  for (const char* said : {"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "junk\r\n\r\n", "",
                           "HTTP/1.1 20", "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"})
    for (const bool is_reused : {false, true}) {
      SCOPED_TRACE(said);
      ClusterPlay play;
      Upstream& server = play.upstream("10.0.0.1:80");
      server.act = [&](const SeenRequest& seen) {
        seen.peer->send(seen.method() == "GET" ? answer(200, "x") : std::string(said));
      };
      play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, readTimeout = "2s", retry = { attempts = 3,
        on = { "connect-failure", "reset", "closed", "bad-response", "read-timeout", "truncated", "5xx" } } })"));
      if (is_reused) {
        EXPECT_EQ(play.client().ask("/").status(), 200);
      }
      Client& client = play.client();
      client.post("/", "once");
      EXPECT_GE(client.wait().status(), 502);
      EXPECT_EQ(server.requests.size(), is_reused ? 2u : 1u);
    }
}

TEST(HostileLimits, AQueueThatIsTooLongEjectsNobody) {
  ClusterPlay play;
  for (const char* address : {"10.0.0.1:80", "10.0.0.2:80"})
    play.upstream(address, [&play](const SeenRequest& seen) {
      play.world.after(150ms, [peer = seen.peer] {
        if (peer->is_open()) peer->send(answer(200, "x"));
      });
    });
  play.start(forwarding(
      R"({ endpoints = { "10.0.0.1:80", "10.0.0.2:80" }, maxConnectionsPerEndpoint = 1, tryTimeout = "200ms" })"));
  const auto clients = play.ask_all(30);
  play.world.run_for(500ms);
  for (const auto& member : play.record().members()) EXPECT_FALSE(member->is_ejected) << member->name;
}

TEST(HostileLimits, APurgeDoesNotCloseWhatTheFloorOpens) {
  ClusterPlay play;
  Upstream& server = play.upstream("10.0.0.1:80");
  play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" }, floor = 2, purge = "1s", idleTimeout = "1h" })"));
  play.world.run_for(30s);
  EXPECT_EQ(server.open_connections(), 2u);
  EXPECT_LE(server.connections(), 3u);
}

TEST(HostileHost, AFunctionForHostCannotSmuggleFields) {
  for (const char* host : {"a\\r\\nEvil: yes", "a\\nEvil: yes", "a\\0b", ""}) {
    ClusterPlay play;
    Upstream& server = play.upstream("10.0.0.1:80");
    play.start(forwarding(R"({ endpoints = { "10.0.0.1:80" } })",
                          "{ host = function() return \"" + std::string(host) + "\" end }"));
    const int status = play.client().ask("/").status();
    EXPECT_TRUE(status == 500 || (*host == '\0' && status == 200)) << status;
    for (const SeenRequest& seen : server.requests)
      EXPECT_EQ(seen.message.head.find("Evil"), std::string::npos) << seen.message.head;
  }
}

// ── memory

TEST(HostileTags, ATagForEachRequestLeavesNothingBehind) {
  ClusterPlay play;
  play.upstream("10.0.0.1:80", [](const SeenRequest&) {});
  play.start(R"(
    local api = upstream("api", { endpoints = { "10.0.0.1:80" }, maxConnections = 1, queue = 2, queueTimeout = "500ms" })
    listen(8001):serveHTTP(function() return Message(api:explain()) end)
    listen(8000):demuxHTTP(pipeline():forward(api, { pool = function(ctx) return ctx.request.path end, timeout = "2s" }))
  )");
  std::vector<Client*> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(&play.client());
    clients.back()->get("/" + std::to_string(i));
  }
  for (Client* client : clients) EXPECT_GE(client->wait().status(), 500);
  play.world.run_for(60s);
  EXPECT_EQ(play.record().waiting.load(), 0u);
  EXPECT_EQ(play.record().requests.load(), 0u);
}

// ── seeds

/// Hooks that wait and raise, tags, and lists of endpoints that change all the time, with faults.
TEST(HostileSeeds, HooksTagsAndChangingMembers) {
  const char* only = std::getenv("PERILUNE_SEED");
  const uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  const uint64_t last = only ? first : 100;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    CapturedLog log;
    ClusterPlay play(static_cast<unsigned>(1 + seed % 3), seed, sim::SimFaults::of_seed(seed));
    for (const char* address : {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}) {
      Upstream& server = play.upstream(address);
      server.act = [&play](const SeenRequest& seen) {
        if (play.world.draw(0.1)) seen.peer->close();
        else if (play.world.draw(0.1)) seen.peer->send(answer(503, seen.path()));
        else if (play.world.draw(0.05)) return;
        else if (play.world.draw(0.05)) seen.peer->send("junk\r\n\r\n");
        else seen.peer->send(answer(200, seen.path()));
        if (play.world.draw(0.2) && seen.peer->is_open()) seen.peer->close_when_sent();
      };
    }
    play.start(R"(
      local turn = 0
      local function odd(every, act) turn = turn + 1 if turn % every == 0 then act() end end
      local api = upstream("api", { endpoints = { "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80" },
        maxConnections = 4, maxConnectionsPerEndpoint = 3, queue = 20, queueTimeout = "2s", idleTimeout = "3s", ttl = "5s",
        readTimeout = "3s", drainTimeout = "1s", preconnect = 1.5, floor = 1, purge = "5s", maxMessages = 7,
        validate = function() odd(3, function() sleep(0.05) end) odd(11, function() error("validate") end) return turn % 7 > 0 end,
        onLease = function() odd(4, function() sleep(0.03) end) odd(13, function() error("lease") end) end,
        onRelease = function() odd(3, function() sleep(0.1) end) odd(17, function() error("release") end) end,
        onEvict = function() odd(5, function() sleep(0.2) end) end,
        retry = { attempts = 3, on = { "connect-failure", "reset", "closed", "bad-response", "read-timeout", 503 } },
        hedge = { after = "100ms", connect = "100ms" }, health = { tcp = true, interval = "1s" } })
      local a, b, c = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"
      local lists = { { a }, {}, { b, c }, { a, a, b }, { { a, weight = 0 }, b }, { a, b, c } }
      local sets = 0
      listen(8001):serveHTTP(function()
        sets = sets + 1
        if sets % 4 == 0 then api:drain() else api:set(lists[sets % #lists + 1]) end
        api:stats()
        return Message "ok"
      end)
      listen(8000):demuxHTTP(pipeline():forward(api, { timeout = "5s", tryTimeout = "2s", pool = function(ctx)
        local number = tonumber(ctx.request.path:sub(2))
        if number % 3 > 0 then return number % 3 == 1 and "p" or number end
      end }))
    )");
    for (int i = 0; i < 60; ++i) {
      const std::string path = "/" + std::to_string(i);
      Client& client = play.client();
      if (i % 4 == 0) client.post(path, "body of " + path);
      else client.get(path);
      if (i % 5 == 0) play.client(8001).get("/");
      if (play.world.draw(0.3)) play.world.run_for(Duration(play.world.below(300'000'000)));
      if (play.world.draw(0.1)) client.drop();
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
