#include "filter/cluster_settings.hpp"
#include "filter/forward_settings.hpp"
#include "script_world.hpp"

// The options of upstream and forward: what they come to, and what is said of wrong ones.

namespace perilune::script {
namespace {

using upstream::ClusterOptions;

class UpstreamOptions : public ScriptTest {
 protected:
  /// What `upstream("api", { options })` is told, without the place.
  std::string said(const std::string& options) {
    world.start();
    return world.load("upstream('api', { " + options + " })");
  }
  /// The options of the cluster that it makes.
  const ClusterOptions& options(const std::string& text) {
    const std::string problem = said("endpoints = { 'a:1', 'b:2' }, " + text);
    EXPECT_EQ(problem, "") << text;
    static const ClusterOptions none;
    return problem.empty() ? world.program->upstreams.front()->cluster->options() : none;
  }
};

TEST_F(UpstreamOptions, LeftOutTheyAreThoseOfTheTables) {
  const ClusterOptions& left_out = options("");
  EXPECT_EQ(left_out.connections_max, 1024u);
  EXPECT_EQ(left_out.connections_per_endpoint_max, UINT32_MAX);
  EXPECT_EQ(left_out.idle_max, 256u);
  EXPECT_EQ(left_out.queue_max, 1024u);
  EXPECT_EQ(left_out.queue_timeout, 5s);
  EXPECT_EQ(left_out.requests_max, UINT32_MAX);
  EXPECT_EQ(left_out.retry_budget.percent, 20u);
  EXPECT_EQ(left_out.retry_budget.retries_min, 3u);
  EXPECT_EQ(left_out.idle_timeout, 30s);
  EXPECT_EQ(left_out.ttl, 1h);
  EXPECT_EQ(left_out.retry.attempts, 1u);
  EXPECT_FALSE(left_out.hedge.asks_again() || left_out.hedge.dials_again());
  EXPECT_EQ(left_out.health.kind, upstream::HealthOptions::Kind::None);
  ASSERT_TRUE(left_out.ejection);
  EXPECT_EQ(left_out.ejection->ejection_time, 30s);
  EXPECT_EQ(left_out.ejection->ejection_time_max, 300s);
  EXPECT_EQ(left_out.availability.panic_percent, 50u);
  EXPECT_EQ(left_out.request.timeout, Duration::max());
  EXPECT_TRUE(left_out.request.forwarded);
  EXPECT_TRUE(left_out.learns_idle);
  EXPECT_EQ(left_out.balance.kind, algo::PickerKind::RoundRobin);
}

TEST_F(UpstreamOptions, EndpointsHaveWeightsAndPriorities) {
  ASSERT_EQ(said("endpoints = { '10.0.0.1:80', { '[::1]:81', weight = 3, priority = 1 }, 'unix:/run/a' }"),
            "");
  const auto& endpoints = world.program->upstreams.front()->cluster->options().endpoints;
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ(endpoints[0].address.to_string(), "10.0.0.1:80");
  EXPECT_EQ(endpoints[0].weight, 1u);
  EXPECT_EQ(endpoints[1].address.to_string(), "[::1]:81");
  EXPECT_EQ(endpoints[1].weight, 3u);
  EXPECT_EQ(endpoints[1].priority, 1u);
  EXPECT_EQ(endpoints[2].address.to_string(), "unix:/run/a");
  EXPECT_EQ(said("endpoints = {}"), "");  // a script sets them later
}

TEST_F(UpstreamOptions, SaidTheyAreTaken) {
  EXPECT_EQ(options("maxConnections = 0").connections_max, UINT32_MAX);
  EXPECT_EQ(options("maxConnectionsPerEndpoint = 7").connections_per_endpoint_max, 7u);
  EXPECT_EQ(options("idleTimeout = false").idle_timeout, Duration::max());
  EXPECT_EQ(options("order = 'fifo'").is_fifo, true);
  EXPECT_EQ(options("balance = 'hash', key = function() end").balance.kind, algo::PickerKind::Maglev);
  EXPECT_EQ(options("balance = 'ring-hash', boundedLoad = 1.25").balance.bounded_load, 1.25);
  EXPECT_EQ(options("preconnect = 1.5, floor = 2, purge = '5s'").purge_interval, 5s);
  EXPECT_EQ(options("ejection = false").ejection, std::nullopt);
  EXPECT_EQ(options("ejection = { time = '1m' }").ejection->ejection_time_max, 10min);
  EXPECT_EQ(options("slowStart = '30s'").slow_start.window, 30s);
  EXPECT_EQ(options("slowStart = { window = '1m', aggression = 2 }").slow_start.aggression, 2);
  EXPECT_EQ(options("sticky = { cookie = 'route', maxAge = '1h' }").sticky.max_age, Duration(1h));
  EXPECT_EQ(options("host = 'endpoint', timeout = 2, forwarded = false").request.host, "endpoint");
  EXPECT_TRUE(options("onEvict = function(ctx, reason) end").on_evict);
  EXPECT_EQ(options("retryBudget = { percent = 50 }").retry_budget.retries_min, 3u);
}

TEST_F(UpstreamOptions, RetriesHedgesAndChecks) {
  const upstream::RetryOptions retry =
      options("retry = { attempts = 3, on = { 'reset', 503, '5xx' } }").retry;
  EXPECT_EQ(retry.attempts, 3u);
  EXPECT_TRUE(retry.on.has(ErrorCode::Reset));
  EXPECT_FALSE(retry.on.has(ErrorCode::Closed));
  EXPECT_TRUE(retry.on.has(500));
  const upstream::RetryOptions plain = options("retry = { methods = 'any', backoff = '1s' }").retry;
  EXPECT_EQ(plain.attempts, 2u);
  EXPECT_TRUE(plain.any_method);
  for (const ErrorCode code : {ErrorCode::ConnectFailure, ErrorCode::ConnectTimeout,
                               ErrorCode::ResolveFailure, ErrorCode::Reset, ErrorCode::Closed})
    EXPECT_TRUE(plain.on.has(code)) << code_name(code);
  EXPECT_FALSE(plain.on.has(503));
  EXPECT_EQ(plain.backoff.base, 1s);
  EXPECT_EQ(plain.backoff.max, 10s);
  EXPECT_EQ(options("hedge = { after = 'p95' }").hedge.percentile, 95);
  EXPECT_EQ(options("hedge = { after = '200ms', connect = 'p99.9' }").hedge.after, 200ms);
  EXPECT_EQ(options("hedge = { connect = 0.1 }").hedge.connect_after, 100ms);
  const upstream::HealthOptions http =
      options("health = { path = '/up', status = 204, interval = 1 }").health;
  EXPECT_EQ(http.kind, upstream::HealthOptions::Kind::Http);
  EXPECT_EQ(http.status_min, 204);
  EXPECT_EQ(http.status_max, 204);
  EXPECT_EQ(http.interval, 1s);
  EXPECT_EQ(options("health = { path = '/', status = { 200, 299 } }").health.status_max, 299);
  const upstream::HealthOptions written = options("health = { path = '/', status = '200-299' }").health;
  EXPECT_EQ(written.status_min, 200);
  EXPECT_EQ(written.status_max, 299);
  EXPECT_EQ(options("health = { path = '/', status = '204' }").health.status_max, 204);
  EXPECT_EQ(options("health = { tcp = true, port = 9 }").health.kind, upstream::HealthOptions::Kind::Tcp);
  EXPECT_EQ(options("health = false").health.kind, upstream::HealthOptions::Kind::None);
}

TEST_F(UpstreamOptions, WhatIsShortMeansWhatItSeemsTo) {
  const upstream::HealthOptions health = options("health = '/up'").health;
  EXPECT_EQ(health.kind, upstream::HealthOptions::Kind::Http);
  EXPECT_EQ(health.path, "/up");
  EXPECT_EQ(options("sticky = 'route'").sticky.cookie, "route");
  EXPECT_EQ(options("sticky = false").sticky.cookie, "");
  for (const char* on : {"503", "'503'", "{ 503 }", "{ '503' }"})
    EXPECT_TRUE(options("retry = { on = " + std::string(on) + " }").retry.on.has(503)) << on;
  EXPECT_TRUE(options("retry = { on = 'reset' }").retry.on.has(ErrorCode::Reset));
  EXPECT_TRUE(options("retry = { on = '5xx' }").retry.on.any_5xx);
}

TEST_F(UpstreamOptions, MembersByDns) {
  ASSERT_EQ(said("dns = 'api.example.org:8080'"), "");
  auto dns = world.program->upstreams.front()->cluster->options().discovery;
  EXPECT_EQ(dns->kind, upstream::DiscoveryOptions::Kind::Addresses);
  EXPECT_EQ(dns->name.to_string(), "api.example.org:8080");
  ASSERT_EQ(said("dns = { name = '_http._tcp.example.org', service = true, refreshMax = '10m' }"), "");
  dns = world.program->upstreams.front()->cluster->options().discovery;
  EXPECT_EQ(dns->kind, upstream::DiscoveryOptions::Kind::Service);
  EXPECT_EQ(dns->name.host, "_http._tcp.example.org");
  EXPECT_EQ(dns->ttl_max, 10min);
}

struct Wrong {
  const char* options;
  const char* sentence;
};

const Wrong wrong_ones[] = {
    {"", "it needs endpoints = { \"10.0.0.1:8080\", … }, or dns = \"api.example.org:8080\""},
    {"endpoint = { 'a:1' }",
     "unknown option \"endpoint\"; did you mean \"endpoints\"? (it is one of forward)"},
    {"endpoints = { 'a:1', nil, 'b:1' }",
     "option \"endpoints\": item 2 is nil, though there are items behind it: is a name misspelt or not set?"},
    {"endpoints = { nil, 'b:1' }",
     "option \"endpoints\": item 1 is nil, though there are items behind it: is a name misspelt or not set?"},
    {"endpoints = { [1] = 'a:1', [3] = 'b:1' }",
     "option \"endpoints\": item 2 is nil, though there are items behind it: is a name misspelt or not set?"},
    {"endpoints = 'a:1'", "option \"endpoints\" expects a list of endpoints, got a string"},
    {"endpoints = { 5 }",
     "option \"endpoints\": item 1: an endpoint is \"host:port\" or { \"host:port\", weight = 2 }, got 5"},
    {"endpoints = { ['a:1'] = 2 }",
     "option \"endpoints\" expects a list of endpoints, got a table with the name \"a:1\"; write { "
     "\"10.0.0.1:8080\", { "
     "\"10.0.0.2:8080\", weight = 2 } }"},
    {"endpoints = { 'a:1', { 'b:1', wieght = 2 } }",
     "option \"endpoints\": item 2: unknown option \"wieght\"; did you mean \"weight\"?"},
    {"endpoints = { { 'b:1', weight = -1 } }",
     "option \"endpoints\": item 1: option \"weight\" expects a whole number of at least 0"},
    {"endpoints = { 'a' }", "option \"endpoints\": address \"a\": no port; expected \"host:port\""},
    {"endpoints = { 'a:1', 'a:1' }",
     "option \"endpoints\": a:1 is named twice; { \"a:1\", weight = 2 } has twice as many requests"},
    {"endpoints = { 'a:1' }, dns = 'b:1'",
     "option \"dns\": its endpoints come from there, so option \"endpoints\" cannot name others"},
    {"dns = '10.0.0.1:80'",
     "option \"dns\": \"10.0.0.1:80\" is an address already; write endpoints = { \"10.0.0.1:80\" }"},
    {"dns = 'example.org'", "option \"dns\": address \"example.org\": no port; expected \"host:port\""},
};

const Wrong wrong_with_endpoints[] = {
    {"idleTimeout = 0", "option \"idleTimeout\": a time of 0 means nothing here; say false for never"},
    {"balance = 'roundrobin'",
     "option \"balance\" expects \"round-robin\" or \"least-requests\" or \"random\" or \"hash\" or "
     "\"maglev\" or "
     "\"ring-hash\", got \"roundrobin\""},
    {"key = function() end",
     "option \"key\": nobody looks at it: only balance = \"hash\", \"maglev\" and \"ring-hash\" go by a key"},
    {"balance = 'hash', boundedLoad = 0.5",
     "option \"boundedLoad\": it is how many times its share an endpoint may have: at least 1, such as 1.25"},
    {"retry = 3",
     "option \"retry\" expects true or false or a table of options, got a number; write retry = { attempts = "
     "2 }, where "
     "the first try counts too, or false"},
    {"retry = true",
     "option \"retry\": true does not say how; write retry = { attempts = 2 }, where the first try counts "
     "too, or false"},
    {"hedge = '200ms'",
     "option \"hedge\" expects true or false or a table of options, got a string; write hedge = { after = "
     "\"200ms\" }, or "
     "\"p95\" there, or false"},
    {"retryBudget = 20",
     "option \"retryBudget\" expects a table of options, got a number; write retryBudget = { percent = 20 }, "
     "or retry = "
     "false for no retries"},
    {"retry = { attempts = 0 }",
     "option \"retry\": attempts counts every try, the first one too: it is at least 1"},
    {"retry = { on = { 'conect-failure' } }",
     "option \"retry\": \"conect-failure\" in on is neither a code, a status nor \"5xx\"; did you mean "
     "\"connect-failure\"?"},
    {"retry = { on = { 200 } }",
     "option \"retry\": a status in on is a whole number from 400 to 599, got 200"},
    {"retry = { on = '200' }",
     "option \"retry\": a status in on is a whole number from 400 to 599, got \"200\""},
    {"retry = { on = true }",
     "option \"retry\": option \"on\" expects a string, a number or a list of such, got a boolean"},
    {"retry = { on = { true } }",
     "option \"retry\": option \"on\" expects a string, a number or a list of such, but its item 1 is true"},
    {"retry = { on = { 'reset', nil, 503 } }",
     "option \"retry\": option \"on\" expects a string, a number or a list of such, but its item 2 is nil, "
     "though there "
     "are items behind it: is a name misspelt or not set?"},
    {"retry = { atempts = 2 }", "option \"retry\": unknown option \"atempts\"; did you mean \"attempts\"?"},
    {"retry = { backoff = '1s', maxBackoff = '100ms' }", "option \"retry\": maxBackoff is less than backoff"},
    {"hedge = { after = '95' .. 'p' }",
     "option \"hedge\": option \"after\": \"95p\" is no time; write seconds, or \"250ms\", \"5s\", \"1m\", "
     "\"1h\", or a "
     "percentile such as \"p95\""},
    {"hedge = {}",
     "option \"hedge\": after says when a second endpoint is asked, connect when it is dialled; one is "
     "needed"},
    {"health = true",
     "option \"health\": say what is asked: path = \"/healthz\", or tcp = true for a connect alone"},
    {"health = { tcp = true, path = '/' }",
     "option \"health\": path is for checks by HTTP, and tcp = true only connects: leave out one of the two"},
    {"health = 5",
     "option \"health\" expects a string or true or false or a table of options, got a number; write health "
     "= { path = "
     "\"/healthz\" } or { tcp = true }, or false"},
    {"health = { path = 'up' }",
     "option \"health\": path begins with \"/\" and has neither spaces nor \"#\", got \"up\""},
    {"health = { path = '/', status = { 399, 200 } }",
     "option \"health\": status is one from 100 to 599, or the first and the last of those that pass: { 200, "
     "399 } or "
     "\"200-399\""},
    {"health = { path = '/', status = '2xx' }",
     "option \"health\": status is one from 100 to 599, or the first and the last of those that pass: { 200, "
     "399 } or "
     "\"200-399\", got \"2xx\""},
    {"health = { path = '/', interval = false }",
     "option \"health\": option \"interval\": it is a time above 0, such as 5 or \"250ms\", and cannot be "
     "never; health = "
     "false switches checks off"},
    {"health = { path = '/', interval = 0 }",
     "option \"health\": option \"interval\": it is a time above 0, such as 5 or \"250ms\", and cannot be "
     "never; health = "
     "false switches checks off"},
    {"health = { path = '/', timeout = math.huge }",
     "option \"health\": option \"timeout\": it is a time above 0, such as 5 or \"250ms\", and cannot be "
     "never"},
    {"health = { path = '/', fall = 0 }", "option \"health\": rise and fall are at least 1"},
    {"health = { path = '/', port = 70000 }", "option \"health\": port is a number from 1 to 65535"},
    {"ejection = { maxPercent = 200 }", "option \"ejection\": maxPercent is at most 100"},
    {"ejection = { time = '1m', maxTime = 1 }", "option \"ejection\": maxTime is less than time"},
    {"sticky = { cookie = 'a b' }", "option \"sticky\": \"a b\" is no name for a cookie"},
    {"sticky = true",
     "option \"sticky\": true does not name the cookie; write sticky = { cookie = \"route\" }, or false"},
    {"sticky = 5",
     "option \"sticky\" expects a string or true or false or a table of options, got a number; write sticky "
     "= { cookie = "
     "\"route\" }, or false"},
    {"slowStart = { aggression = 2 }",
     "option \"slowStart\": it needs a window: \"30s\" or { window = \"30s\" }"},
    {"panic = 101", "option \"panic\": it is a percentage: at most 100; 0 switches it off"},
    {"preconnect = 4", "option \"preconnect\": it is from 1 (connections are opened for requests only) to 3"},
    {"pipelining = 0", "option \"pipelining\": at least one request is on the wire of a connection"},
    {"floor = 5, maxConnectionsPerEndpoint = 2",
     "option \"floor\": it is above the largest number of connections"},
    {"bind = 'localhost'", "option \"bind\": it is an IP address of this machine, got \"localhost\""},
    {"host = 'a b'",
     "option \"host\": \"a b\" is neither \"client\", \"endpoint\" nor a name for the Host field"},
    {"tenant = 'a'", "unknown option \"tenant\"; it is an option of forward"},
    {"ttl = 0/0", "option \"ttl\": it is not a number (0/0)"},
    {"maxIdle = 0/0", "option \"maxIdle\" expects a whole number of at least 0"},
    {"maxIdle = 1/0", "option \"maxIdle\" expects a whole number of at least 0"},
    {"bufferLimit = 0/0", "option \"bufferLimit\": it is not a number (0/0)"},
    {"preconnect = 0/0", "option \"preconnect\" expects a number, got nan"},
    {"preconnect = 1/0", "option \"preconnect\" expects a number, got infinity"},
    {"tryTimeout = 3, timeout = 2",
     "option \"tryTimeout\": it never comes to that: it is longer than timeout"},
    {"queueTimeout = 3, timeout = 2",
     "option \"queueTimeout\": it never comes to that: it is longer than timeout"},
    {"connectTimeout = 3, tryTimeout = 2",
     "option \"connectTimeout\": it never comes to that: it is longer than tryTimeout"},
    {"queue = 0, queueTimeout = 2", "option \"queueTimeout\": with queue = 0 nobody waits"},
    {"floor = 1, maxIdle = 0", "option \"floor\": with maxIdle = 0 no connection is kept"},
    {"pipelining = 4, maxMessages = 1",
     "option \"pipelining\": with maxMessages = 1 a connection has one request only"},
    {"onLease = 5", "option \"onLease\" expects a function, got a number"},
    {"timeout = '5 s'",
     "option \"timeout\": \"5 s\" is no time; write seconds, or \"250ms\", \"5s\", \"1m\", \"1h\""},
};

TEST_F(UpstreamOptions, WrongOnesAreSaid) {
  for (const Wrong& wrong : wrong_ones)
    EXPECT_EQ(said(wrong.options), std::string("main.lua:1: upstream: ") + wrong.sentence) << wrong.options;
  for (const Wrong& wrong : wrong_with_endpoints)
    EXPECT_EQ(said("endpoints = { 'a:1' }, " + std::string(wrong.options)),
              std::string("main.lua:1: upstream: ") + wrong.sentence)
        << wrong.options;
}

const Wrong wrong_of_forward[] = {
    {"endpoint = 'a'", "option \"endpoint\": address \"a\": no port; expected \"host:port\""},
    {"key = true", "option \"key\" expects a function or a string or a number, got a boolean"},
    {"retry = { on = { 'rset' } }",
     "option \"retry\": \"rset\" in on is neither a code, a status nor \"5xx\"; did you mean \"reset\"?"},
    {"timeout = 0", "option \"timeout\": a time of 0 means nothing here; say false for never"},
    {"timout = 1", "unknown option \"timout\"; did you mean \"timeout\"?"},
    {"balance = 'random'", "unknown option \"balance\"; it is an option of upstream"},
    {"queue = 5", "unknown option \"queue\"; it is an option of upstream and muxHTTP"},
    {"tryTimeout = 2, timeout = 1",
     "option \"tryTimeout\": it never comes to that: it is longer than timeout"},
    {"host = ''", "option \"host\": \"\" is neither \"client\", \"endpoint\" nor a name for the Host field"},
};

TEST_F(UpstreamOptions, ThoseOfForwardToo) {
  for (const Wrong& wrong : wrong_of_forward) {
    world.start();
    EXPECT_EQ(world.load("local api = upstream('api', { endpoints = { 'a:1' } })\n"
                         "pipeline():forward(api, { " +
                         std::string(wrong.options) + " })"),
              std::string("main.lua:2: forward: ") + wrong.sentence)
        << wrong.options;
  }
}

TEST_F(UpstreamOptions, TheFloorOfAllEndpointsHasRoom) {
  EXPECT_EQ(said("endpoints = { 'a:1', 'b:1' }, floor = 5, maxConnections = 10"), "");
  EXPECT_EQ(
      said("endpoints = { 'a:1', 'b:1' }, floor = 5, maxConnections = 9"),
      "main.lua:1: upstream: option \"floor\": 5 for each of 2 endpoints is more than maxConnections, 9");
}

TEST_F(UpstreamOptions, HashingNeedsAKey) {
  const auto load = [&](const std::string& upstream, const std::string& forward) {
    world.start();
    return world.load("local api = upstream('api', { endpoints = { 'a:1' }, balance = 'hash'" + upstream +
                      " })\nlisten(1):demuxHTTP(pipeline()\n  :forward(api" + forward + "))");
  };
  EXPECT_EQ(load("", ""),
            "main.lua:3: forward: upstream \"api\" balances by a key, and nobody says which; add key = "
            "function(ctx) return "
            "ctx.client.ip end, to its options or to these");
  EXPECT_EQ(load(", key = function() return 1 end", ""), "");
  EXPECT_EQ(load("", ", { key = 'x' }"), "");
  EXPECT_EQ(load("", ", { endpoint = 'a:1' }"), "");
}

TEST_F(UpstreamOptions, AValueOrAFunction) {
  ASSERT_EQ(world.load(R"(
    local api = upstream('api', { endpoints = { 'a:1' }, timeout = 3, host = 'endpoint' })
    listen(1):demuxHTTP(pipeline():forward(api, { tryTimeout = function() return 1 end, key = 'x', pool = 'p' }))
    listen(2):demuxHTTP(pipeline():forward(function() return api end, { timeout = false, endpoint = 'a:1' }))
  )"),
            "");
}

TEST(ForwardSettings, WhatIsNotSaidIsTheClusters) {
  filter::Options said;
  said.set("tryTimeout", filter::Argument{Value(2), {}, {}});
  const auto settings = filter::forward_settings(said);
  ASSERT_TRUE(settings.has_value());
  ClusterOptions defaults;
  defaults.request.timeout = 3s;
  defaults.request.try_timeout = 1s;
  defaults.request.host = "endpoint";
  upstream::ExchangePlan plan;
  filter::prepare(plan, *settings, defaults);
  EXPECT_EQ(plan.timeout, 3s);
  EXPECT_EQ(plan.try_timeout, 2s);
  EXPECT_EQ(plan.host, upstream::ExchangePlan::Host::Endpoint);
  EXPECT_EQ(plan.retry, &defaults.retry);
  EXPECT_FALSE(plan.key || plan.is_pinned);
}

}  // namespace
}  // namespace perilune::script
