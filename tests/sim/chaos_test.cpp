#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "chaos_parts.hpp"

/// Whole proxies under every fault there is, one seed after the other. A seed decides the network, the
/// clients and the upstreams; a failing one is printed with the command that replays it.
///   PERILUNE_SEEDS=N   how many seeds each scenario runs
///   PERILUNE_SEED=N    this one only

namespace perilune::tests {
namespace {

struct Scenario {
  const char* name;
  const char* script;  // null: the lesson's own file
  std::vector<const char*> upstreams;
  std::vector<const char*> paths;
  bool is_pipelining = false;
  bool asks_second = false;  // its script asks the second upstream for itself
};

const std::vector<Scenario> scenarios = {
    {"lesson", nullptr, {"127.0.0.1:8080", "127.0.0.1:8081"}, {"/", "/hi", "/hi/there"}},
    {"keyless",
     R"(listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80"))))",
     {"10.0.0.1:80"},
     {"/"}},
    {"queued",
     R"(listen(8000, { headTimeout = 4, readTimeout = 6, idleTimeout = 20, maxConnections = 6 })
          :demuxHTTP(pipeline()
            :timeout(8)
            :muxHTTP(pipeline():connect("10.0.0.1:80", { readTimeout = 5, connectTimeout = 2 }), "one",
              { maxSessions = 2, queue = 4, queueTimeout = 3, idleTimeout = 4, maxMessages = 5 })))",
     {"10.0.0.1:80"},
     {"/"}},
    {"pipelining",
     R"(listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80", { readTimeout = 20 }), "one",
          { maxSessions = 2, pipelining = 8 })))",
     {"10.0.0.1:80"},
     {"/"},
     true},
    {"handlers",
     R"(local sessions, begun, ended = 0, 0, 0
        reload.onUnload(function()
          if sessions ~= 0 or begun ~= ended then error(sessions .. " sessions are left, " .. begun .. " " .. ended) end
        end)
        listen(8001):serveHTTP(function() return Message(sessions .. " " .. begun .. " " .. ended) end)
        local function own(req)
          return Message { headers = { ["x-id"] = req.headers["x-id"] }, body = "own " .. req.headers["x-id"] }
        end
        listen(8000)
          :handleSessionStart(function(ctx) sessions = sessions + 1; ctx.seen = algo.Cache(
            function(id) sleep(0.01); return id end, function() end) end)
          :handleSessionEnd(function() sessions = sessions - 1 end)
          :demuxHTTP("requests")
        pipeline("requests")
          :handleMessageStart(function(req, ctx)
            begun = begun + 1
            ctx.mine = req.headers["x-id"]
            if req.path:find("wait", 1, true) then sleep(0.05) end
            if ctx.seen:get(ctx.mine) ~= ctx.mine then error("not mine") end
            if req.path == "/own/early" then return own(req) end
          end)
          :route(function(ctx)
            local path = ctx.request.path
            return path:find("^/up") and "upper" or path:find("^/own") and "own" or path:find("^/whole") and "whole"
              or "plain"
          end)
          :handleMessageStart(function(res, ctx)
            local id = res.headers["x-id"]
            if id and id ~= ctx.mine then error("answer of " .. id .. " for " .. ctx.mine) end
          end)
          :handleExchangeEnd(function() ended = ended + 1 end)
        pipeline("own"):replaceMessage(function(req) sleep(0.001); return own(req) end)
        pipeline("plain"):muxHTTP("connection", "one", { maxSessions = 3 })
        pipeline("whole")
          :handleMessage(function(req) if #req.body > 100 then sleep(0.02) end end)
          :muxHTTP("connection", function(ctx) sleep(0.005); return ctx.session end)
          :handleMessage(function(res) sleep(0.01) end)
        pipeline("upper")
          :replaceMessageBody(function(body) return tostring(body):upper() end)
          :muxHTTP("connection")
          :replaceData(function(data) return tostring(data):upper() end)
        pipeline("connection"):connect("10.0.0.1:80"))",
     {"10.0.0.1:80"},
     {"/", "/wait", "/own/early", "/own/late", "/whole", "/whole/wait", "/up", "/up/wait"}},
    {"forwarding",
     R"(local api = upstream("api", { endpoints = { "10.0.0.1:80", "10.0.0.2:80" } })
        listen(8000):demuxHTTP(pipeline():forward(api)))",
     {"10.0.0.1:80", "10.0.0.2:80"},
     {"/"}},
    {"pooled",
     R"(local made = 0
        local pool = algo.ResourcePool(function(key)
          sleep(0.02)
          made = made + 1
          return { number = made }
        end, { max = 2, queueTimeout = 2, idleTimeout = 3, maxUses = 3,
               validate = function() sleep(0.01) return made % 5 ~= 0 end })
        listen(8000)
          :handleSessionStart(function(ctx)
            ctx.held = algo.Cache(function(key) return pool:allocate(key) end,
              function(key, resource) pool:free(resource) end)
          end)
          :demuxHTTP("requests")
        pipeline("requests"):muxHTTP("connection", function(ctx)
          local resource, err = ctx.held:get(ctx.request.path)
          if not resource then return nil, err end
          return resource
        end)
        pipeline("connection"):connect("10.0.0.1:80"))",
     {"10.0.0.1:80"},
     {"/", "/b"}},
    {"asking",
     R"(listen(8000):demuxHTTP(pipeline()
          :handleMessageStart(function(req)
            local id = req.headers["x-id"]
            local res = http.get("http://10.0.0.2/who", { headers = { ["x-id"] = id }, timeout = 3 })
            if res and res.status ~= 502 and res.headers["x-id"] ~= id then
              error("asked for " .. id .. ", got " .. tostring(res.headers["x-id"]))
            end
          end)
          :handleData(function(data) if #data > 50 then sleep(0.01) end end)
          :route(function(ctx) return ctx.request.path:find("^/own") and "own" or "plain" end))
        pipeline("own"):replaceMessage(function(req)
          local id = req.headers["x-id"]
          local pieces = { "own", " ", id }
          local at = 0
          return Message { headers = { ["x-id"] = id }, body = function()
            sleep(0.01)
            at = at + 1
            return pieces[at]
          end }
        end)
        pipeline("plain")
          :muxHTTP(pipeline():connect("10.0.0.1:80"), nil, { maxMessages = 3 })
          :handleData(function(data) sleep(0.005) end)
          :handleMessageEnd(function(res) if res.bodySize > 10 then sleep(0.01) end end))",
     {"10.0.0.1:80", "10.0.0.2:80"},
     {"/", "/own/pieces"},
     false,
     true},
};

int from_environment(const char* name, int fallback) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : fallback;
}

struct Outcome {
  std::string faults;
  uint64_t trace = 0;
  size_t exchanges = 0;
  size_t answered = 0;
  size_t refused = 0;
  size_t cut = 0;
};

/// Whether new versions of the script take over meanwhile.
enum class Reloads : uint8_t { None, Many };

/// Has the script take over from itself, again and again, until it is told to stop; at times it is not taken.
class Reloading {
 public:
  Reloading(Play& play, std::string file, uint64_t seed) : play_(play), file_(std::move(file)), dice_(seed) {}
  void plan() {
    play_.world.after(std::chrono::milliseconds(dice_.below(dice_.chance(0.3) ? 20 : 1500)), [this] {
      if (is_over || count_ == count_max) return;
      ++count_;
      reload();
      plan();
    });
  }
  bool is_over = false;
  std::string faults;

 private:
  static constexpr int count_max = 30;
  void reload() {
    if (dice_.chance(0.1)) {
      if (play_.worker->load({wrong_}).has_value()) faults += "a wrong script was loaded\n";
    } else if (dice_.chance(0.1)) {
      // Another worker could not take it.
      if (play_.worker->load({file_}).has_error() || play_.worker->listen().has_error())
        faults += "a reload failed\n";
      play_.worker->discard();
    } else if (const std::string error = play_.reload_file(file_); !error.empty()) {
      faults += "a reload failed: " + error + "\n";
    }
  }

  Play& play_;
  const std::string file_;
  net::Random dice_;
  ScriptFolder folder_;
  const std::string wrong_ = folder_.write("listen(8000):serveHTTP(Message 'wrong')\nlisten(8002)");
  int count_ = 0;
};

/// What the network and the upstreams do.
enum class Weather : uint8_t { Any, Good };

class Run {
 public:
  Run(const Scenario& scenario, uint64_t seed, Reloads reloads = Reloads::None,
      Weather weather = Weather::Any)
      : scenario_(scenario),
        dice_(seed * 31 + 7),
        weather_(weather),
        network_(weather == Weather::Any ? draw_network(seed)
                 : seed % 2 == 0         ? sim::SimFaults{}
                                         : sim::SimFaults::pieces()),
        play_(seed, network_) {
    if (reloads == Reloads::Many) {
      const std::string file = scenario.script ? folder_.write(scenario.script) : lesson;
      reloading_ = std::make_unique<Reloading>(play_, file, seed + 5);
      if (weather == Weather::Any && seed % 4 == 0)
        play_.shared.old_version_timeout = std::chrono::milliseconds(seed % 3000);
    }
    book_.cuts_look_like_ends = network_.cut > 0;
    if (network_.segment_bytes_max < 100 || network_.buffer_bytes < 100) book_.body_bytes_max = 500;
  }

  Outcome run() {
    play_.start_file(scenario_.script ? folder_.write(scenario_.script) : lesson);
    if (reloading_) reloading_->plan();
    for (const char* address : scenario_.upstreams) {
      upstreams_.push_back(std::make_unique<ChaosUpstream>(play_, book_, address, dice_.next()));
      if (scenario_.is_pipelining) upstreams_.back()->manners.surplus = 0;
      upstreams_.back()->manners.judges =
          !scenario_.asks_second || std::string_view(address) != "10.0.0.2:80";
      upstreams_.back()->manners.is_good = weather_ == Weather::Good;
    }
    const size_t clients = 1 + dice_.below(8);
    for (size_t i = 0; i < clients; ++i) add_client();
    if (weather_ == Weather::Any && dice_.chance(0.1)) {
      stop_in_the_middle();
    } else {
      finish();
    }
    return {book_.faults, play_.world.trace_hash(), book_.exchanges.size(), book_.answered, book_.refused,
            book_.cut};
  }

  static sim::SimFaults draw_network(uint64_t seed) {
    net::Random dice(seed ^ 0xd1ce);
    sim::SimFaults faults = dice.chance(0.15)   ? sim::SimFaults{}
                            : dice.chance(0.25) ? sim::SimFaults::pieces()
                                                : sim::SimFaults::of_seed(seed);
    // A client in front of a dead proxy waits for ever, and that is nobody's fault here.
    faults.silent = 0;
    return faults;
  }

 private:
  static constexpr const char* lesson = PERILUNE_SOURCE_DIR "/tutorial/03-connection-pool/main.lua";

  Exchange& add_exchange(bool is_last, bool is_plain) {
    const uint64_t id = book_.exchanges.size() + 1;
    Exchange& exchange = book_.exchanges[id];
    exchange.id = id;
    const char* methods[] = {"GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE"};
    exchange.method = is_plain ? "GET" : methods[dice_.below(std::size(methods))];
    exchange.path = scenario_.paths[is_plain ? 0 : dice_.below(scenario_.paths.size())];
    const bool has_body = exchange.method == "POST" || exchange.method == "PUT";
    if (has_body) exchange.body_bytes = draw_size(dice_, book_.body_bytes_max);
    const std::string body = pattern("q" + std::to_string(id), exchange.body_bytes);
    const bool is_old = is_last && dice_.chance(0.3);
    exchange.is_last = is_last;
    exchange.wire = exchange.method + " " + exchange.path + (is_old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    exchange.wire += "Host: proxy\r\nX-Id: " + std::to_string(id) + "\r\n";
    if (is_last && !is_old && dice_.chance(0.5)) exchange.wire += "Connection: close\r\n";
    if (has_body && !is_old && dice_.chance(0.4)) {
      exchange.wire += "Transfer-Encoding: chunked\r\n\r\n" + chunked(body, dice_);
    } else if (has_body) {
      exchange.wire += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    } else {
      exchange.wire += "\r\n";
    }
    return exchange;
  }

  void add_client() {
    ClientManners manners;
    if (dice_.chance(0.5)) manners.window = 1 + dice_.below(6);
    // On a good day nobody is too slow for the limits of a body.
    if (dice_.chance(0.2)) manners.piece_bytes = (weather_ == Weather::Good ? 100 : 1) + dice_.below(2000);
    if (dice_.chance(0.25) && weather_ == Weather::Any)
      manners.leaves_after = std::chrono::milliseconds(dice_.below(dice_.chance(0.5) ? 300 : 5000));
    manners.leaves_by_reset = dice_.chance(0.5);
    manners.half_closes = dice_.chance(0.25);
    manners.pauses_reading = dice_.chance(0.1);
    manners.stays = dice_.chance(0.3);
    auto client = std::make_unique<ChaosClient>(play_, book_, manners);
    const size_t requests = 1 + dice_.below(6);
    for (size_t i = 1; i <= requests; ++i)
      client->add(add_exchange(i == requests && dice_.chance(0.5), false));
    ChaosClient* added = client.get();
    clients_.push_back(std::move(client));
    play_.world.after(std::chrono::milliseconds(dice_.below(3000)), [this, added] { added->start(proxy_); });
  }

  bool all_done() const {
    for (const auto& client : clients_)
      if (!client->is_done()) return false;
    return true;
  }

  void stop_in_the_middle() {
    play_.world.run_for(std::chrono::milliseconds(dice_.below(4000)));
    end_reloading();
    clean_up();
  }

  void finish() {
    play_.world.run_until([this] { return all_done(); }, play_.world.now() + 10min);
    end_reloading();
    for (const auto& client : clients_)
      if (!client->is_done() && network_.black_hole == 0) book_.wrong("stuck: " + client->describe());
    for (const auto& client : clients_) client->leave();
    const std::string alive = play_.settle();
    if (!alive.empty()) book_.wrong("alive when all is over: " + alive);
    prove_health();
    clean_up();
  }

  void end_reloading() {
    if (!reloading_) return;
    reloading_->is_over = true;
    if (!reloading_->faults.empty()) book_.wrong(reloading_->faults);
  }

  /// After all that, a good request is answered well.
  void prove_health() {
    play_.world.run_for(70s);  // idle connections of the script's own client are on the old network
    play_.world.set_faults({});
    for (const auto& upstream : upstreams_) upstream->manners.is_good = true;
    const size_t answered = book_.answered;
    ChaosClient good(play_, book_, {});
    good.add(add_exchange(false, true));
    good.start(proxy_);
    const Instant begin = play_.world.now();
    play_.world.run_until([&] { return good.is_done(); }, begin + 100ms);
    if (book_.answered == answered)
      book_.wrong("a good request is not answered any more: " + good.describe());
    good.leave();
    play_.world.run_for(100ms);
    if (std::string_view(scenario_.name) == "handlers") check_counts();
  }

  void check_counts() {
    sim::SimClient asking(play_.outside, address_of("127.0.0.1:8001"));
    asking.send("GET / HTTP/1.0\r\n\r\n");
    play_.world.run_for(100ms);
    const std::string body = take_message(asking.peer().received(), WireKind::Response, true).body;
    size_t sessions = 1, begun = 0, ended = 1;
    std::sscanf(body.c_str(), "%zu %zu %zu", &sessions, &begun, &ended);
    if (sessions != 0 || begun != ended) book_.wrong("sessions, exchanges begun and ended: " + body);
    asking.drop();
  }

  void clean_up() {
    const std::string left = play_.stop();
    if (!left.empty()) book_.wrong("left behind: " + left);
    for (const auto& client : clients_) client->leave();
    for (const auto& upstream : upstreams_) {
      for (const auto& peer : upstream->server().peers()) peer->close();
      upstream->server().close();
    }
    play_.world.run_for(1s);
    if (const size_t streams = play_.world.alive_streams())
      book_.wrong(std::to_string(streams) + " streams left");
    if (play_.world.alive_listeners() > 0) book_.wrong("listeners left");
    if (play_.world.pending_operations() > 0) book_.wrong("operations left");
  }

  const Scenario& scenario_;
  net::Random dice_;
  const Weather weather_;
  ScriptFolder folder_;
  const sim::SimFaults network_;
  Book book_;
  Play play_;
  std::unique_ptr<Reloading> reloading_;
  const net::Address proxy_ = address_of("127.0.0.1:8000");
  std::vector<std::unique_ptr<ChaosUpstream>> upstreams_;
  std::vector<std::unique_ptr<ChaosClient>> clients_;
};

/// What a crash is blamed on: a bug of the engine ends the process.
char replay_line[200];

void tell_replay(int signal) {
  [[maybe_unused]] const auto written = ::write(2, replay_line, std::strlen(replay_line));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::string replay_command(const Scenario& scenario, uint64_t seed, Reloads reloads = Reloads::None,
                           Weather weather = Weather::Any) {
  const char* suite = reloads == Reloads::None ? "Seeds" : weather == Weather::Any ? "Reloaded" : "GoodDay";
  return "replay: PERILUNE_SEED=" + std::to_string(seed) + " sim_chaos --gtest_filter='" + suite + "*" +
         scenario.name + "'\n";
}

void blame_crashes_on(const Scenario& scenario, uint64_t seed, Reloads reloads,
                      Weather weather = Weather::Any) {
  std::snprintf(replay_line, sizeof replay_line, "%s",
                replay_command(scenario, seed, reloads, weather).c_str());
  std::signal(SIGABRT, tell_replay);
  std::signal(SIGSEGV, tell_replay);
}

Outcome run_seed(const Scenario& scenario, uint64_t seed, Reloads reloads = Reloads::None,
                 Weather weather = Weather::Any) {
  blame_crashes_on(scenario, seed, reloads, weather);
  CapturedLog log;
  Outcome outcome = Run(scenario, seed, reloads, weather).run();
  if (log.has("error ")) outcome.faults += "logged: " + log.text;
  return outcome;
}

std::string run_relay(ChaosEcho::Opening opening, uint64_t seed, Reloads reloads) {
  const sim::SimFaults network = Run::draw_network(seed);
  net::Random dice(seed * 17 + 3);
  Play play(seed, network);
  const ScriptFolder folder;
  const std::string file = folder.write(
      opening == ChaosEcho::Opening::None
          ? R"(listen(8000):connect("10.0.0.1:80", { idleTimeout = 30 }))"
          : R"(listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect("10.0.0.1:80", { idleTimeout = 30 }))))");
  if (reloads == Reloads::Many && seed % 4 == 0)
    play.shared.old_version_timeout = std::chrono::milliseconds(seed % 3000);
  play.start_file(file);
  Reloading reloading(play, file, seed + 5);
  if (reloads == Reloads::Many) reloading.plan();
  ChaosEcho echo(play, "10.0.0.1:80", opening, dice.next());
  const net::Address proxy = address_of("127.0.0.1:8000");
  const size_t bytes_max = network.segment_bytes_max < 100 ? 500 : 30'000;
  std::vector<std::unique_ptr<EchoClient>> clients;
  for (size_t i = 0; i < 1 + dice.below(5); ++i) {
    clients.push_back(
        std::make_unique<EchoClient>(play, opening, dice.below(bytes_max), "c" + std::to_string(i)));
    EchoClient* client = clients.back().get();
    const size_t piece_bytes = dice.chance(0.3) ? 1 + dice.below(2000) : 0;
    play.world.after(std::chrono::milliseconds(dice.below(1000)), [=] { client->start(proxy, piece_bytes); });
    if (dice.chance(0.1))
      play.world.after(std::chrono::milliseconds(dice.below(3000)), [=] { client->leave(); });
  }
  const auto all_done = [&] {
    return std::ranges::all_of(clients, [](const auto& client) { return client->is_done(); });
  };
  std::string faults;
  if (play.world.run_until(all_done, play.world.now() + 3h) != sim::SimWorld::Outcome::Met &&
      network.black_hole == 0)
    faults += "stuck\n";
  reloading.is_over = true;
  faults += reloading.faults;
  for (const auto& client : clients) {
    const std::string wrong = client->judge(network.cut > 0);
    if (!wrong.empty()) faults += wrong + "\n";
    client->leave();
  }
  if (const std::string alive = play.settle(3h); !alive.empty()) faults += "alive: " + alive + "\n";
  echo.breaks = 0;
  play.world.set_faults({});
  EchoClient good(play, opening, 1000, "good");
  good.start(proxy, 0);
  play.world.run_for(1s);
  if (!good.is_whole()) faults += "a good relay does not work any more\n";
  good.leave();
  play.world.run_for(1s);
  if (const std::string left = play.stop(); !left.empty()) faults += "left behind: " + left + "\n";
  for (const auto& peer : echo.server().peers()) peer->close();
  if (const size_t streams = play.world.alive_streams())
    faults += std::to_string(streams) + " streams left\n";
  return faults;
}

class Chaos : public ::testing::TestWithParam<size_t> {
 protected:
  static Outcome run_seeds(const Scenario& scenario, int seeds, Reloads reloads, Weather weather) {
    const int only = from_environment("PERILUNE_SEED", 0);
    if (only > 0) seeds = 1;
    Outcome sum;
    int failed = 0;
    for (int i = 1; i <= seeds && failed < 5; ++i) {
      const auto seed = static_cast<uint64_t>(only > 0 ? only : i);
      const Outcome outcome = run_seed(scenario, seed, reloads, weather);
      sum.exchanges += outcome.exchanges;
      sum.answered += outcome.answered;
      sum.refused += outcome.refused;
      sum.cut += outcome.cut;
      if (outcome.faults.empty()) continue;
      ++failed;
      ADD_FAILURE() << replay_command(scenario, seed, reloads, weather) << outcome.faults;
    }
    std::printf("%s: %d seeds, %zu requests: %zu answered, %zu refused by the proxy, %zu cut\n",
                scenario.name, seeds, sum.exchanges, sum.answered, sum.refused, sum.cut);
    // A run in which everything fails proves nothing.
    if (only == 0 && failed == 0) {
      EXPECT_GT(sum.answered, sum.exchanges / 3);
    }
    return sum;
  }
};

TEST_P(Chaos, EveryRequestGetsOneAnswerOrACut) {
  run_seeds(scenarios[GetParam()], from_environment("PERILUNE_SEEDS", 400), Reloads::None, Weather::Any);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Chaos, ::testing::Range<size_t>(0, scenarios.size()),
                         [](const auto& given) { return std::string(scenarios[given.param].name); });

class ReloadChaos : public Chaos {};

TEST_P(ReloadChaos, EveryRequestGetsOneAnswerOrACut) {
  run_seeds(scenarios[GetParam()], from_environment("PERILUNE_SEEDS", 150), Reloads::Many, Weather::Any);
}

INSTANTIATE_TEST_SUITE_P(Reloaded, ReloadChaos, ::testing::Range<size_t>(0, scenarios.size()),
                         [](const auto& given) { return std::string(scenarios[given.param].name); });

class GoodDay : public Chaos {};

/// Where neither the network nor anybody else does harm, reloads do not either.
TEST_P(GoodDay, ReloadsLoseNothing) {
  const Outcome sum =
      run_seeds(scenarios[GetParam()], from_environment("PERILUNE_SEEDS", 150), Reloads::Many, Weather::Good);
  EXPECT_EQ(sum.answered, sum.exchanges);
  EXPECT_EQ(sum.refused, 0u);
  EXPECT_EQ(sum.cut, 0u);
}

INSTANTIATE_TEST_SUITE_P(GoodDay, GoodDay, ::testing::Values(0, 1, 3, 4, 5, 7),
                         [](const auto& given) { return std::string(scenarios[given.param].name); });

class ChaosRelay : public ::testing::TestWithParam<std::tuple<ChaosEcho::Opening, Reloads>> {};

TEST_P(ChaosRelay, BytesComeBackOrTheConnectionIsCut) {
  const auto [opening, reloads] = GetParam();
  const Scenario scenario{opening == ChaosEcho::Opening::None ? "relay" : "tunnel", nullptr, {}, {}};
  const int only = from_environment("PERILUNE_SEED", 0);
  const int seeds = only > 0 ? 1 : from_environment("PERILUNE_SEEDS", reloads == Reloads::None ? 400 : 150);
  for (int i = 1; i <= seeds && !HasFailure(); ++i) {
    const auto seed = static_cast<uint64_t>(only > 0 ? only : i);
    blame_crashes_on(scenario, seed, reloads);
    CapturedLog log;
    EXPECT_EQ(run_relay(opening, seed, reloads), "") << replay_command(scenario, seed, reloads);
  }
}

constexpr auto openings = {ChaosEcho::Opening::None, ChaosEcho::Opening::Upgrade};
std::string opening_name(const ::testing::TestParamInfo<ChaosRelay::ParamType>& given) {
  return std::get<0>(given.param) == ChaosEcho::Opening::None ? "relay" : "tunnel";
}
INSTANTIATE_TEST_SUITE_P(Seeds, ChaosRelay,
                         ::testing::Combine(::testing::ValuesIn(openings), ::testing::Values(Reloads::None)),
                         opening_name);
INSTANTIATE_TEST_SUITE_P(Reloaded, ChaosRelay,
                         ::testing::Combine(::testing::ValuesIn(openings), ::testing::Values(Reloads::Many)),
                         opening_name);

TEST(ChaosReplay, TheSameSeedIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Scenario& scenario = scenarios[seed % scenarios.size()];
    const Reloads reloads = seed % 2 == 0 ? Reloads::None : Reloads::Many;
    EXPECT_EQ(run_seed(scenario, seed, reloads).trace, run_seed(scenario, seed, reloads).trace)
        << scenario.name << " seed " << seed;
  }
}

}  // namespace
}  // namespace perilune::tests
