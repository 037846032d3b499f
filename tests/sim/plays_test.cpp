#include <gtest/gtest.h>

#include "sim_play.hpp"

/// Exact plays of whole proxies on the virtual clock: what happens, and when to the millisecond.

namespace perilune::tests {
namespace {

// ---- times of the client's side

TEST_F(SimPlay, AConnectionThatIsNeverUsedClosesSilently) {
  start(reverse_proxy());
  SimPeer& peer = client("");
  EXPECT_NEAR(seconds_until_over(peer), 10, exact);
  EXPECT_EQ(peer.received(), "");
}

TEST_F(SimPlay, HalfAHeadIsA408AfterTheHeadTimeout) {
  start(reverse_proxy("{ headTimeout = 3 }"));
  SimPeer& peer = client("GET / HT");
  EXPECT_NEAR(seconds_until_answer(peer), 3, exact);
  EXPECT_EQ(status(peer), 408);
  EXPECT_GE(seconds_until_over(peer), 0);
}

TEST_F(SimPlay, BytesOfAHeadDoNotProlongIt) {
  start(reverse_proxy("{ headTimeout = 3 }"));
  SimPeer& peer = client("");
  peer.send_slowly(get("/", "X-Long: " + std::string(100, 'x') + "\r\n"), 1, 500ms);
  EXPECT_NEAR(seconds_until_answer(peer), 3, exact);
  EXPECT_EQ(status(peer), 408);
}

TEST_F(SimPlay, TheHeadTimeoutOfALaterRequestBeginsWithItsFirstByte) {
  start(reverse_proxy("{ headTimeout = 3 }"));
  answering(ok("one"));
  SimPeer& peer = client(get());
  pass(20s);
  ASSERT_EQ(peer.take_received().substr(0, 12), "HTTP/1.1 200");
  peer.send("GET");
  EXPECT_NEAR(seconds_until_answer(peer), 3, exact);
  EXPECT_EQ(status(peer), 408);
}

TEST_F(SimPlay, AnIdleConnectionClosesWithoutAWord) {
  start(reverse_proxy("{ idleTimeout = 7 }"));
  answering(ok("one"));
  SimPeer& peer = client(get());
  ASSERT_GE(seconds_until_answer(peer), 0);
  const std::string before = peer.received();
  EXPECT_NEAR(seconds_until_over(peer), 7, exact);
  EXPECT_TRUE(peer.has_ended());
  EXPECT_EQ(peer.received(), before);
}

TEST_F(SimPlay, TheDefaultsAreThoseOfTheTable) {
  start(reverse_proxy());
  answering(ok("one"));
  SimPeer& idle = client(get());
  ASSERT_GE(seconds_until_answer(idle), 0);
  EXPECT_NEAR(seconds_until_over(idle), 60, exact);
}

TEST_F(SimPlay, ABodyThatStopsIsA408) {
  start(reverse_proxy("{ readTimeout = 4 }"));
  upstream();
  SimPeer& peer = client(post("half", 8));
  EXPECT_NEAR(seconds_until_answer(peer), 4, exact);
  EXPECT_EQ(status(peer), 408);
  EXPECT_GE(seconds_until_over(peer), 0);
}

TEST_F(SimPlay, ABodyThatTricklesIsA408) {
  start(reverse_proxy("{ minBodyRate = 1000 }"));
  upstream();
  SimPeer& peer = client(post("", 100'000));
  peer.send_slowly(std::string(100'000, 'b'), 10, 100ms);
  // 100 bytes a second: after t seconds it was allowed 10 s, and a tenth of t.
  EXPECT_NEAR(seconds_until_answer(peer), 10 / 0.9, 1);
  EXPECT_EQ(status(peer), 408);
}

TEST_F(SimPlay, ABodyThatTricklesIsA408ByDefaultToo) {
  start(reverse_proxy());
  upstream();
  SimPeer& peer = client(post("", 100'000));
  peer.send_slowly(std::string(100'000, 'b'), 40, 100ms);
  EXPECT_NEAR(seconds_until_answer(peer), 10 / (1 - 0.8), 5);
  EXPECT_EQ(status(peer), 408);
}

TEST_F(SimPlay, ABodyMayPauseInItsTimeOfGrace) {
  start(reverse_proxy());
  answering(ok("thanks"));
  SimPeer& peer = client(post("", 1000));
  pass(9s);
  peer.send(std::string(1000, 'b'));
  pass();
  EXPECT_EQ(body(peer), "thanks");
}

TEST_F(SimPlay, WithoutARateABodyMayTakeItsTime) {
  start(reverse_proxy("{ minBodyRate = 0 }"));
  answering(ok("thanks"));
  SimPeer& peer = client(post("", 10));
  peer.send_slowly(std::string(10, 'b'), 1, 50s);
  EXPECT_NEAR(seconds_until_answer(peer), 450, exact);
  EXPECT_EQ(body(peer), "thanks");
}

TEST_F(SimPlay, ABodyThatIsFastEnoughIsNot) {
  start(reverse_proxy("{ minBodyRate = 1000, readTimeout = 2 }"));
  answering(ok("thanks"));
  SimPeer& peer = client(post("", 100'000));
  peer.send_slowly(std::string(100'000, 'b'), 1500, 1s);
  EXPECT_NEAR(seconds_until_answer(peer), 66, 0.5);
  EXPECT_EQ(body(peer), "thanks");
}

TEST_F(SimPlay, AnUploadThatTheUpstreamHoldsUpIsNotTheClientsFault) {
  start(reverse_proxy("{ readTimeout = 2, minBodyRate = 1000000 }", "", "{ readTimeout = 100 }"));
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) { peer.pause_reading(); };
  const std::string bytes(3'000'000, 'b');
  SimPeer& peer = client(post(bytes, bytes.size()));
  pass(40s);
  EXPECT_EQ(peer.received(), "");
  ASSERT_EQ(server.peers().size(), 1u);
  server.peers()[0]->resume_reading();
  seconds_until([&] { return server.peers()[0]->received().size() > bytes.size(); });
  server.peers()[0]->send(ok("done"));
  EXPECT_GE(seconds_until_answer(peer), 0);
  EXPECT_EQ(body(peer), "done");
}

TEST_F(SimPlay, AReaderThatStopsIsCutAfterTheWriteTimeout) {
  start(reverse_proxy("{ writeTimeout = 6 }"));
  answering(ok(std::string(5'000'000, 'b')));
  SimPeer& peer = client("");
  peer.pause_reading();
  peer.send(get());
  pass(5900ms);
  EXPECT_EQ(play.worker->sessions(), 1u);
  pass(200ms);
  EXPECT_EQ(play.worker->sessions(), 0u);
  peer.resume_reading();
  pass();
  EXPECT_TRUE(peer.was_reset()) << "a cut is no end";
}

TEST_F(SimPlay, AReaderOfAFewBytesASecondIsCutToo) {
  start(reverse_proxy("{ writeTimeout = 6 }"));
  answering(ok(std::string(5'000'000, 'b')));
  SimPeer& peer = client("");
  peer.pause_reading();
  peer.send(get());
  pass(1s);
  int seconds = 1;
  for (; seconds < 60 && play.worker->sessions() > 0; ++seconds) {
    peer.read_some(20);
    pass(1s);
  }
  EXPECT_NEAR(seconds, 7, 3);
  EXPECT_TRUE(log.has("write-timeout"));
}

TEST_F(SimPlay, AReaderThatIsSlowButReadsIsNotCut) {
  start(reverse_proxy("{ writeTimeout = 6 }"));
  answering(ok(std::string(5'000'000, 'b')));
  SimPeer& peer = client("");
  peer.pause_reading();
  peer.send(get());
  pass(1s);
  for (int i = 0; i < 60; ++i) {
    peer.read_some(200);
    pass(1s);
  }
  EXPECT_EQ(play.worker->sessions(), 1u);
  peer.resume_reading();
  pass(1s);
  EXPECT_EQ(body(peer).size(), 5'000'000u);
}

// ---- times of the upstream's side

TEST_F(SimPlay, AnUpstreamThatIsNotThereIsA502AtOnce) {
  start(reverse_proxy());
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_answer(peer), 0, exact);
  EXPECT_EQ(status(peer), 502);
}

TEST_F(SimPlay, AnUpstreamThatDoesNotAcceptIsA502AfterTheConnectTimeout) {
  start(reverse_proxy("{}", "", "{ connectTimeout = 2 }"));
  play.world.set_behaviour(address_of(upstream_address), {.connect = SimBehaviour::Connect::BlackHole});
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_answer(peer), 2, exact);
  EXPECT_EQ(status(peer), 502);
  EXPECT_TRUE(log.has("connect-timeout"));
}

TEST_F(SimPlay, ANameThatIsNotAnsweredCountsInTheConnectTimeout) {
  start("listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect('silent.test:80')))");
  play.world.dns().silence("silent.test");
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_answer(peer), 5, exact);
  EXPECT_EQ(status(peer), 502);
}

TEST_F(SimPlay, AnUpstreamThatDoesNotAnswerIsA504) {
  start(reverse_proxy("{}", "", "{ readTimeout = 9 }"));
  upstream();
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_answer(peer), 9, exact);
  EXPECT_EQ(status(peer), 504);
  EXPECT_FALSE(peer.is_over()) << "the client's side is in step";
}

TEST_F(SimPlay, AnUpstreamThatStopsInItsAnswerIsCut) {
  start(reverse_proxy("{}", "", "{ readTimeout = 9 }"));
  answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_over(peer), 9, exact);
  EXPECT_EQ(body(peer), "half");
  EXPECT_FALSE(take_message(peer.received(), WireKind::Response, true).is_complete);
}

TEST_F(SimPlay, EachByteOfAnAnswerProlongsTheReadTimeout) {
  start(reverse_proxy("{}", "", "{ readTimeout = 3 }"));
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) { peer.send_slowly(ok("slow and steady"), 5, 2s); };
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until([&] { return bodies(peer).size() == 1; }), 20, 2.1);
  EXPECT_EQ(body(peer), "slow and steady");
}

TEST_F(SimPlay, AClientThatReadsSlowlyIsNotTheUpstreamsFault) {
  start(reverse_proxy("{ writeTimeout = 1000 }", "", "{ readTimeout = 3 }"));
  const std::string bytes(3'000'000, 'b');
  answering(ok(bytes));
  SimPeer& peer = client("");
  peer.pause_reading();
  peer.send(get());
  pass(30s);
  peer.resume_reading();
  pass(5s);
  EXPECT_EQ(body(peer).size(), bytes.size());
}

TEST_F(SimPlay, TheTimeoutFilterIsA504AndCallsTheUpstreamOff) {
  start("listen(8000):demuxHTTP(pipeline():timeout(2):muxHTTP(pipeline():connect('10.0.0.1:80')))");
  sim::SimServer& server = upstream();
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_answer(peer), 2, exact);
  EXPECT_EQ(status(peer), 504);
  pass();
  ASSERT_EQ(server.peers().size(), 1u);
  EXPECT_TRUE(server.peers()[0]->is_over());
}

TEST_F(SimPlay, TheTimeoutFilterLeavesAnAnswerThatHasBegun) {
  start("listen(8000):demuxHTTP(pipeline():timeout(2):muxHTTP(pipeline():connect('10.0.0.1:80')))");
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) { peer.send_slowly(ok("takes its time"), 50, 4s); };
  SimPeer& peer = client(get());
  pass(10s);
  EXPECT_EQ(body(peer), "takes its time");
}

TEST_F(SimPlay, ASilentTunnelIsCutAfterItsIdleTimeout) {
  start(reverse_proxy("{}", ", { tunnelIdleTimeout = 30 }", "{ readTimeout = 5 }"));
  sim::SimServer& server =
      answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  SimPeer& peer = client(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
  ASSERT_GE(seconds_until_answer(peer), 0);
  pass(29s);
  peer.send("ping");
  pass(29s);
  ASSERT_EQ(server.peers().size(), 1u);
  server.peers()[0]->send("pong");
  pass();
  EXPECT_TRUE(peer.received().ends_with("pong"));
  EXPECT_NEAR(seconds_until_over(peer), 30, 0.1);
  EXPECT_TRUE(peer.was_reset());
}

// ---- queues and limits

TEST_F(SimPlay, AQueuedRequestIsA503AfterFiveSeconds) {
  start(reverse_proxy("{}", ", 'one', { maxSessions = 1 }"));
  sim::SimServer& server = upstream();
  client(get("/first"));
  pass();
  SimPeer& second = client(get("/second"));
  EXPECT_NEAR(seconds_until_answer(second), 5, exact);
  EXPECT_EQ(status(second), 503);
  EXPECT_FALSE(second.is_over());
  server.peers()[0]->send(ok("late"));
  pass();
  EXPECT_EQ(bodies(*&clients_[0]->peer()), std::vector<std::string>{"late"});
}

TEST_F(SimPlay, AFullQueueIsA503AtOnce) {
  start(reverse_proxy("{}", ", 'one', { maxSessions = 1, queue = 2 }"));
  upstream();
  client(get());
  client(get());
  client(get());
  pass();
  SimPeer& fourth = client(get());
  EXPECT_NEAR(seconds_until_answer(fourth), 0, exact);
  EXPECT_EQ(status(fourth), 503);
  EXPECT_TRUE(log.has("queue-full"));
}

TEST_F(SimPlay, AWaitingRequestThatLeavesMakesRoom) {
  start(reverse_proxy("{}", ", 'one', { maxSessions = 1, queue = 1, queueTimeout = 30 }"));
  sim::SimServer& server = upstream();
  SimPeer& first = client(get("/first"));
  pass();
  client(get("/leaves")).reset();
  pass();
  SimPeer& third = client(get("/third"));
  pass();
  server.peers()[0]->send(ok("1"));
  pass();
  server.peers()[0]->send(ok("3"));
  pass();
  EXPECT_EQ(body(first), "1");
  EXPECT_EQ(body(third), "3");
  EXPECT_EQ(server.peers()[0]->received().find("/leaves"), std::string::npos);
}

TEST_F(SimPlay, AKeySharesItsConnectionsInOrder) {
  start(reverse_proxy("{}", ", 'one', { maxSessions = 2 }"));
  sim::SimServer& server = upstream();
  std::vector<SimPeer*> peers;
  for (int i = 0; i < 6; ++i) {
    peers.push_back(&client(get("/" + std::to_string(i))));
    pass(10ms);
  }
  for (int i = 0; i < 6; ++i) {
    ASSERT_EQ(server.peers().size(), 2u);
    SimPeer& busy = *server.peers()[static_cast<size_t>(i % 2)];
    const std::string wanted = "GET /" + std::to_string(i) + " ";
    EXPECT_NE(busy.received().find(wanted), std::string::npos) << wanted;
    busy.send(ok(std::to_string(i)));
    pass(10ms);
    EXPECT_EQ(body(*peers[static_cast<size_t>(i)]), std::to_string(i));
  }
}

// A denial that a script kept for later must not let in whom it was to deny.
TEST_F(SimPlay, AMessageThatIsOverIsNoAnswer) {
  start(R"(local kept = {}
listen(8000):demuxHTTP(pipeline()
  :handleMessageStart(function(req, ctx)
    ctx.path = req.path
    return kept[req.path]
  end)
  :replaceMessage(function(req) return kept.replaced or Message "open" end)
  :handleMessageStart(function(res, ctx)
    kept[ctx.path] = ctx.path == "/request" and ctx.request or res
    if ctx.path == "/replaced" then kept.replaced = res end
  end)))");
  for (const char* path : {"/response", "/request", "/replaced"}) {
    SimPeer& first = client(get(path));
    pass();
    EXPECT_EQ(body(first), "open") << path;
    SimPeer& second = client(get(path));
    pass();
    EXPECT_EQ(status(second), 500) << path;
    pass(2s);
  }
  SimPeer& other = client(get("/other"));
  pass();
  EXPECT_EQ(status(other), 500);
  EXPECT_TRUE(log.has(":3: the function gave a Message that is over: copy what you need"));
  EXPECT_TRUE(log.has(":7: the function gave a Message that is over"));
}

TEST_F(SimPlay, BeyondMaxConnectionsNewcomersWait) {
  start(reverse_proxy("{ maxConnections = 2 }"));
  answering(ok("hi"));
  SimPeer& first = client("GET / HTTP/1.1\r\n");
  client("GET / HTTP/1.1\r\n");
  SimPeer& third = client(get());
  pass(5s);
  EXPECT_EQ(play.worker->sessions(), 2u);
  EXPECT_EQ(third.received(), "");
  EXPECT_TRUE(log.has("accept paused: 2 connections are open (maxConnections)"));
  first.close();
  EXPECT_NEAR(seconds_until_answer(third), 0, exact);
  EXPECT_EQ(status(third), 200);
  EXPECT_EQ(play.worker->servers()[0]->stats().idle_ended, 0u);
}

TEST_F(SimPlay, AtMaxConnectionsThoseThatAreIdleGiveWay) {
  start(reverse_proxy("{ maxConnections = 3 }"));
  answering(ok("hi"));
  SimPeer& idle = client(get());
  SimPeer& unused = client("");
  SimPeer& busy = client("GET / HTTP/1.1\r\n");
  SimPeer& newcomer = client(get());
  EXPECT_NEAR(seconds_until_answer(newcomer), 2, 0.2) << "they are a second old, and have one more to close";
  EXPECT_TRUE(idle.is_over() && !idle.was_reset());
  EXPECT_FALSE(unused.is_over()) << "one newcomer, one place";
  busy.send("Host: a\r\n\r\n");
  pass();
  EXPECT_EQ(status(busy), 200);
  const edge::ServerStats& stats = play.worker->servers()[0]->stats();
  EXPECT_EQ(stats.idle_ended, 1u);
  EXPECT_EQ(stats.pauses, 1u);
}

TEST_F(SimPlay, AtMaxConnectionsNobodyGivesWayToNobody) {
  start(reverse_proxy("{ maxConnections = 3 }"));
  answering(ok("hi"));
  std::vector<SimPeer*> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(&client(get()));
  pass(30s);
  for (SimPeer* peer : peers) EXPECT_FALSE(peer->is_over());
  EXPECT_EQ(play.worker->servers()[0]->stats().pauses, 0u);
  EXPECT_FALSE(log.has("accept paused"));
  // Each that comes now takes the place of one, which has a second to close.
  SimPeer& fourth = client(get());
  SimPeer& fifth = client(get());
  EXPECT_NEAR(seconds_until_answer(fourth), 1, 0.2);
  EXPECT_NEAR(seconds_until_answer(fifth), 0, 0.2);
  pass();
  EXPECT_EQ(play.worker->sessions(), 3u);
  EXPECT_EQ(play.worker->servers()[0]->stats().idle_ended, 2u);
}

/// Another worker at its limit, with newcomers in its queue.
struct OtherHost final : edge::Newcomers::Host {
  using Host::Host;
  void on_newcomers() override { ++calls; }
  int calls = 0;
};

TEST_F(SimPlay, IdleConnectionsGiveWayToNewcomersOfOtherWorkers) {
  start(reverse_proxy("{ maxConnections = 3 }"));
  const filter::ListenPlan& plan = play.worker->programs()[0]->listens[0];
  edge::Newcomers& newcomers = play.counts.of(plan.address.to_string() + " 0").newcomers;
  OtherHost other(play.engine.loop);
  newcomers.join(other);
  answering(ok("hi"));
  std::vector<SimPeer*> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(&client(get()));
  pass(3s);
  newcomers.call_others(other);
  pass(1s);
  EXPECT_EQ(play.worker->sessions(), 3u) << "a call, but nobody waits";
  newcomers.recount(0, 2);
  newcomers.call_others(other);
  newcomers.call_others(other);
  pass(3s);
  EXPECT_EQ(play.worker->sessions(), 1u) << "two newcomers, two places";
  EXPECT_FALSE(peers[2]->is_over()) << "the longest ones first";
  newcomers.recount(2, 0);
  EXPECT_FALSE(newcomers.claim());
  other.calls = 0;
  // And the other way: this worker asks.
  play.counts.of(plan.address.to_string() + " 0").enter();
  play.counts.of(plan.address.to_string() + " 0").enter();
  peers[2]->send("GET / HTTP/1.1\r\n");
  client(get());
  pass(500ms);
  EXPECT_GE(other.calls, 5);
  newcomers.part(other);
  play.counts.of(plan.address.to_string() + " 0").leave();
  play.counts.of(plan.address.to_string() + " 0").leave();
}

// Else a worker whose newcomers never cease would keep each place that becomes free.
TEST_F(SimPlay, AWorkerThatHadAPlaceLeavesTheNextToThoseWhoWaitElsewhere) {
  start(reverse_proxy("{ maxConnections = 2 }"));
  const filter::ListenPlan& plan = play.worker->programs()[0]->listens[0];
  edge::ListenerCounts& listener = play.counts.of(plan.address.to_string() + " 0");
  OtherHost other(play.engine.loop);
  listener.newcomers.join(other);
  answering(ok("hi"));
  SimPeer& first = client("GET / HTTP/1.1\r\n");
  SimPeer& second = client("GET / HTTP/1.1\r\n");
  SimPeer& third = client(get());
  SimPeer& fourth = client(get());
  pass(500ms);
  listener.newcomers.recount(0, 1);
  first.close();
  EXPECT_NEAR(seconds_until_answer(third), 0, exact) << "it had none since the other one waits";
  const int calls = other.calls;
  third.close();
  pass(50ms);
  EXPECT_EQ(fourth.received(), "") << "this one is the other's";
  EXPECT_GT(other.calls, calls);
  EXPECT_NEAR(seconds_until_answer(fourth), 0.05, 0.06) << "who does not come for it";
  listener.newcomers.recount(1, 0);
  second.close();
  pass();
  EXPECT_EQ(status(client(get())), 0);
  pass();
  listener.newcomers.part(other);
}

TEST_F(SimPlay, MaxConnectionsCountsTheConnectionsOfOtherWorkers) {
  start(reverse_proxy("{ maxConnections = 1 }"));
  const filter::ListenPlan& plan = play.worker->programs()[0]->listens[0];
  edge::ListenerCounts& listener = play.counts.of(plan.address.to_string() + " 0");
  answering(ok("hi"));
  listener.enter();  // as if another worker had taken the only place
  SimPeer& peer = client(get());
  pass(3s);
  EXPECT_EQ(play.worker->sessions(), 0u);
  EXPECT_EQ(peer.received(), "");
  listener.leave();
  EXPECT_NEAR(seconds_until_answer(peer), 0.1, 0.1) << "it looks by itself";
}

TEST_F(SimPlay, AnAddressWithTooManyConnectionsIsTurnedAway) {
  start(reverse_proxy("{ maxConnectionsPerIP = 1 }"));
  answering(ok("hi"));
  client(get(), "10.9.9.1");
  SimPeer& second = client(get(), "10.9.9.1");
  SimPeer& other = client(get(), "10.9.9.2");
  pass();
  EXPECT_TRUE(second.is_over());
  EXPECT_EQ(second.received(), "");
  EXPECT_EQ(status(other), 200);
  EXPECT_EQ(play.worker->servers()[0]->stats().refused, 1u);
  EXPECT_TRUE(log.has("connection refused: 10.9.9.1 has 1 already (maxConnectionsPerIP)"));
  clients_[0]->peer().close();
  pass();
  EXPECT_GE(seconds_until_answer(client(get(), "10.9.9.1")), 0);
}

TEST_F(SimPlay, OneClientAloneHoldsAQuarterOfTheConnectionsAtMost) {
  start(reverse_proxy("{ maxConnections = 8, trustedProxies = { '10.9.9.2' } }"));
  answering(ok("hi"));
  for (const std::string_view from : {"10.9.9.1", "10.9.9.2", "127.0.0.1"}) {
    SimPeer* last = nullptr;
    for (int i = 0; i < 3; ++i) last = &client(get(), from);
    pass();
    EXPECT_EQ(last->is_over(), from == "10.9.9.1")
        << from << ": not trusted proxies, and nobody on this machine";
    for (const auto& peer : clients_) peer->peer().close();
    pass();
  }
}

TEST_F(SimPlay, WithoutDescriptorsAcceptingRestsAndRecovers) {
  start(reverse_proxy());
  answering(ok("hi"));
  play.engine.network.set_descriptors_max(2);
  SimPeer& first = client(get());
  pass();
  EXPECT_EQ(status(first), 200);
  SimPeer& second = client(get());
  pass(1s);
  EXPECT_EQ(second.received(), "");
  first.close();
  EXPECT_NEAR(seconds_until_answer(second), 0, 0.2);
  EXPECT_EQ(status(second), 200);
}

// ---- stale connections

struct StaleCase {
  const char* name;
  std::string request;
  bool is_told;  // the proxy has seen the close before it sends
  int status;
  size_t connections;
};

class StalePlay : public SimPlay, public ::testing::WithParamInterface<StaleCase> {};

TEST_P(StalePlay, IsSentAgainOnlyWhereThatIsHarmless) {
  const StaleCase& given = GetParam();
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("fine"));
  SimPeer& peer = client(get());
  pass();
  peer.take_received();
  ASSERT_EQ(server.peers().size(), 1u);
  SimPeer& stale = *server.peers()[0];
  if (given.is_told) {
    stale.close();
    pass();
  } else {
    // The close is on its way while the request is written: each takes 100 us to the proxy.
    play.world.after(50us, [&stale] { stale.close(); });
  }
  peer.send(given.request);
  pass();
  EXPECT_EQ(status(peer), given.status);
  EXPECT_EQ(server.peers().size(), given.connections);
  EXPECT_EQ(requests, given.status == 200 ? 2 : 1);
}

INSTANTIATE_TEST_SUITE_P(
    Stale, StalePlay,
    ::testing::Values(StaleCase{"GetIsRetriedOnce", get(), false, 200, 2},
                      StaleCase{"GetAfterTheClose", get(), true, 200, 2},
                      StaleCase{"PostThatWasWrittenIsNot", post("x", 1), false, 502, 1},
                      StaleCase{"PostAfterTheClose", post("x", 1), true, 200, 2},
                      StaleCase{"PutIsIdempotent", "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
                                false, 200, 2}),
    [](const auto& given) { return given.param.name; });

TEST_F(SimPlay, ARequestIsRetriedOnceAndNotForEver) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  int connections = 0;
  server.on_peer = [&](SimPeer& peer) {
    const bool is_first = ++connections == 1;
    peer.on_news = [is_first](SimPeer& end) {
      if (!end.is_open() || end.received().empty()) return;
      if (is_first && end.received().find("/two") == std::string::npos)
        return end.take_received().empty() ? void() : end.send(ok("one"));
      end.close();
    };
  };
  SimPeer& peer = client(get("/one"));
  pass();
  ASSERT_EQ(body(peer), "one");
  peer.take_received();
  peer.send(get("/two"));
  pass();
  EXPECT_EQ(status(peer), 502);
  EXPECT_EQ(connections, 2);
}

TEST_F(SimPlay, AFirstConnectionThatClosesIsNoStaleOne) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) {
    peer.on_news = [](SimPeer& end) {
      if (end.is_open() && !end.received().empty()) end.close();
    };
  };
  SimPeer& peer = client(get());
  pass();
  EXPECT_EQ(status(peer), 502);
  EXPECT_EQ(server.peers().size(), 1u);
}

// ---- cuts

struct CutCase {
  const char* name;
  std::string answer;
  bool by_reset;
};

class CutPlay : public ::testing::TestWithParam<CutCase> {};

TEST_P(CutPlay, AtNoOffsetACutAnswerLooksWhole) {
  const CutCase& given = GetParam();
  // A close-delimited answer that ends is whole wherever it ends, once its head is there.
  const size_t head = given.answer.find("\r\n\r\n") + 4;
  const bool is_until_close = given.answer.find("Content-Length") == std::string::npos &&
                              given.answer.find("chunked") == std::string::npos;
  for (const char* version : {"HTTP/1.1", "HTTP/1.0"}) {
    for (size_t offset = 0; offset < given.answer.size(); ++offset) {
      SCOPED_TRACE(std::string(version) + " cut after " + std::to_string(offset));
      CapturedLog log;
      Play play(offset + 1);
      play.start(reverse_proxy());
      SimBehaviour behaviour;
      (given.by_reset ? behaviour.reset_after_bytes : behaviour.cut_after_bytes) = offset;
      play.world.set_behaviour(address_of(upstream_address), behaviour);
      sim::SimServer server(play.outside, address_of(upstream_address));
      server.on_peer = [&](SimPeer& peer) {
        peer.on_news = [&](SimPeer& end) {
          if (!end.is_over()) end.send(given.answer);
        };
      };
      sim::SimClient client(play.outside, address_of(proxy_address));
      client.send(std::string("GET / ") + version + "\r\nHost: a\r\n\r\n");
      play.world.run_for(100ms);
      const SimPeer& peer = client.peer();
      const WireMessage answer = take_message(peer.received(), WireKind::Response, peer.has_ended());
      const bool may_be_whole = is_until_close && !given.by_reset && offset >= head;
      if (answer.status() < 500) {
        EXPECT_EQ(answer.is_complete, may_be_whole) << peer.received();
      } else {
        EXPECT_EQ(answer.status(), 502);
        EXPECT_TRUE(answer.is_complete);
        EXPECT_LT(offset, head);
      }
      client.drop();
      play.world.run_for(100ms);
      EXPECT_EQ(play.settle(), "");
      EXPECT_EQ(play.stop(), "");
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cuts, CutPlay,
    ::testing::Values(CutCase{"LengthEnds", ok("a body of some bytes"), false},
                      CutCase{"LengthIsReset", ok("a body of some bytes"), true},
                      CutCase{"ChunkedEnds",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                              "chunked\r\n\r\n5\r\nfirst\r\n6;x=y\r\nsecond\r\n0\r\nT: v\r\n\r\n",
                              false},
                      CutCase{"ChunkedIsReset",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
                              true},
                      CutCase{"UntilCloseEnds", "HTTP/1.1 200 OK\r\nX: y\r\n\r\nuntil the close", false},
                      CutCase{"UntilCloseIsReset", "HTTP/1.1 200 OK\r\nX: y\r\n\r\nuntil the close", true}),
    [](const auto& given) { return given.param.name; });

TEST_F(SimPlay, ARequestThatIsCutAtAnyByteNeverReachesTheUpstreamWhole) {
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n";
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("whole"));
  for (const std::string& request : {post("a body", 6), chunked}) {
    for (size_t offset = 0; offset < request.size(); ++offset) {
      for (const bool is_half_close : {true, false}) {
        SimPeer& peer = client(request.substr(0, offset));
        if (is_half_close) peer.finish_sending();
        else peer.close_when_sent();
        pass(10ms);
        EXPECT_EQ(requests, 0) << "cut after " << offset;
      }
    }
  }
  for (const auto& peer : server.peers()) EXPECT_TRUE(peer->is_over());
}

TEST_F(SimPlay, ByteByByteIsTheSame) {
  const std::string answer =
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;a=b\r\nfirst\r\n7\r\n second\r\n0\r\nTrailer: t\r\n\r\n";
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  server.on_peer = [answer](SimPeer& peer) {
    peer.on_news = [answer](SimPeer& end) {
      if (take_message(end.received(), WireKind::Request, false).is_complete && !end.is_over())
        end.send_slowly(answer, 1, 1ms);
    };
  };
  SimPeer& peer = client("");
  peer.send_slowly("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n",
                   1, 1ms);
  pass(2s);
  ASSERT_EQ(server.peers().size(), 1u);
  EXPECT_EQ(take_message(server.peers()[0]->received(), WireKind::Request, false).body, "abc");
  const WireMessage hints = take_message(peer.received(), WireKind::Response, false);
  EXPECT_EQ(hints.status(), 103);
  const WireMessage final = take_message(peer.received().substr(hints.bytes), WireKind::Response, false);
  EXPECT_TRUE(final.is_complete);
  EXPECT_EQ(final.body, "first second");
}

// ---- half closes, early answers, slow readers, order

TEST_F(SimPlay, AClientThatHalfClosesGetsItsAnswers) {
  start(reverse_proxy());
  answering([](const WireMessage& request) { return ok(request.head.substr(0, 6)); });
  SimPeer& peer = client(get("/1") + get("/2") + get("/3"));
  peer.finish_sending();
  EXPECT_GE(seconds_until_over(peer), 0);
  EXPECT_TRUE(peer.has_ended());
  EXPECT_EQ(bodies(peer), (std::vector<std::string>{"GET /1", "GET /2", "GET /3"}));
}

TEST_F(SimPlay, AHalfClosedClientWaitsAsLongAsTheUpstreamMay) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  SimPeer& peer = client(get());
  peer.finish_sending();
  pass(50s);
  EXPECT_FALSE(peer.is_over());
  server.peers()[0]->send(ok("late"));
  pass();
  EXPECT_EQ(body(peer), "late");
  EXPECT_TRUE(peer.has_ended());
}

TEST_F(SimPlay, AnEarlyAnswerComesOutWhileTheBodyIsStillSent) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) {
    peer.on_news = [](SimPeer& end) {
      if (end.is_open() && end.received().find("\r\n\r\n") != std::string::npos && end.unsent_bytes() == 0 &&
          !end.is_over())
        end.send(ok("no thanks", "Connection: close\r\n")), end.close_when_sent();
    };
  };
  SimPeer& peer = client(post(std::string(3'000'000, 'b'), 3'000'000));
  EXPECT_GE(seconds_until_answer(peer), 0);
  EXPECT_EQ(body(peer), "no thanks");
  pass(5s);
  EXPECT_TRUE(peer.is_over());
}

TEST_F(SimPlay, AConnectionWithHalfARequestOnItCarriesNoOther) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) {
    peer.on_news = [](SimPeer& end) {
      if (end.is_open() && end.take_received().find("\r\n\r\n") != std::string::npos) end.send(ok("early"));
    };
  };
  SimPeer& peer = client(post("half", 8));
  pass();
  EXPECT_EQ(body(peer), "early");
  peer.take_received();
  peer.send("rest" + get("/next"));
  pass();
  EXPECT_EQ(body(peer), "early");
  ASSERT_EQ(server.peers().size(), 2u);
  EXPECT_TRUE(server.peers()[0]->is_over());
}

TEST_F(SimPlay, BytesBehindAnAnswerReachNobody) {
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("asked for") + ok("not asked for"));
  SimPeer& peer = client(get("/1") + get("/2"));
  pass();
  peer.send(get("/3"));
  pass();
  EXPECT_EQ(bodies(peer), (std::vector<std::string>{"asked for", "asked for", "asked for"}));
  EXPECT_EQ(server.peers().size(), 3u);
}

TEST_F(SimPlay, AnAnswerOnAnIdleConnectionReachesNobody) {
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("asked for"));
  SimPeer& peer = client(get("/1"));
  pass();
  server.peers()[0]->send(ok("not asked for"));
  pass();
  EXPECT_TRUE(server.peers()[0]->is_over());
  peer.send(get("/2"));
  pass();
  EXPECT_EQ(bodies(peer), (std::vector<std::string>{"asked for", "asked for"}));
  EXPECT_EQ(server.peers().size(), 2u);
}

TEST_F(SimPlay, ARefusedBodyIsDrainedAndTheConnectionGoesOn) {
  start(R"(listen(8000):demuxHTTP(pipeline():handleMessageStart(function(req)
             if req.path == "/no" then return Message { status = 403, body = "no" } end
           end):replaceMessage(Message "yes")))");
  SimPeer& peer = client("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" +
                         std::string(30'000, 'b') + get("/yes"));
  pass();
  EXPECT_EQ(bodies(peer), (std::vector<std::string>{"no", "yes"}));
  EXPECT_FALSE(peer.is_over());
}

TEST_F(SimPlay, ASlowReaderCostsAConstantAmount) {
  start(reverse_proxy("{ writeTimeout = 1000 }"));
  answering(ok(std::string(20'000'000, 'b')));
  SimPeer& peer = client("");
  peer.pause_reading();
  peer.send(get());
  size_t chunks_max = 0;
  for (int i = 0; i < 50; ++i) {
    pass(10ms);
    chunks_max = std::max(chunks_max, play.worker->chunks().alive());
  }
  EXPECT_GT(chunks_max, 4u);
  EXPECT_LT(chunks_max * limits::chunk_bytes, 1024u * 1024u);
  peer.resume_reading();
  pass(5s);
  EXPECT_EQ(body(peer).size(), 20'000'000u);
}

TEST_F(SimPlay, ASlowReaderOfPipelinedAnswersCostsAConstantAmount) {
  start(reverse_proxy("{ writeTimeout = 1000 }"));
  answering(ok(std::string(1'000'000, 'b')));
  SimPeer& peer = client("");
  peer.pause_reading();
  std::string requests_text;
  for (int i = 0; i < 30; ++i) requests_text += get();
  peer.send(requests_text);
  size_t chunks_max = 0;
  for (int i = 0; i < 50; ++i) {
    pass(10ms);
    chunks_max = std::max(chunks_max, play.worker->chunks().alive());
  }
  // Each answer that waits for its turn may fill one buffer before it is held.
  EXPECT_LT(chunks_max * limits::chunk_bytes, 40u * limits::buffer_bytes_max);
  peer.resume_reading();
  pass(5s);
  EXPECT_EQ(bodies(peer).size(), 30u);
}

TEST_F(SimPlay, ASlowUpstreamHoldsTheClientBack) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) { peer.pause_reading(); };
  SimPeer& peer = client(post(std::string(20'000'000, 'b'), 20'000'000));
  pass(1s);
  EXPECT_LT(play.worker->chunks().alive() * limits::chunk_bytes, 1024u * 1024u);
  EXPECT_GT(peer.unsent_bytes(), 18'000'000u);
}

TEST_F(SimPlay, AnswersGoBackInTheOrderOfTheRequests) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  SimPeer& peer = client(get("/0") + get("/1") + get("/2"));
  pass();
  ASSERT_EQ(server.peers().size(), 3u) << "they run at once";
  for (const std::string path : {"/2", "/1", "/0"}) {
    EXPECT_EQ(bodies(peer).size(), 0u);
    for (const auto& asked : server.peers())
      if (asked->received().starts_with("GET " + path)) asked->send(ok(path));
    pass();
  }
  EXPECT_EQ(bodies(peer), (std::vector<std::string>{"/0", "/1", "/2"}));
}

TEST_F(SimPlay, ASlowFrontDoesNotStallThoseBehindIt) {
  start(reverse_proxy("{}", ", 'one', { maxSessions = 2, pipelining = 8 }"));
  sim::SimServer& server = upstream();
  SimPeer& slow = client(get("/slow"));
  SimPeer& quick = client(get("/quick"));
  pass(20ms);
  server.on_peer = [](SimPeer& peer) {
    peer.on_news = [](SimPeer& end) {
      if (end.is_open() && take_message(end.received(), WireKind::Request, false).is_complete)
        end.take_received(), end.send(ok("quick"));
    };
  };
  EXPECT_LT(seconds_until_answer(quick), 0.5);
  EXPECT_EQ(body(quick), "quick");
  EXPECT_EQ(slow.received(), "");
  server.peers()[0]->send(ok("slow") + ok("quick"));
  pass();
  EXPECT_EQ(body(slow), "slow");
  EXPECT_EQ(bodies(quick).size(), 1u) << "the second answer is dropped";
}

TEST_F(SimPlay, AFrontWhoseClientDoesNotReadDoesNotStallThoseBehindIt) {
  start(reverse_proxy("{ writeTimeout = 1000 }", ", 'one', { maxSessions = 2, pipelining = 8 }"));
  answering([](const WireMessage& request) {
    return ok(request.head.starts_with("GET /big") ? std::string(5'000'000, 'b') : "small");
  });
  SimPeer& big = client("");
  big.pause_reading();
  big.send(get("/big"));
  SimPeer& small = client(get("/small"));
  EXPECT_LT(seconds_until_answer(small), 1);
  EXPECT_EQ(body(small), "small");
  big.resume_reading();
  pass(5s);
  EXPECT_EQ(body(big).size(), 5'000'000u);
}

// ---- clients that leave in the middle of an answer

constexpr std::string_view endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST_F(SimPlay, AClientThatLeavesAnEndlessAnswerBlocksNobody) {
  start(reverse_proxy("{}", ", 'one', { maxSessions = 1 }"));
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) {
    peer.on_news = [](SimPeer& end) {
      if (!end.is_open()) return;
      if (end.received().starts_with("GET /events")) {
        if (end.take_received().empty()) return;
        end.send(endless);
        std::string events;
        for (int i = 0; i < 1000; ++i) events += "2\r\n.\n\r\n";
        end.send_slowly(events, 7, 50ms);
      } else if (!end.take_received().empty()) {
        end.send(ok("next"));
      }
    };
  };
  SimPeer& events = client(get("/events"));
  pass(1s);
  ASSERT_EQ(status(events), 200);
  events.reset();
  SimPeer& next = client(get("/next"));
  EXPECT_NEAR(seconds_until_answer(next), 0, exact);
  EXPECT_EQ(body(next), "next");
  EXPECT_TRUE(server.peers()[0]->is_over());
}

TEST_F(SimPlay, WithoutAKeyTheConnectionOfAnEndlessAnswerClosesWithItsClient) {
  start(reverse_proxy());
  sim::SimServer& server = upstream();
  server.on_peer = [](SimPeer& peer) {
    std::string events(endless);
    for (int i = 0; i < 1000; ++i) events += "2\r\n.\n\r\n";
    peer.send_slowly(events, endless.size(), 100ms);
  };
  SimPeer& events = client(get("/events"));
  pass(1s);
  ASSERT_EQ(status(events), 200);
  events.reset();
  EXPECT_NEAR(seconds_until([&] { return server.peers()[0]->is_over(); }), 0, exact);
}

struct DrainCase {
  const char* name;
  size_t length;
  size_t piece;  // of a body that comes in such pieces, ten a second
  double seconds;
  size_t connections;
};

class DrainPlay : public SimPlay, public ::testing::WithParamInterface<DrainCase> {};

TEST_P(DrainPlay, TheRestOfAnAnswerIsDrainedWithinLimits) {
  const DrainCase& given = GetParam();
  start(reverse_proxy("{}", ", 'one', { maxSessions = 1 }"));
  sim::SimServer& server = upstream();
  bool is_first = true;
  server.on_peer = [&](SimPeer& peer) {
    peer.on_news = [&](SimPeer& end) {
      if (!end.is_open() || end.take_received().empty()) return;
      if (!std::exchange(is_first, false)) return end.send(ok("next"));
      end.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(given.length) + "\r\n\r\n");
      end.send_slowly(std::string(given.length, 'x'), given.piece, 100ms);
    };
  };
  SimPeer& leaver = client(get());
  ASSERT_GE(seconds_until_answer(leaver), 0);
  leaver.reset();
  SimPeer& next = client(get("/next"));
  EXPECT_NEAR(seconds_until_answer(next), given.seconds, exact);
  EXPECT_EQ(body(next), "next");
  EXPECT_EQ(server.peers().size(), given.connections);
}

INSTANTIATE_TEST_SUITE_P(Drain, DrainPlay,
                         ::testing::Values(DrainCase{"ShortAndQuickKeepsTheConnection", 40'000, 10'000, 0.3,
                                                     1},
                                           DrainCase{"JustInTime", 60'000, 6'200, 0.9, 1},
                                           DrainCase{"ShortAndSlowIsCutAfterTheDrainTimeout", 2'000, 1, 1, 2},
                                           DrainCase{"TooLongIsCutAtOnce", 80'000, 1'000, 0, 2}),
                         [](const auto& given) { return given.param.name; });

// ---- requests behind another one

class BystanderPlay : public SimPlay {
 protected:
  /// Eight clients' requests behind that of `front`, all on one connection, which does nothing by itself;
  /// those after it answer. Gives the eight.
  std::vector<SimPeer*> line_up(std::string_view front) {
    start(reverse_proxy("{}", ", 'one', { pipelining = 16 }"));
    server_ = &upstream();
    server_->on_peer = [this](SimPeer& peer) {
      if (server_->peers().size() == 1) return;
      auto taken = std::make_shared<size_t>(0);
      peer.on_news = [this, taken](SimPeer& end) {
        while (end.is_open()) {
          const WireMessage request =
              take_message(std::string_view(end.received()).substr(*taken), WireKind::Request, false);
          if (!request.is_complete) break;
          *taken += request.bytes;
          end.send(ok(request.head.substr(4, 2), answer_fields_));
          if (!answer_fields_.empty()) return end.close();
        }
      };
    };
    front_ = &client(front);
    pass(1ms);
    std::vector<SimPeer*> peers;
    for (int i = 0; i < 8; ++i) {
      peers.push_back(&client(get("/" + std::to_string(i))));
      pass(1ms);
    }
    EXPECT_EQ(server_->peers().size(), 1u);
    EXPECT_NE(server_->peers()[0]->received().find("GET /7 "), std::string::npos) << "they are on the wire";
    return peers;
  }
  void expect_answers(const std::vector<SimPeer*>& peers, double seconds, size_t first = 0) {
    const double taken = seconds_until(
        [&] { return std::ranges::all_of(peers, [](SimPeer* peer) { return bodies(*peer).size() == 1; }); },
        30s);
    EXPECT_GE(taken, 0) << "not all were answered";
    EXPECT_NEAR(taken, seconds, exact);
    for (size_t i = 0; i < peers.size(); ++i) {
      EXPECT_EQ(status(*peers[i]), 200) << i;
      EXPECT_EQ(body(*peers[i]), "/" + std::to_string(first + i));
    }
  }

  sim::SimServer* server_ = nullptr;
  SimPeer* front_ = nullptr;
  std::string answer_fields_;
};

TEST_F(BystanderPlay, AFrontThatLeavesALongAnswerTakesNobodyAlong) {
  const auto peers = line_up(get("/front"));
  server_->peers()[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf");
  pass(1ms);
  front_->reset();
  expect_answers(peers, 0);
  EXPECT_EQ(server_->peers().size(), 2u);
  EXPECT_TRUE(server_->peers()[0]->is_over());
}

TEST_F(BystanderPlay, AFrontThatLeavesBeforeItsAnswerHoldsNobodyUpForLong) {
  const auto peers = line_up(get("/front"));
  front_->reset();
  expect_answers(peers, 1);
  EXPECT_EQ(server_->peers().size(), 2u);
}

TEST_F(BystanderPlay, ABadAnswerIsTheFailureOfTheFrontAlone) {
  const auto peers = line_up(get("/front"));
  server_->peers()[0]->send("HTTP/1.1 twohundred\r\n\r\n");
  expect_answers(peers, 0);
  EXPECT_EQ(status(*front_), 502);
}

TEST_F(BystanderPlay, AnAnswerThatClosesIsFollowedByTheRestElsewhere) {
  const auto peers = line_up(get("/front"));
  server_->peers()[0]->send(ok("front", "Connection: close\r\n"));
  expect_answers(peers, 0);
  EXPECT_EQ(body(*front_), "front");
}

TEST_F(BystanderPlay, AnUpstreamThatAlwaysClosesServesThemAllOneByOne) {
  answer_fields_ = "Connection: close\r\n";
  const auto peers = line_up(get("/front"));
  server_->peers()[0]->send(ok("front", answer_fields_));
  expect_answers(peers, 0);
}

TEST_F(BystanderPlay, ABystanderIsSentAgainTwiceAndNotForEver) {
  const auto peers = line_up(get("/front"));
  size_t sent_again = 0;
  server_->on_peer = [&](SimPeer& peer) {
    peer.on_news = [&](SimPeer& end) {
      const std::string text = end.take_received();
      for (size_t at = text.find("GET "); at != std::string::npos; at = text.find("GET ", at + 1))
        ++sent_again;
      if (end.is_open() && !text.empty()) end.send("HTTP/1.1 twohundred\r\n\r\n");
    };
  };
  server_->peers()[0]->send("HTTP/1.1 twohundred\r\n\r\n");
  pass(1s);
  for (SimPeer* peer : peers) EXPECT_EQ(status(*peer), 502);
  // Once together, with one failing in front of seven, and those seven once more, each on its own.
  EXPECT_EQ(server_->peers().size(), 1u + 1u + 7u);
  EXPECT_EQ(sent_again, 8u + 7u);
}

TEST_F(BystanderPlay, ABodyThatIsCutDoesNotCutTheAnswersBeforeIt) {
  const auto peers = line_up(get("/front"));
  SimPeer& last = client("PUT /last HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  pass(1ms);
  ASSERT_NE(server_->peers()[0]->received().find("PUT /last"), std::string::npos);
  server_->peers()[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfr");
  pass(1ms);
  last.reset();
  pass(1ms);
  std::string rest = "ont";
  for (int i = 0; i < 8; ++i) rest += ok("/" + std::to_string(i));
  server_->peers()[0]->send(rest);
  expect_answers(peers, 0);
  EXPECT_EQ(body(*front_), "front");
  EXPECT_EQ(server_->peers().size(), 1u);
  pass(1ms);
  EXPECT_TRUE(server_->peers()[0]->is_over()) << "nothing can follow half a request";
}

TEST_F(BystanderPlay, WhatNobodyReadsIsCountedAndTimedForItselfAlone) {
  const auto peers = line_up(get("/front"));
  const std::string long_answer = "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n";
  server_->peers()[0]->send(long_answer);
  pass(1ms);
  front_->reset();
  peers[0]->reset();
  pass(1ms);
  server_->peers()[0]->send(std::string(40'000, 'x') + long_answer + std::string(40'000, 'x') + ok("/1"));
  pass(2s);
  EXPECT_EQ(body(*peers[1]), "/1");
  std::string rest;
  for (int i = 2; i < 8; ++i) rest += ok("/" + std::to_string(i));
  server_->peers()[0]->send(rest);
  expect_answers({peers.begin() + 2, peers.end()}, 0, 2);
  EXPECT_EQ(server_->peers().size(), 1u);
}

TEST_F(BystanderPlay, WhenAllHaveLeftAConnectionThatCannotGoOnCloses) {
  const auto peers = line_up(get("/front"));
  SimPeer& last = client("PUT /last HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
  server_->peers()[0]->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfr");
  pass(1ms);
  last.reset();
  for (SimPeer* peer : peers) peer->reset();
  pass(1ms);
  EXPECT_FALSE(server_->peers()[0]->is_over());
  front_->reset();
  pass(1ms);
  EXPECT_TRUE(server_->peers()[0]->is_over());
}

TEST_F(BystanderPlay, AConnectionThatCannotBeMadeFailsThemAlike) {
  start(reverse_proxy("{}", ", 'one', { pipelining = 16 }", "{ connectTimeout = 2 }"));
  play.world.set_behaviour(address_of(upstream_address), {.connect = SimBehaviour::Connect::BlackHole});
  SimPeer& front = client(get("/front"));
  pass(1ms);
  SimPeer& behind = client(get("/behind"));
  EXPECT_NEAR(seconds_until_answer(behind), 2, exact);
  EXPECT_EQ(status(front), 502);
  EXPECT_EQ(status(behind), 502);
}

TEST_F(BystanderPlay, APoolThatDrainsLetsThoseOnTheWireFinish) {
  const auto peers = line_up(get("/front"));
  for (const auto& program : play.worker->programs()) program->drain();
  pass(10ms);
  std::string rest = ok("front");
  for (int i = 0; i < 8; ++i) rest += ok("/" + std::to_string(i));
  server_->peers()[0]->send(rest);
  expect_answers(peers, 0);
}

/// Client x asks for /x1 and /x2; the connection of /x1 closes, so /x1 is sent again and lines up behind /x2,
/// whose long answer may not reach x before that of /x1: nobody would ever move.
class SimWedge : public SimPlay {
 protected:
  void wedge() {
    start(reverse_proxy("{}", ", 'one', { pipelining = 3, maxSessions = 2 }"));
    sim::SimServer& server = upstream();
    z = &client(get("/z1") + get("/z2"));
    x = &client(get("/x1") + get("/x2"));
    poster = &client(post("q", 1));
    pass(20ms);
    ASSERT_EQ(server.peers().size(), 2u);
    server.peers()[0]->send(ok("z1", "Connection: close\r\n"));
    server.peers()[0]->close();
    pass(20ms);
    ASSERT_EQ(server.peers().size(), 3u);
    third = server.peers()[2].get();
    ASSERT_NE(third->received().find("POST"), std::string::npos);
    ASSERT_NE(server.peers()[1]->received().find("/x1"), std::string::npos) << "it lined up behind /x2";
    server.peers()[1]->send(ok(std::string(600'000, 'b')));
    pass(20ms);
    ASSERT_EQ(x->received(), "");
  }
  SimPeer* z = nullptr;
  SimPeer* x = nullptr;
  SimPeer* poster = nullptr;
  SimPeer* third = nullptr;
};

TEST_F(SimWedge, RequestsBehindAnAnswerThatWaitsForThemGoToAConnectionThatIsFree) {
  ASSERT_NO_FATAL_FAILURE(wedge());
  third->on_news = [](SimPeer& peer) {
    if (peer.received().find("/x1") != std::string::npos) {
      peer.on_news = nullptr;
      peer.send(ok("z2") + ok("x1"));
    }
  };
  third->send(ok("posted"));
  EXPECT_GT(seconds_until([&] { return bodies(*x).size() == 2; }, 1s), 0);
  EXPECT_EQ(bodies(*x), (std::vector<std::string>{"x1", std::string(600'000, 'b')}));
  EXPECT_EQ(bodies(*z), (std::vector<std::string>{"z1", "z2"}));
}

TEST_F(SimWedge, RequestsBehindAnAnswerThatWaitsForThemWaitInTheQueueWhereNoConnectionIsFree) {
  ASSERT_NO_FATAL_FAILURE(wedge());
  EXPECT_NEAR(seconds_until([&] { return bodies(*x).size() == 2; }), 1 + 5, 0.3);
  EXPECT_EQ(status(*x), 503);
  EXPECT_EQ(bodies(*x)[1].size(), 600'000u);
  EXPECT_EQ(bodies(*z).size(), 2u);
}

// ---- bytes on an idle connection that come together with the next request

struct PoisonCase {
  const char* name;
  std::string request;
  double short_turn;
};

class PoisonPlay : public SimPlay, public ::testing::WithParamInterface<PoisonCase> {};

TEST_P(PoisonPlay, AnAnswerThatWasThereBeforeTheRequestReachesNobody) {
  const PoisonCase& given = GetParam();
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("asked for"));
  SimPeer& first = client(get("/1"));
  SimPeer& other = client("");
  pass();
  ASSERT_EQ(body(first), "asked for");
  ASSERT_EQ(server.peers().size(), 1u);
  // Both reach the proxy's socket buffers before it looks: the client's bytes first.
  other.send(given.request);
  play.world.after(1us, [&] { server.peers()[0]->send(ok("not asked for")); });
  pass_without_proxy();
  pass();
  EXPECT_EQ(bodies(other), std::vector<std::string>{"asked for"});
  EXPECT_EQ(server.peers().size(), 2u);
  EXPECT_TRUE(server.peers()[0]->is_over());
  EXPECT_EQ(requests, 2);
}

INSTANTIATE_TEST_SUITE_P(Poison, PoisonPlay,
                         ::testing::Values(PoisonCase{"InOneTurn", get("/2"), 0},
                                           PoisonCase{"InTurnsThatAreCutShort", get("/2"), 1},
                                           PoisonCase{
                                               "BeforeAnUpgrade",
                                               get("/2", "Upgrade: websocket\r\nConnection: Upgrade\r\n"), 0},
                                           PoisonCase{"BeforeAPost", post("x", 1), 0},
                                           PoisonCase{"BeforeAPostInShortTurns", post("x", 1), 1}),
                         [](const auto& given) { return given.param.name; });

class FullTurnPlay : public SimPlay, public ::testing::WithParamInterface<bool> {};

TEST_P(FullTurnPlay, BytesBehindAnAnswerThatFillsItsTurnReachNobody) {
  const bool is_queued = GetParam();
  start(reverse_proxy("{}", ", 'one', { maxSessions = 1 }"));
  play.world.set_faults({.buffer_bytes = 1024 * 1024});
  sim::SimServer& server = upstream();
  SimPeer& first = client("GET /1 HTTP/1.0\r\n\r\n");
  pass();
  SimPeer& second = client(is_queued ? get("/2") : "");
  pass();
  // What a turn reads of a busy socket, one chunk and then many at once, ends exactly where the answer does;
  // and so little of it is body that the client holds nothing up.
  constexpr size_t turn_bytes = (1 + limits::bulk_read_chunks) * limits::chunk_bytes;
  std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";
  std::string chunks;
  while (chunks.size() < turn_bytes - 1000) chunks += "1\r\nb\r\n";
  chunks += "0\r\n\r\n";
  answer += "X: " + std::string(turn_bytes - answer.size() - chunks.size() - 7, 'x') + "\r\n\r\n" + chunks;
  ASSERT_EQ(answer.size(), turn_bytes);
  server.on_peer = [](SimPeer& peer) {
    peer.on_news = [](SimPeer& end) {
      if (end.is_open() && !end.take_received().empty()) end.send(ok("asked for"));
    };
  };
  server.peers()[0]->send(answer + ok("not asked for"));
  if (!is_queued) {
    // The next request is there in the turn after the one that read the answer.
    pass_without_proxy();
    play.engine.loop.run_turn(play.world.now());
    second.send(get("/2"));
    pass_without_proxy();
  }
  pass();
  EXPECT_EQ(body(first).size(), chunks.size() / 6);
  EXPECT_EQ(body(second), "asked for");
}

INSTANTIATE_TEST_SUITE_P(FullTurn, FullTurnPlay, ::testing::Bool(), [](const auto& given) {
  return given.param ? "BeforeAQueuedRequest" : "BeforeTheNextRequest";
});

TEST_F(SimPlay, AnUploadThatWaitsForTheRestOfACutTurnIsHeldBack) {
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("fine"));
  SimPeer& uploader = client(get());
  std::vector<SimPeer*> others;
  for (int i = 0; i < 30; ++i) others.push_back(&client(""));
  pass();
  play.world.set_faults({.buffer_bytes = 16 * 1024 * 1024, .short_turn = 1});
  const std::string text(8'000'000, 'b');
  uploader.send(post(text, text.size()));
  for (SimPeer* other : others) play.world.after(1us, [other] { other->send("GET"); });
  pass_without_proxy();
  for (int turn = 0; turn < 25; ++turn) {
    play.engine.loop.run_turn(play.world.now());
    EXPECT_LT(play.worker->chunks().alive() * limits::chunk_bytes, 4u * limits::buffer_bytes_max) << turn;
  }
  play.world.set_faults({});
  pass(2s);
  EXPECT_EQ(bodies(uploader), (std::vector<std::string>{"fine", "fine"}));
  EXPECT_EQ(server.peers().size(), 1u);
}

TEST_F(SimPlay, OnAConnectionThatIsUsedAgainABodyFollowsItsHead) {
  start(reverse_proxy());
  sim::SimServer& server = answering(ok("fine"));
  SimPeer& peer = client(get());
  pass();
  const size_t before = server.peers()[0]->received().size();
  const std::string text(100'000, 'b');
  peer.send(post(text, text.size()));
  pass();
  EXPECT_EQ(bodies(peer).size(), 2u);
  ASSERT_EQ(server.peers().size(), 1u);
  const std::string sent = server.peers()[0]->received().substr(before);
  EXPECT_TRUE(sent.starts_with("POST / HTTP/1.1\r\n"));
  EXPECT_TRUE(sent.ends_with("\r\n\r\n" + text));
}

// ---- scripts that wait

TEST_F(SimPlay, AHookThatWaitsIsCancelledWhenItsClientLeaves) {
  start(R"(local state = "none"
    listen(8001):serveHTTP(function() return Message(state) end)
    listen(8000):demuxHTTP(pipeline()
      :handleMessageStart(function()
        state = "waits"
        local fine = pcall(sleep, 1000)
        state = fine and "slept" or "cancelled"
      end)
      :handleExchangeEnd(function(ctx, err) state = state .. " ended " .. (err and err.code or "well") end)
      :replaceMessage(Message "never")))");
  const auto state = [&] {
    sim::SimClient asking(play.outside, address_of("127.0.0.1:8001"));
    asking.send("GET / HTTP/1.0\r\n\r\n");
    play.world.run_for(10ms);
    const std::string text = take_message(asking.peer().received(), WireKind::Response, true).body;
    asking.drop();
    play.world.run_for(10ms);
    return text;
  };
  SimPeer& peer = client(get());
  pass(3s);
  EXPECT_EQ(state(), "waits");
  peer.reset();
  pass();
  EXPECT_EQ(state(), "cancelled ended client-gone");
  EXPECT_FALSE(log.has("error")) << log.text;
}

TEST_F(SimPlay, AScriptsOwnRequestHasItsTimeout) {
  start(R"(listen(8000):demuxHTTP(pipeline():replaceMessage(function()
      local res, err = http.get("http://10.0.0.1/", { timeout = 2 })
      return Message(res and res.body or err.code)
    end)))");
  sim::SimServer& server = upstream();
  SimPeer& peer = client(get());
  EXPECT_NEAR(seconds_until_answer(peer), 2, exact);
  EXPECT_EQ(body(peer), "request-timeout");
  pass();
  ASSERT_EQ(server.peers().size(), 1u);
  EXPECT_TRUE(server.peers()[0]->is_over()) << "it is called off";
}

TEST_F(SimPlay, AScriptsOwnRequestsShareAConnection) {
  start(R"(listen(8000):demuxHTTP(pipeline():replaceMessage(function()
      local a = http.get("http://10.0.0.1/a").body
      return Message(a .. http.get("http://10.0.0.1/b").body)
    end)))");
  sim::SimServer& server =
      answering([](const WireMessage& request) { return ok(request.head.substr(4, 2)); });
  SimPeer& peer = client(get());
  pass();
  EXPECT_EQ(body(peer), "/a/b");
  EXPECT_EQ(server.peers().size(), 1u);
}

TEST_F(SimPlay, TasksRunWhenTheyAreDue) {
  start(R"(local ticks, once = 0, "no"
    every(10, function() ticks = ticks + 1; sleep(3) end)
    every(1000, function() ticks = ticks + 100 end, { atStart = true })
    after("25s", function() once = "yes" end)
    listen(8000):serveHTTP(function() return Message(ticks .. once) end))");
  const auto ask = [&] {
    SimPeer& peer = client(get("/", "Connection: close\r\n"));
    play.world.run_for(10ms);
    return body(peer);
  };
  EXPECT_EQ(ask(), "100no");
  pass(9s);
  EXPECT_EQ(ask(), "100no");
  pass(1s);
  EXPECT_EQ(ask(), "101no");
  pass(16s);
  EXPECT_EQ(ask(), "102yes");
  play.worker->stop();
}

TEST_F(SimPlay, AResourcePoolHasAQueueWithADeadline) {
  start(R"(local pool = algo.ResourcePool(function(key) return key end, { max = 1, queueTimeout = 3 })
    listen(8000):demuxHTTP(pipeline():replaceMessage(function(req)
      local resource, err = pool:allocate("k")
      if not resource then return Message { status = 503, body = err.code } end
      sleep(4)
      pool:free(resource)
      return Message "served"
    end)))");
  SimPeer& first = client(get());
  SimPeer& second = client(get());
  EXPECT_NEAR(seconds_until_answer(second), 3, exact);
  EXPECT_EQ(body(second), "queue-timeout");
  EXPECT_NEAR(seconds_until_answer(first), 1, exact);
  EXPECT_EQ(body(first), "served");
}

TEST_F(SimPlay, ACacheOfASessionIsReleasedWithIt) {
  start(R"(local held = 0
    listen(8001):serveHTTP(function() return Message(tostring(held)) end)
    listen(8000)
      :handleSessionStart(function(ctx)
        ctx.things = algo.Cache(function(key) held = held + 1; return { key } end, function() held = held - 1 end)
      end)
      :demuxHTTP(pipeline():replaceMessage(function(req, ctx) ctx.things:get(req.path); return Message "ok" end)))");
  const auto held = [&] {
    sim::SimClient asking(play.outside, address_of("127.0.0.1:8001"));
    asking.send("GET / HTTP/1.0\r\n\r\n");
    play.world.run_for(10ms);
    const std::string text = take_message(asking.peer().received(), WireKind::Response, true).body;
    asking.drop();
    return text;
  };
  SimPeer& one = client(get("/a") + get("/b") + get("/a"));
  SimPeer& two = client(get("/a"));
  pass();
  EXPECT_EQ(held(), "3");
  one.reset();
  pass();
  EXPECT_EQ(held(), "1");
  two.close();
  pass();
  EXPECT_EQ(held(), "0") << "though the script never cleared it";
}

TEST_F(SimPlay, TheLessonPoolsPerSessionAndTarget) {
  ASSERT_NO_FATAL_FAILURE(play.start_file(PERILUNE_SOURCE_DIR "/tutorial/03-connection-pool/main.lua"));
  const auto answer = [](const WireMessage& request) {
    return ok(request.head.substr(0, request.head.find(" HTTP")));
  };
  sim::SimServer& a = answering(answer, "127.0.0.1:8080");
  sim::SimServer& b = answering(answer, "127.0.0.1:8081");
  SimPeer& one = client(get("/") + get("/hi") + get("/x"));
  pass();
  SimPeer& two = client(get("/"));
  pass();
  EXPECT_EQ(bodies(one), (std::vector<std::string>{"GET /", "GET /hi", "GET /x"}));
  EXPECT_EQ(bodies(two), std::vector<std::string>{"GET /"});
  EXPECT_EQ(a.peers().size(), 2u) << "each session has its own";
  EXPECT_EQ(b.peers().size(), 1u);
  one.close();
  pass();
  SimPeer& three = client(get("/again"));
  pass();
  EXPECT_EQ(body(three), "GET /again");
  EXPECT_EQ(a.peers().size(), 2u) << "what a session has left is used again";
}

}  // namespace
}  // namespace perilune::tests
