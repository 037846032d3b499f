#include <gtest/gtest.h>

#include <map>

#include "sim_play.hpp"

/// Plays in which a new version of the script takes over while clients are in the middle of something.

namespace perilune::tests {
namespace {

/// Where the listed lines of access logs go.
class CollectedLines final : public LineOutputs, public LineSink {
 public:
  Result<LineSink*> open(const std::string&) override { return this; }
  void write(std::string_view text) override { lines += text; }
  std::string lines;
};

class Reload : public SimPlay {
 protected:
  /// A reverse proxy whose answers say which version of it gave them.
  static std::string proxy(int version, const std::string& listen_options = "{}",
                           const std::string& demux_options = "{}", const std::string& before = "",
                           const std::string& mux_arguments = "") {
    return "listen(8000, " + listen_options + ")" + before +
           ":demuxHTTP(pipeline()"
           ":muxHTTP(pipeline():connect('10.0.0.1:80')" +
           mux_arguments + "):handleMessageStart(function(res) res.headers['x-v'] = '" +
           std::to_string(version) + "' end), " + demux_options + ")";
  }
  /// Sessions write their begin and end to the log.
  static std::string told(int version) {
    const std::string name = "v" + std::to_string(version);
    return ":handleSessionStart(function(ctx) log.info('" + name +
           " starts ' .. tostring(ctx.mine)); ctx.mine = '" + name +
           "' end):handleSessionEnd(function(ctx) log.info('" + name + " ends ' .. tostring(ctx.mine)) end)";
  }
  void reload(const std::string& script) { ASSERT_EQ(play.reload(script), ""); }
  size_t old_versions() const { return play.worker->old_versions(); }
  /// Everything of versions before has ended, soon.
  bool is_alone() {
    return seconds_until([&] { return old_versions() == 0; }, 1s) >= 0;
  }
  /// The next whole answer that the client gets, or what there is of it when nothing more comes.
  WireMessage next(SimPeer& peer, Duration patience = 30s) {
    WireMessage message;
    size_t& taken = taken_[&peer];
    seconds_until(
        [&] {
          message = take_message(std::string_view(peer.received()).substr(taken), WireKind::Response,
                                 peer.is_over());
          return message.is_complete || peer.is_over();
        },
        patience);
    if (message.is_complete) taken += message.bytes;
    return message;
  }
  /// The version that answers one more request of this client; 0 when none does.
  int version_of(SimPeer& peer) {
    peer.send(get());
    return version_in(next(peer));
  }
  static int version_in(const WireMessage& answer) {
    return answer.is_complete ? std::atoi(answer.field("x-v").c_str()) : 0;
  }
  size_t count_in_log(std::string_view what) const {
    size_t count = 0;
    for (size_t at = log.text.find(what); at != std::string::npos; at = log.text.find(what, at + 1)) ++count;
    return count;
  }
  SimPeer& upstream_peer(sim::SimServer& server, size_t number = 0) {
    EXPECT_GE(seconds_until([&] { return server.peers().size() > number; }, 1s), 0);
    return *server.peers().at(number);
  }
  /// An upstream that has got a request, and answers when it is told to.
  SimPeer& asked(sim::SimServer& server, size_t number = 0) {
    SimPeer& peer = upstream_peer(server, number);
    EXPECT_GE(seconds_until([&] { return peer.received().find("\r\n\r\n") != std::string::npos; }, 1s), 0);
    return peer;
  }

 private:
  std::map<const SimPeer*, size_t> taken_;
};

// ---- what moves

TEST_F(Reload, AnIdleConnectionMovesAtOnce) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& peer = client("");
  EXPECT_EQ(version_of(peer), 1);
  reload(proxy(2));
  EXPECT_EQ(play.departures.moving, 1u);
  EXPECT_EQ(play.departures.staying, 0u);
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(play.worker->servers().front()->stats().inherited, 1u);
  EXPECT_EQ(version_of(peer), 2);
  for (int version = 3; version < 10; ++version) {
    reload(proxy(version));
    EXPECT_EQ(version_of(peer), version);
  }
  EXPECT_FALSE(peer.is_over());
}

TEST_F(Reload, AConnectionThatWasNeverUsedMoves) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& peer = client("");
  pass();
  reload(proxy(2));
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(version_of(peer), 2);
}

TEST_F(Reload, ManyMoveInBatches) {
  answering(ok("x"));
  start(proxy(1, "{ maxConnectionsPerIP = 1000 }"));
  std::vector<SimPeer*> peers;
  for (int i = 0; i < 300; ++i) peers.push_back(&client(get()));
  pass();
  reload(proxy(2, "{ maxConnectionsPerIP = 1000 }"));
  EXPECT_EQ(play.departures.moving, 300u);
  EXPECT_TRUE(is_alone());
  for (SimPeer* peer : peers) {
    next(*peer);
    EXPECT_EQ(version_of(*peer), 2);
  }
}

TEST_F(Reload, OneThatBecomesReadableWhileOthersMoveIsServedOnce) {
  answering(ok("x"));
  start(proxy(1, "{ maxConnectionsPerIP = 1000 }"));
  std::vector<SimPeer*> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(&client(get()));
  for (SimPeer* peer : peers) next(*peer);
  for (SimPeer* peer : peers) peer->send(get());
  pass_without_proxy();
  reload(proxy(2, "{ maxConnectionsPerIP = 1000 }"));
  for (SimPeer* peer : peers) EXPECT_NE(version_in(next(*peer)), 0);
  EXPECT_TRUE(is_alone());
  for (SimPeer* peer : peers) EXPECT_EQ(version_of(*peer), 2);
  EXPECT_EQ(requests, 600);
}

TEST_F(Reload, ABusyConnectionMovesAfterItsAnswer) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& peer = client(get());
  SimPeer& up = asked(server);
  reload(proxy(2));
  EXPECT_EQ(play.departures.moving, 1u);
  pass(5s);
  EXPECT_EQ(old_versions(), 1u);
  up.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
  pass(5s);
  EXPECT_EQ(old_versions(), 1u);
  up.send("whole");
  const WireMessage answer = next(peer);
  EXPECT_EQ(version_in(answer), 1);
  EXPECT_EQ(answer.field("connection"), "");
  EXPECT_TRUE(is_alone());
  peer.send(get());
  asked(server, 1).send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 2);
}

TEST_F(Reload, PipelinedRequestsThatWereReadAndNotBegunAreTheNewVersions) {
  auto& server = upstream();
  start(proxy(1, "{}", "{ pipelining = 1 }"));
  SimPeer& peer = client(get("/1") + get("/2") + get("/3") + "GET /4 HT");
  SimPeer& up = asked(server);
  reload(proxy(2, "{}", "{ pipelining = 1 }"));
  pass(1s);
  up.send(ok("1"));
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_TRUE(is_alone());
  SimPeer& newer = asked(server, 1);
  EXPECT_TRUE(newer.received().starts_with("GET /2 "));
  newer.send(ok("2"));
  WireMessage answer = next(peer);
  EXPECT_EQ(version_in(answer), 2);
  EXPECT_EQ(answer.body, "2");
  newer.send(ok("3"));
  EXPECT_EQ(next(peer).body, "3");
  peer.send("TP/1.1\r\nHost: a\r\n\r\n");
  newer.send(ok("4"));
  EXPECT_EQ(next(peer).body, "4");
}

TEST_F(Reload, PipelinedRequestsThatWereBegunAreTheOldVersions) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& peer = client(get("/1") + get("/2"));
  asked(server, 0);
  asked(server, 1);
  reload(proxy(2));
  pass(1s);
  for (auto& up : server.peers()) up->send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, HalfAHeadIsReadToItsEndOnce) {
  answering(ok("x"));
  start(proxy(1, "{ headTimeout = 4 }"));
  SimPeer& peer = client("GET / HTTP/1.1\r\nHo");
  SimPeer& slow = client("GET / HTTP/1.1\r\nHo");
  pass(2s);
  reload(proxy(2, "{ headTimeout = 4 }"));
  pass(1s);
  peer.send("st: a\r\n\r\n");
  EXPECT_NE(version_in(next(peer)), 0);
  EXPECT_EQ(requests, 1);
  EXPECT_EQ(version_of(peer), 2);
  EXPECT_NEAR(seconds_until_answer(slow), 1, 0.1);  // its time began before the reload
  EXPECT_EQ(status(slow), 408);
  EXPECT_GE(seconds_until_over(slow), 0);
  slow.close();
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, ABodyThatIsOnItsWayArrivesWhole) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& peer = client(post("half ", 10));
  SimPeer& up = asked(server);
  reload(proxy(2));
  pass(1s);
  peer.send("whole" + get("/next"));
  EXPECT_GE(seconds_until([&] { return up.received().ends_with("\r\n\r\nhalf whole"); }, 1s), 0);
  up.send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_TRUE(is_alone());
  asked(server, 1).send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 2);
}

TEST_F(Reload, WhoWaitsForA100GetsIt) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& peer = client("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  SimPeer& up = asked(server);
  reload(proxy(2));
  pass(1s);
  up.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(next(peer).status(), 100);
  peer.send("12345");
  EXPECT_GE(seconds_until([&] { return up.received().ends_with("12345"); }, 1s), 0);
  up.send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_TRUE(is_alone());
  peer.send(get());
  asked(server, 1).send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 2);
}

TEST_F(Reload, AnUpgradeThatIsRefusedMovesBehindIt) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& peer = client(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
  SimPeer& up = asked(server);
  reload(proxy(2));
  up.send(ok("no"));
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, ATunnelStaysAndIsUnharmed) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& early = client(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
  const std::string yes =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
  asked(server, 0).send(yes);
  EXPECT_EQ(next(early).status(), 101);
  SimPeer& late = client(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
  asked(server, 1);
  reload(proxy(2));
  EXPECT_EQ(play.departures.staying, 1u);
  asked(server, 1).send(yes);
  EXPECT_EQ(next(late).status(), 101);
  pass(30s);
  for (SimPeer* peer : {&early, &late}) {
    SimPeer& up = *server.peers()[peer == &early ? 0 : 1];
    peer->send("ping");
    EXPECT_GE(seconds_until([&] { return up.received().ends_with("ping"); }, 1s), 0);
    up.send("pong");
    EXPECT_GE(seconds_until([&] { return peer->received().ends_with("pong"); }, 1s), 0);
  }
  EXPECT_EQ(old_versions(), 1u);
  for (auto& up : server.peers()) up->close();
  EXPECT_GE(seconds_until([&] { return early.is_over() && late.is_over(); }, 1s), 0);
  early.close();
  late.close();
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, ARelayStaysAndIsUnharmed) {
  auto& server = upstream();
  const std::string relay = "listen(8000):connect('10.0.0.1:80')";
  start(relay);
  SimPeer& peer = client("one");
  SimPeer& up = upstream_peer(server);
  pass();
  reload(relay);
  EXPECT_EQ(play.departures.staying, 1u);
  pass(10min);
  peer.send("two");
  EXPECT_GE(seconds_until([&] { return up.received() == "onetwo"; }, 1s), 0);
  up.send("three");
  EXPECT_GE(seconds_until([&] { return peer.received() == "three"; }, 1s), 0);
  EXPECT_EQ(old_versions(), 1u);
  up.close();
  EXPECT_GE(seconds_until_over(peer), 0);
  peer.close();
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, AConnectionThatMayMoveIsTakenByWhateverListensThereNow) {
  auto& server = upstream();
  start("listen(8000):serveHTTP(Message 'x')");
  SimPeer& peer = client(get());
  EXPECT_EQ(next(peer).body, "x");
  reload("listen(8000):connect('10.0.0.1:80')");
  EXPECT_TRUE(is_alone());
  peer.send("bytes");
  SimPeer& up = upstream_peer(server);
  EXPECT_GE(seconds_until([&] { return up.received() == "bytes"; }, 1s), 0);
}

TEST_F(Reload, AnErrorAnswerStaysReadable) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& peer = client("nonsense\r\n\r\n" + std::string(1000, 'x'));
  EXPECT_EQ(next(peer).status(), 400);
  reload(proxy(2));
  EXPECT_GE(seconds_until_over(peer), 0);
  EXPECT_FALSE(peer.was_reset());
  peer.close();
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, OneThatClosesWithItsAnswerIsNotMoved) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& last = client(get("/", "Connection: close\r\n"));
  asked(server, 0);
  SimPeer& half = client(get());
  asked(server, 1);
  SimPeer& gone = client(get());
  asked(server, 2);
  reload(proxy(2));
  half.finish_sending();
  gone.reset();
  pass(1s);
  for (int i : {0, 1}) server.peers()[static_cast<size_t>(i)]->send(ok("x"));
  EXPECT_EQ(version_in(next(last)), 1);
  EXPECT_EQ(version_in(next(half)), 1);
  EXPECT_GE(seconds_until([&] { return last.is_over() && half.is_over(); }, 1s), 0);
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(play.worker->servers().front()->stats().inherited, 0u);
}

TEST_F(Reload, AClientThatLeavesInTheMomentOfTheMoveIsNoMatter) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& ended = client(get());
  SimPeer& reset = client(get());
  next(ended);
  next(reset);
  ended.close();
  reset.reset();
  pass_without_proxy();
  reload(proxy(2));
  EXPECT_TRUE(is_alone());
  pass();
  EXPECT_EQ(play.worker->sessions(), 0u);
}

// ---- handlers of sessions

TEST_F(Reload, ASessionEndsInOneVersionAndBeginsInTheNextExactlyOnce) {
  answering(ok("x"));
  start(proxy(1, "{}", "{}", told(1)));
  SimPeer& peer = client(get());
  next(peer);
  reload(proxy(2, "{}", "{}", told(2)));
  EXPECT_TRUE(is_alone());
  reload(proxy(3, "{}", "{}", told(3)));
  EXPECT_TRUE(is_alone());
  peer.close();
  pass();
  for (const char* name : {"v1", "v2", "v3"}) {
    EXPECT_EQ(count_in_log(std::string(name) + " starts nil"), 1u) << log.text;  // a new ctx
    EXPECT_EQ(count_in_log(std::string(name) + " ends " + name), 1u) << log.text;
  }
}

TEST_F(Reload, WhatASessionHeldIsReleased) {
  answering(ok("x"));
  const auto caching = [&](int version) {
    return R"(local pool = algo.ResourcePool(function(key) return { key } end, { max = 1 })
      listen(8000)
        :handleSessionStart(function(ctx) ctx.held = algo.Cache(function(key) return pool:allocate(key) end,
          function(key, it) log.info("released by )" +
           std::to_string(version) + R"("); pool:free(it) end) end)
        :demuxHTTP(pipeline()
          :handleMessageStart(function(req, ctx) ctx.held:get("a") end)
          :muxHTTP(pipeline():connect('10.0.0.1:80')):handleMessageStart(function(res) res.headers['x-v'] = ')" +
           std::to_string(version) + "' end))";
  };
  start(caching(1));
  SimPeer& peer = client("");
  EXPECT_EQ(version_of(peer), 1);
  reload(caching(2));
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(count_in_log("released by 1"), 1u);
  EXPECT_EQ(version_of(peer), 2);
  EXPECT_EQ(count_in_log("released by 2"), 0u);
}

TEST_F(Reload, ASessionWhoseStartWaitsMovesWhenThatIsDone) {
  answering(ok("x"));
  const auto waiting = [](int version) {
    return proxy(version, "{}", "{}", ":handleSessionStart(function() sleep(1) end)" + told(version));
  };
  start(waiting(1));
  SimPeer& silent = client("");
  SimPeer& talking = client(get());
  pass(500ms);
  reload(waiting(2));
  EXPECT_EQ(play.departures.moving, 2u);
  EXPECT_EQ(play.departures.staying, 0u);
  pass(700ms);
  EXPECT_EQ(play.worker->servers().front()->stats().inherited, 2u);
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(version_in(next(talking)), 2);
  EXPECT_EQ(version_of(silent), 2);
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(count_in_log("v1 ends v1"), 2u) << log.text;
}

TEST_F(Reload, ASessionBehindARouteMoves) {
  answering(ok("x"));
  const auto routed = [](int version, const std::string& wait) {
    return "listen(8000):route(function() " + wait +
           " return 'http' end)\npipeline('http'):demuxHTTP(pipeline()"
           ":muxHTTP(pipeline():connect('10.0.0.1:80')):handleMessageStart(function(res) res.headers['x-v'] "
           "= '" +
           std::to_string(version) + "' end))";
  };
  start(routed(1, ""));
  SimPeer& peer = client("");
  EXPECT_EQ(version_of(peer), 1);
  reload(routed(2, "sleep(1)"));
  EXPECT_TRUE(is_alone());
  pass(500ms);
  // Now its route waits.
  reload(routed(3, ""));
  EXPECT_EQ(play.departures.moving, 1u);
  pass(700ms);
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(version_of(peer), 3);
}

TEST_F(Reload, ASessionWhoseRouteLeadsToARelayStays) {
  auto& server = upstream();
  const std::string routed =
      "listen(8000):route(function() sleep(1) return 'tcp' end)\npipeline('tcp'):connect('10.0.0.1:80')";
  start(routed);
  SimPeer& peer = client("one");
  pass(500ms);
  reload(routed);
  pass(1s);
  peer.send("two");
  SimPeer& up = upstream_peer(server);
  EXPECT_GE(seconds_until([&] { return up.received() == "onetwo"; }, 1s), 0);
  EXPECT_EQ(old_versions(), 1u);
  up.close();
  seconds_until_over(peer);
}

TEST_F(Reload, WhatCannotMoveClosesWithItsNextAnswer) {
  answering(ok("x"));
  for (const std::string filter :
       {":handleData(function() end):demuxHTTP(pipeline():muxHTTP(pipeline():connect('10.0.0.1:80')))",
        ":decodeHTTPRequest():replaceMessage(Message 'x'):encodeHTTPResponse()"}) {
    start("listen(8000)" + filter);
    SimPeer& peer = client(get());
    EXPECT_EQ(next(peer).field("connection"), "");
    reload("listen(8000)" + filter);
    EXPECT_EQ(play.departures.staying, 1u);
    pass(1s);
    EXPECT_FALSE(peer.is_over());
    peer.send(get() + get());
    EXPECT_EQ(next(peer).field("connection"), "close") << filter;
    EXPECT_GE(seconds_until_over(peer), 0);
    peer.close();
    EXPECT_TRUE(is_alone());
    play.settle(3h);
    play.stop();
  }
  start(proxy(1));
}

// ---- listeners

TEST_F(Reload, ARemovedListenerServesItsQueueAndClosesItsClients) {
  answering(ok("x"));
  start(proxy(1) + "\nlisten(8001):serveHTTP(Message 'y')");
  SimPeer& idle = client(get());
  next(idle);
  // The kernel has completed it, and the proxy has not seen it.
  clients_.push_back(std::make_unique<sim::SimClient>(play.outside, address_of(proxy_address)));
  sim::SimClient& queued = *clients_.back();
  queued.send(get());
  pass_without_proxy();
  reload("listen(8001):serveHTTP(Message 'y')");
  EXPECT_EQ(play.departures.moving, 0u);
  EXPECT_EQ(play.departures.staying, 2u);
  const WireMessage answer = next(queued.peer());
  EXPECT_EQ(version_in(answer), 1);
  EXPECT_EQ(answer.field("connection"), "close");
  idle.send(get());
  EXPECT_EQ(next(idle).field("connection"), "close");
  EXPECT_GE(seconds_until_over(idle), 0);
  sim::SimClient late(play.outside, address_of(proxy_address));
  EXPECT_GE(seconds_until([&] { return late.has_failed(); }, 1s), 0);
  idle.close();
  queued.peer().close();
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, AnAddedListenerServes) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& peer = client(get());
  next(peer);
  reload(proxy(2) + "\nlisten(8001):serveHTTP(Message 'y')");
  sim::SimClient other(play.outside, address_of("127.0.0.1:8001"));
  other.send(get());
  EXPECT_GE(seconds_until([&] { return other.is_connected() && other.peer().received().ends_with("y"); }, 1s),
            0);
  other.drop();
  EXPECT_EQ(version_of(peer), 2);
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, AListenerThatComesBackTakesWhoIsStillThere) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& busy = client(get());
  asked(server);
  reload("listen(8001):serveHTTP(Message 'y')");
  pass();
  reload(proxy(3));
  asked(server).send(ok("x"));
  const WireMessage answer = next(busy);
  EXPECT_EQ(version_in(answer), 1);
  EXPECT_EQ(answer.field("connection"), "close");  // it was promised to nobody by then
  EXPECT_GE(seconds_until_over(busy), 0);
  busy.close();
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, OptionsThatChangedHoldForWhoMoves) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& idle = client(get());
  next(idle);
  SimPeer& other = client(get());
  next(other);
  reload(proxy(2, "{ idleTimeout = 2, headTimeout = 3 }"));
  other.send("GET / HT");
  EXPECT_NEAR(seconds_until_over(idle), 2, 0.1);
  EXPECT_EQ(next(other).status(), 408);
}

TEST_F(Reload, TheLimitOfConnectionsCountsThemOnce) {
  answering(ok("x"));
  const auto limited = [](int version, int max) {
    return proxy(version, "{ maxConnections = " + std::to_string(max) + " }");
  };
  start(limited(1, 2));
  SimPeer& first = client(get());
  SimPeer& second = client(get());
  next(first);
  next(second);
  SimPeer& third = client(get());
  for (int version = 2; version < 6; ++version) {
    reload(limited(version, 2));
    EXPECT_EQ(version_of(first), version);
    EXPECT_EQ(version_of(second), version);
    pass(500ms);
    EXPECT_EQ(third.received(), "");
    EXPECT_EQ(play.worker->sessions(), 2u);
  }
  reload(limited(6, 3));
  EXPECT_EQ(version_in(next(third, 1s)), 6);
  reload(limited(7, 1));
  EXPECT_TRUE(is_alone());
  SimPeer& fourth = client(get());
  first.close();
  second.close();
  third.send(get());
  EXPECT_EQ(version_in(next(third)), 7);
  pass(500ms);
  EXPECT_EQ(fourth.received(), "");
  third.close();
  EXPECT_EQ(version_in(next(fourth, 1s)), 7);
}

TEST_F(Reload, TheLimitOfAnAddressCountsThemOnce) {
  auto& server = upstream();
  const auto limited = [](int version) { return proxy(version, "{ maxConnectionsPerIP = 2 }"); };
  start(limited(1));
  SimPeer& first = client(get(), "10.1.1.1");
  SimPeer& second = client(get(), "10.1.1.1");
  asked(server, 1);
  asked(server, 0).send(ok("x"));
  next(first);
  for (int version = 2; version < 5; ++version) {
    reload(limited(version));
    SimPeer& third = client(get(), "10.1.1.1");
    EXPECT_GE(seconds_until_over(third), 0);
    EXPECT_TRUE(third.was_reset());
  }
  for (auto& up : server.peers()) up->send(ok("x"));
  next(second);
  EXPECT_TRUE(is_alone());
  second.close();
  pass();
  SimPeer& again = client(get(), "10.1.1.1");
  asked(server, 2).send(ok("x"));
  EXPECT_EQ(version_in(next(again)), 4);
  SimPeer& third = client(get(), "10.1.1.1");
  EXPECT_GE(seconds_until_over(third), 0);
}

// ---- what fails

struct WrongCase {
  const char* name;
  const char* script;
  const char* says;
};

class WrongReload : public Reload, public ::testing::WithParamInterface<WrongCase> {};

TEST_P(WrongReload, ChangesNothing) {
  sim::SimServer taken(play.outside, address_of("127.0.0.1:9000"));
  answering(ok("x"));
  const std::string after = R"(
    every(1, function() log.info("tick of the first") end)
    reload.onUnload(function() log.info("unloaded") end))";
  start(proxy(1, "{}", "{}", told(1)) + after);
  SimPeer& peer = client(get());
  next(peer);
  const std::string error = play.reload(GetParam().script);
  EXPECT_NE(error.find(GetParam().says), std::string::npos) << error;
  EXPECT_NE(error.find("main.lua:"), std::string::npos) << error;
  pass(3500ms);
  EXPECT_EQ(version_of(peer), 1);
  EXPECT_EQ(old_versions(), 0u);
  EXPECT_EQ(count_in_log("v1 starts"), 1u);
  EXPECT_EQ(count_in_log("v1 ends"), 0u);
  EXPECT_EQ(count_in_log("unloaded"), 0u);
  EXPECT_GE(count_in_log("tick of the first"), 3u);
  EXPECT_EQ(play.world.alive_listeners(), 3u);  // ours, the upstream's, and the one that is in the way
  sim::SimClient other(play.outside, address_of("127.0.0.1:8001"));
  EXPECT_GE(seconds_until([&] { return other.has_failed(); }, 1s), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Plays, WrongReload,
    ::testing::Values(
        WrongCase{"Syntax", "listen(8000", "')' expected"},
        WrongCase{"Unknown", "lisen(8000)", "did you mean"},
        WrongCase{"Raises", "listen(8001):serveHTTP(Message 'x')\nerror('no')", "no"},
        WrongCase{"Waits", "listen(8001):serveHTTP(Message 'x')\nsleep(1)", "sleep"},
        WrongCase{"Unloads", "reload.onUnload(function() log.info('unloaded') end)\nlisten(",
                  "unexpected symbol"},
        WrongCase{"Nothing", "local a = 1", "there is nothing to do"},
        WrongCase{
            "PortTaken",
            "reload.onUnload(function() log.info('unloaded') end)\nlisten(8001):serveHTTP(Message 'x')\n"
            "listen('127.0.0.1:9000'):serveHTTP(Message 'x')",
            "cannot listen on"}),
    [](const auto& given) { return std::string(given.param.name); });

TEST_F(Reload, WhoCameToAnAddressThatIsNotKeptIsReset) {
  answering(ok("x"));
  start(proxy(1));
  ScriptFolder folder;
  ASSERT_TRUE(
      play.worker->load({folder.write(proxy(2) + "\nlisten(8001):serveHTTP(Message 'y')")}).has_value());
  ASSERT_TRUE(play.worker->listen().has_value());
  sim::SimClient early(play.outside, address_of("127.0.0.1:8001"));
  early.send(get());
  pass();
  EXPECT_TRUE(early.is_connected());
  play.worker->discard();  // another worker could not do it
  EXPECT_GE(seconds_until([&] { return early.peer().is_over(); }, 1s), 0);
  EXPECT_EQ(early.peer().received(), "");
  SimPeer& peer = client("");
  EXPECT_EQ(version_of(peer), 1);
  EXPECT_EQ(play.worker->sessions(), 1u);
}

// ---- one reload after the other

TEST_F(Reload, WhoIsBusyOverSeveralReloadsMovesToTheLast) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& peer = client(get());
  SimPeer& up = asked(server);
  for (int version = 2; version < 8; ++version) {
    reload(proxy(version));
    pass(200ms);
    EXPECT_EQ(old_versions(), 1u);
  }
  up.send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 1);
  EXPECT_TRUE(is_alone());
  peer.send(get());
  asked(server, 1).send(ok("x"));
  EXPECT_EQ(version_in(next(peer)), 7);
}

TEST_F(Reload, ReloadsInOneTurnLeaveNothing) {
  answering(ok("x"));
  start(proxy(1));
  SimPeer& peer = client(get());
  next(peer);
  for (int version = 2; version < 60; ++version) reload(proxy(version));
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(version_of(peer), 59);
}

TEST_F(Reload, WhatIsReloadedWithoutPauseEndsAllTheSame) {
  answering(ok("x"));
  start(proxy(1));
  for (int version = 2; version < 100; ++version) {
    reload(proxy(version));
    play.world.run_for(20ms);
    EXPECT_LT(old_versions(), 10u) << version;
  }
}

TEST_F(Reload, TunnelsKeepSoManyVersionsAndNoMore) {
  const std::string yes =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
  answering(yes);
  start(proxy(1));
  std::vector<SimPeer*> peers;
  for (int version = 2; version < 42; ++version) {
    peers.push_back(&client(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n")));
    EXPECT_EQ(next(*peers.back()).status(), 101);
    reload(proxy(version));
  }
  pass(1s);
  EXPECT_EQ(old_versions(), limits::old_versions_max);
  for (size_t i = 0; i < peers.size(); ++i)
    EXPECT_EQ(peers[i]->is_over(), i < peers.size() - limits::old_versions_max) << i;
  EXPECT_TRUE(peers.front()->was_reset());
}

TEST_F(Reload, ATunnelKeepsItsVersionForATimeAndNoLonger) {
  play.shared.old_version_timeout = 5s;
  auto& server = upstream();
  start("listen(8000):connect('10.0.0.1:80')");
  SimPeer& peer = client("one");
  upstream_peer(server);
  reload("listen(8000):connect('10.0.0.1:80')");
  EXPECT_NEAR(seconds_until_over(peer), 5, 0.1);
  EXPECT_TRUE(peer.was_reset());
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, WhoseConnectionMovesIsNotCutByThatTime) {
  play.shared.old_version_timeout = 5s;
  answering(ok("x"));
  start(proxy(1));
  SimPeer& peer = client(get());
  next(peer);
  reload(proxy(2));
  pass(20s);
  EXPECT_EQ(version_of(peer), 2);
}

// ---- what a script does about it

TEST_F(Reload, TasksOfTheOldVersionStop) {
  start(
      "listen(8000):serveHTTP(Message 'x')\nevery(1, function() log.info('tick 1') sleep(0.5) log.info('tock "
      "1') end)\n"
      "after(10, function() log.info('late 1') end)");
  pass(2200ms);
  reload("listen(8000):serveHTTP(Message 'x')\nevery(1, function() log.info('tick 2') end)");
  pass(60s);
  EXPECT_EQ(count_in_log("tick 1"), 2u);
  EXPECT_EQ(count_in_log("tock 1"), 1u);
  EXPECT_EQ(count_in_log("late 1"), 0u);
  EXPECT_GE(count_in_log("tick 2"), 5u);
  EXPECT_TRUE(is_alone());
}

// Connections to an upstream go on, and with them what the version before has shown its hooks.
TEST_F(Reload, HooksOfTheNewVersionSeeConnectionsOfTheOldOne) {
  auto& server = upstream();
  const auto hooked = [](int version) {
    return "local api = upstream('api', { endpoints = { '" + std::string(upstream_address) +
           "' }, onLease = function(ctx) ctx.uses = (ctx.uses or 0) + 1 log.info('v" +
           std::to_string(version) +
           " uses ' .. ctx.uses .. ' ' .. tostring(ctx.key)) end,"
           " onRelease = function(ctx) log.info('released by v" +
           std::to_string(version) + "') end })\nlisten(8000):demuxHTTP(pipeline():forward(api))";
  };
  start(hooked(1));
  SimPeer& peer = client(get());
  asked(server).send(ok("one"));
  next(peer);
  SimPeer& busy = client(get());
  asked(server);
  reload(hooked(2));
  peer.send(get());
  pass(1s);
  SimPeer& up = asked(server);
  for (const auto& each : server.peers()) each->send(ok("two"));
  pass(2s);
  EXPECT_EQ(status(busy), 200);
  EXPECT_EQ(status(peer), 200);
  (void)up;
  peer.send(get());
  asked(server).send(ok("three"));
  pass(2s);
  EXPECT_GE(count_in_log("v1 uses 1"), 1u);
  EXPECT_GE(count_in_log("v2 uses 1"), 1u);
  EXPECT_GE(count_in_log("released by v2"), 2u);
  EXPECT_FALSE(log.has("script:")) << log.text;
  EXPECT_TRUE(is_alone());
}

// Work that a handler began belongs to its request; a chain of tasks that the file began at its top does not.
TEST_F(Reload, WhatAHandlerPutOffGoesOn) {
  start(R"(listen(8000):serveHTTP(function(req)
  local left = 2
  for i = 1, 2 do
    after(0, function()
      sleep(2)
      left = left - 1
      after(0, function() log.info("of a handler") end)
    end)
  end
  after(1, function() sleep(5) log.info("longer than its request") end)
  after(30, function() log.info("later than all") end)
  while left > 0 do sleep(0.1) end
  return Message "both"
end)
local function again()
  log.info("chain 1")
  after(1, again)
end
after(1, again))");
  SimPeer& peer = client(get());
  pass(1500ms);
  reload("listen(8000):serveHTTP(Message 'x')");
  pass(1s);
  EXPECT_EQ(body(peer), "both");
  pass(1s);
  EXPECT_EQ(count_in_log("of a handler"), 2u);
  EXPECT_FALSE(is_alone()) << "one has begun";
  pass(10s);
  EXPECT_EQ(count_in_log("longer than its request"), 1u);
  EXPECT_EQ(count_in_log("later than all"), 0u);
  EXPECT_EQ(count_in_log("chain 1"), 1u);
  EXPECT_TRUE(is_alone());
}

TEST_F(Reload, UnloadIsToldOnceWhenTheLastConnectionHasEnded) {
  auto& server = upstream();
  const auto unloading = [](int version) {
    return proxy(version, "{}", "{}", told(version)) +
           "\nlocal served = 0\nreload.onUnload(function() log.info('unloads " + std::to_string(version) +
           "') end)\nreload.onUnload(function() log.info('twice " + std::to_string(version) + "') end)";
  };
  start(unloading(1));
  SimPeer& peer = client(get());
  asked(server);
  reload(unloading(2));
  pass(5s);
  EXPECT_EQ(count_in_log("unloads 1"), 0u);
  asked(server).send(ok("x"));
  next(peer);
  EXPECT_TRUE(is_alone());
  EXPECT_EQ(count_in_log("unloads 1"), 1u);
  EXPECT_EQ(count_in_log("twice 1"), 1u);
  EXPECT_LT(log.text.find("v1 ends"), log.text.find("unloads 1"));
  EXPECT_EQ(count_in_log("unloads 2"), 0u);
  ASSERT_NE(play.reload("reload.onUnload(function() log.info('unloads 3') end) error 'x'"), "");
  // Loaded, and dropped.
  ScriptFolder folder;
  ASSERT_TRUE(play.worker->load({folder.write(unloading(4))}).has_value());
  play.worker->discard();
  pass(1s);
  peer.close();
  pass();
  EXPECT_EQ(play.stop(), "");
  EXPECT_EQ(count_in_log("unloads 2"), 1u);
  EXPECT_EQ(count_in_log("unloads 3"), 0u);
  EXPECT_EQ(count_in_log("unloads 4"), 0u);
}

TEST_F(Reload, AnUnloadThatFailsHarmsNobody) {
  start(
      "listen(8000):serveHTTP(Message 'x')\nreload.onUnload(function() error('oops') end)\n"
      "reload.onUnload(function() sleep(1) end)\nreload.onUnload(function() log.info('third') end)");
  reload("listen(8000):serveHTTP(Message 'y')");
  EXPECT_TRUE(is_alone());
  EXPECT_TRUE(log.has("oops")) << log.text;
  EXPECT_TRUE(log.has("may not wait")) << log.text;
  EXPECT_TRUE(log.has("third")) << log.text;
  EXPECT_EQ(play.reload("listen(8000):serveHTTP(Message 'z')"), "");
}

std::string keeping(const std::string& keep) {
  return keep + "\nlisten(8000):serveHTTP(function(req) return Message(tostring(answer(req))) end)";
}

TEST_F(Reload, KeptValuesPassFromVersionToVersion) {
  const auto script = keeping(R"(
    local counts = reload.keep("counts", { hits = 0, names = {} })
    local number = reload.keep("number", 7)
    local function answer(req)
      counts.hits = counts.hits + 1
      counts.names[#counts.names + 1] = req.path
      number = reload.keep("number", number + 1)
      return counts.hits .. " " .. number .. " " .. table.concat(counts.names, ",")
    end)");
  start(script);
  SimPeer& peer = client(get("/a"));
  EXPECT_EQ(next(peer).body, "1 8 /a");
  reload(script);
  peer.send(get("/b"));
  EXPECT_EQ(next(peer).body, "2 9 /a,/b");
  reload(script);
  reload(script);
  peer.send(get("/c"));
  EXPECT_EQ(next(peer).body, "3 10 /a,/b,/c");
  // A version that does not ask for it forgets it.
  reload("listen(8000):serveHTTP(Message 'x')");
  reload(script);
  peer.send(get("/d"));
  EXPECT_EQ(next(peer).body, "1 8 /d");
}

TEST_F(Reload, KeptValuesOfAFailedReloadAreNotTaken) {
  const auto script = keeping(R"(
    local counts = reload.keep("counts", { hits = 0 })
    local function answer() counts.hits = counts.hits + 1 return counts.hits end)");
  start(script);
  SimPeer& peer = client(get());
  EXPECT_EQ(next(peer).body, "1");
  ASSERT_NE(play.reload("local counts = reload.keep('counts', 1)\ncounts.hits = 100\nerror 'x'"), "");
  peer.send(get());
  EXPECT_EQ(next(peer).body, "2");
}

struct KeepCase {
  const char* name;
  const char* script;
  const char* says;
};

class WrongKeep : public Reload, public ::testing::WithParamInterface<KeepCase> {};

TEST_P(WrongKeep, IsRefusedWithItsLine) {
  start("listen(8000):serveHTTP(Message 'x')");
  const std::string error =
      play.reload(std::string("\n") + GetParam().script + "\nlisten(8000):serveHTTP(Message 'x')");
  EXPECT_NE(error.find(GetParam().says), std::string::npos) << error;
  EXPECT_NE(error.find("main.lua:2:"), std::string::npos) << error;
}

INSTANTIATE_TEST_SUITE_P(
    Plays, WrongKeep,
    ::testing::Values(
        KeepCase{"Name", "reload.keep(1, 2)", "argument 1 (name) expects a string, got 1"},
        KeepCase{"Function", "reload.keep('a', print)", "\"a\" cannot be kept"},
        KeepCase{"InTable", "reload.keep('a', { b = { pipeline } })", "\"a\" cannot be kept"},
        KeepCase{"Object", "reload.keep('a', algo.URLRouter {})", "\"a\" cannot be kept"},
        KeepCase{"SharedTables", "local t = {} for i = 1, 40 do t = { t, t } end reload.keep('a', t)",
                 "it is larger than 16777216 bytes"},
        KeepCase{"Cycle", "local t = {} t[1], t[2] = t, t reload.keep('a', t)", "\"a\" cannot be kept"},
        KeepCase{"Twice", "reload.keep('a', 1) reload.keep('a', 2)", "\"a\" is kept already"},
        KeepCase{"Misspelt", "reload.kep('a', 1)", "did you mean"},
        KeepCase{"UnloadOfWhat", "reload.onUnload('x')", "argument 1 (fn) expects a function"}),
    [](const auto& given) { return std::string(given.param.name); });

TEST_F(Reload, AKeptValueThatGrewTooLargeIsLostAndSaid) {
  const auto script = keeping(R"(
    local kept = reload.keep("big", { text = "" })
    local function answer(req) if req.path == "/grow" then kept.text = ("x"):rep(17 * 1024 * 1024) end return #kept.text end)");
  start(script);
  SimPeer& peer = client(get("/grow"));
  EXPECT_EQ(next(peer).body, "17825792");
  reload(script);
  EXPECT_TRUE(log.has("reload.keep: \"big\" is lost: it is larger than 16777216 bytes")) << log.text;
  peer.send(get());
  EXPECT_EQ(next(peer).body, "0");
}

TEST_F(Reload, AKeptValueThatIsNoPlainDataAnyMoreIsLostAndSaid) {
  const auto script = keeping(R"(
    local kept = reload.keep("it", { 1 })
    local function answer(req) if req.path == "/spoil" then kept[2] = function() end end return #kept end)");
  start(script);
  SimPeer& peer = client(get("/spoil"));
  EXPECT_EQ(next(peer).body, "2");
  reload(script);
  EXPECT_TRUE(log.has("reload.keep: \"it\" is lost: ")) << log.text;
  peer.send(get());
  EXPECT_EQ(next(peer).body, "1");
}

TEST_F(Reload, EachExchangeHasItsLineInTheAccessLog) {
  CollectedLines lines;
  play.shared.outputs = &lines;
  auto& server = upstream();
  const std::string options = "{ accessLog = true }";
  start(proxy(1, options));
  SimPeer& peer = client(get("/one"));
  SimPeer& up = asked(server);
  reload(proxy(2, options));
  up.send(ok("x"));
  next(peer);
  EXPECT_TRUE(is_alone());
  peer.send(get("/two"));
  asked(server, 1).send(ok("x"));
  next(peer);
  SimPeer& cut = client(get("/three"));
  EXPECT_GE(seconds_until(
                [&] { return server.peers().back()->received().find("/three") != std::string::npos; }, 1s),
            0);
  reload(proxy(3, options));
  cut.reset();
  pass();
  EXPECT_TRUE(is_alone());
  for (const char* path : {"GET /one", "GET /two", "GET /three"}) {
    const size_t first = lines.lines.find(path);
    ASSERT_NE(first, std::string::npos) << path << "\n" << lines.lines;
    EXPECT_EQ(lines.lines.find(path, first + 1), std::string::npos) << lines.lines;
  }
  peer.close();
  pass();
  play.stop();  // before its lines go
}

// ---- connections to upstreams

TEST_F(Reload, IdleConnectionsOfMuxHTTPCloseAtOnceAndBusyOnesBehindTheirExchange) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& first = client(get());
  SimPeer& second = client(get());
  asked(server, 0).send(ok("x"));
  next(first);
  asked(server, 1);
  // Whose begun request keeps the version.
  reload(proxy(2));
  EXPECT_GE(seconds_until([&] { return server.peers()[0]->is_over(); }, 1s), 0);
  EXPECT_FALSE(server.peers()[1]->is_over());
  server.peers()[1]->send(ok("x"));
  EXPECT_EQ(version_in(next(second)), 1);
  EXPECT_GE(seconds_until([&] { return server.peers()[1]->is_over(); }, 1s), 0);
}

TEST_F(Reload, RequestsThatWaitForAConnectionStillGetOne) {
  auto& server = upstream();
  const auto narrow = [](int version) {
    return proxy(version, "{}", "{}", "", ", 'one', { maxSessions = 1 }");
  };
  start(narrow(1));
  std::vector<SimPeer*> peers;
  for (int i = 0; i < 4; ++i) peers.push_back(&client(get("/" + std::to_string(i))));
  asked(server);
  pass();
  reload(narrow(2));
  for (size_t i = 0; i < 4; ++i) {
    pass(200ms);
    SimPeer& up = *server.peers().back();
    EXPECT_FALSE(up.is_over());
    up.send(ok("x"));
    EXPECT_EQ(version_in(next(*peers[i])), 1);
  }
  EXPECT_TRUE(is_alone());
}

// ---- the end

TEST_F(Reload, TheEndOfTheProcessEndsAllVersions) {
  auto& server = upstream();
  start(proxy(1));
  client(get());
  asked(server);
  reload(proxy(2));
  client(get());
  asked(server, 1);
  reload(proxy(3));
  EXPECT_EQ(old_versions(), 2u);
  EXPECT_EQ(play.stop(), "");
}

TEST_F(Reload, DrainingEndsWhoWasAboutToMove) {
  auto& server = upstream();
  start(proxy(1));
  SimPeer& busy = client(get());
  SimPeer& up = asked(server);
  reload(proxy(2));
  SimPeer& idle = client(get());
  asked(server, 1).send(ok("x"));
  next(idle);
  play.worker->stop_accepting();
  const auto wind_down = std::make_shared<std::function<void()>>();
  *wind_down = [this, again = std::weak_ptr(wind_down)] {
    play.worker->wind_down();
    play.world.after(50ms, [again] {
      if (const auto function = again.lock()) (*function)();
    });
  };
  (*wind_down)();
  EXPECT_GE(seconds_until_over(idle), 0);
  idle.close();
  pass(2s);
  up.send(ok("x"));
  EXPECT_EQ(version_in(next(busy)), 1);
  EXPECT_GE(seconds_until([&] { return busy.is_over(); }, 3s), 0);
  busy.close();
  EXPECT_GE(seconds_until([&] { return play.worker->sessions() == 0; }, 1s), 0);
}

}  // namespace
}  // namespace perilune::tests
