#pragma once

#include <algorithm>
#include <map>

#include "play.hpp"
#include "upstream/cluster_record.hpp"

namespace perilune::tests {

/// A request as an upstream sees it.
struct SeenRequest {
  WireMessage message;
  sim::SimPeer* peer;
  size_t connection;  // which of its server's, from 0
  std::string method() const { return message.head.substr(0, message.head.find(' ')); }
  std::string path() const {
    const size_t begin = message.head.find(' ') + 1;
    return message.head.substr(begin, message.head.find(' ', begin) - begin);
  }
};

inline std::string answer(int status, std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

/// An upstream in the hands of a test: it answers each request by `act`, which may send now, later or never.
class Upstream {
 public:
  using Act = std::function<void(const SeenRequest&)>;
  Upstream(sim::SimWorker& worker, std::string_view address, Act its_act = {})
      : act(std::move(its_act)), worker_(worker), address_(address_of(address)) {
    if (!act) act = [this](const SeenRequest& seen) { seen.peer->send(answer(200, name)); };
    name = std::string(address);
    open();
  }
  void open() {
    server = std::make_unique<sim::SimServer>(worker_, address_);
    server->on_peer = [this](sim::SimPeer& peer) { on_peer(peer); };
  }
  /// Stops as a process does: everything ends.
  void kill() {
    for (const auto& peer : server->peers())
      if (peer->is_open()) peer->close();
    server->close();
  }
  /// What is open on both sides.
  size_t open_connections() const {
    return static_cast<size_t>(
        std::ranges::count_if(server->peers(), [](const auto& peer) { return !peer->is_over(); }));
  }
  size_t connections() const { return server->peers().size(); }
  std::vector<std::string> paths() const {
    std::vector<std::string> result;
    for (const SeenRequest& seen : requests) result.push_back(seen.path());
    return result;
  }

  Act act;
  std::string name;
  std::vector<SeenRequest> requests;
  size_t open_max = 0;
  std::unique_ptr<sim::SimServer> server;

 private:
  void on_peer(sim::SimPeer& peer) {
    const size_t number = server->peers().size() - 1;
    open_max = std::max(open_max, open_connections());
    peer.on_news = [this, number, pending = std::string()](sim::SimPeer& known) mutable {
      if (known.is_over() && known.is_open()) {
        known.close();
        return;
      }
      pending += known.received();
      known.take_received();
      for (;;) {
        const WireMessage message = take_message(pending, WireKind::Request, false);
        if (!message.is_complete) return;
        pending.erase(0, message.bytes);
        requests.push_back({message, &known, number});
        act(requests.back());
      }
    };
  }

  sim::SimWorker& worker_;
  net::Address address_;
};

/// A client connection; asks one request after the other.
class Client {
 public:
  Client(sim::SimWorld& world, sim::SimWorker& worker, uint16_t port, std::string_view from = {})
      : world_(world),
        client_(std::make_unique<sim::SimClient>(
            worker, address_of("127.0.0.1:" + std::to_string(port)),
            net::ConnectOptions{from.empty() ? net::Address{} : address_of(from)})) {}

  void send(std::string_view request) { client_->send(request); }
  void get(std::string_view path, std::string_view fields = "") {
    send("GET " + std::string(path) + " HTTP/1.1\r\nHost: proxy\r\n" + std::string(fields) + "\r\n");
  }
  void post(std::string_view path, std::string_view body) {
    send("POST " + std::string(path) + " HTTP/1.1\r\nHost: proxy\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  }
  bool has_answer() const { return client_->is_connected() && next().is_complete; }
  /// Waits for the answer to what was sent, and takes it.
  WireMessage wait(Duration patience = 120s) {
    world_.run_until([&] { return has_answer() || (client_->is_connected() && client_->peer().is_over()); },
                     world_.now() + patience);
    if (!client_->is_connected()) return {};
    WireMessage message = next();
    client_->peer().take_received();
    return message;
  }
  WireMessage ask(std::string_view path, std::string_view fields = "") {
    get(path, fields);
    return wait();
  }
  bool is_over() const { return client_->is_connected() && client_->peer().is_over(); }
  void drop() { client_->drop(); }
  void reset() { client_->peer().reset(); }
  sim::SimPeer& peer() { return client_->peer(); }

 private:
  /// The answer, interim ones skipped.
  WireMessage next() const {
    std::string_view stream = client_->peer().received();
    for (;;) {
      const WireMessage message = take_message(stream, WireKind::Response, client_->peer().is_over());
      if (!message.is_complete || message.status() >= 200) return message;
      stream.remove_prefix(message.bytes);
    }
  }

  sim::SimWorld& world_;
  std::unique_ptr<sim::SimClient> client_;
};

/// The most connections that upstreams had at any moment. What ends and what begins in one instant is not
/// there together: an end is known when the instant is over.
class OpenMeter {
 public:
  void look(Instant now, size_t open) {
    if (now != instant_) most_ = std::max(most_, last_);
    instant_ = now;
    last_ = open;
  }
  size_t most() const { return std::max(most_, last_); }

 private:
  Instant instant_{};
  size_t last_ = 0;
  size_t most_ = 0;
};

/// A process of one or more workers that share their clusters, upstreams outside, and clients.
class ClusterPlay {
 public:
  explicit ClusterPlay(unsigned worker_count = 1, uint64_t seed = 1, const sim::SimFaults& faults = {})
      : world(seed, faults),
        outside(world, sim::SimProcess::Outside),
        board(std::make_shared<upstream::ClusterBoard>(worker_count)) {
    script::make_runs_repeatable();
    for (unsigned i = 0; i < worker_count; ++i) engines.push_back(std::make_unique<sim::SimWorker>(world));
  }
  ~ClusterPlay() {
    clients.clear();
    if (!workers.empty()) {
      EXPECT_EQ(stop(), "");
    }
  }

  /// A file beside the script, for one that loads it.
  void write(std::string_view name, std::string_view text) { folder_.write(text, name); }
  void start(std::string_view script) {
    const std::string file = folder_.write(script);
    for (size_t i = 0; i < engines.size(); ++i) {
      workers.push_back(std::make_unique<app::Worker>(engines[i]->loop, engines[i]->network,
                                                      static_cast<int>(i),
                                                      app::WorkerShared{nullptr, &counts, board}));
      if (const auto loaded = workers.back()->load({file}); loaded.has_error())
        FAIL() << loaded.error().detail;
      if (const auto listening = workers.back()->listen(); listening.has_error())
        FAIL() << listening.error().detail;
    }
    for (const auto& worker : workers) worker->start();
  }
  Upstream& upstream(std::string_view address, Upstream::Act act = {}) {
    upstreams.push_back(std::make_unique<Upstream>(outside, address, std::move(act)));
    return *upstreams.back();
  }
  Client& client(uint16_t port = 8000, std::string_view from = {}) {
    clients.push_back(std::make_unique<Client>(world, outside, port, from));
    return *clients.back();
  }
  /// Lets `count` clients ask, all at once.
  std::vector<Client*> ask_all(size_t count, std::string_view path = "/") {
    std::vector<Client*> result;
    for (size_t i = 0; i < count; ++i) {
      result.push_back(&client());
      result.back()->get(path);
    }
    return result;
  }
  bool run_until(const std::function<bool()>& condition, Duration patience = 60s) {
    return world.run_until(condition, world.now() + patience) == sim::SimWorld::Outcome::Met;
  }
  std::string stop() {
    for (const auto& worker : workers) worker->stop();
    world.run_for(5s);
    std::string left;
    for (const auto& worker : workers)
      if (const size_t chunks = worker->chunks().alive()) left += std::to_string(chunks) + " chunks; ";
    workers.clear();
    for (const auto& record : board->all())
      if (const uint32_t used = record->limits.used())
        left += std::to_string(used) + " tokens of " + record->name + "; ";
    for (const auto& record : board->all())
      if (record->requests != 0 || record->retries != 0 || record->waiting != 0)
        left += "counts of " + record->name + "; ";
    return left;
  }
  upstream::ClusterRecord& record(std::string_view name = "api") { return *board->record(std::string(name)); }
  /// A number of an endpoint over all workers.
  uint64_t count(upstream::Count upstream::EndpointCounts::*which, std::string_view name = "api") {
    uint64_t sum = 0;
    for (const auto& member : record(name).members())
      member->each_counts([&](const upstream::EndpointCounts& counted) { sum += (counted.*which).get(); });
    return sum;
  }

  edge::ConnectionCounts counts;
  sim::SimWorld world;
  std::vector<std::unique_ptr<sim::SimWorker>> engines;
  sim::SimWorker outside;
  std::shared_ptr<upstream::ClusterBoard> board;
  std::vector<std::unique_ptr<app::Worker>> workers;
  std::vector<std::unique_ptr<Upstream>> upstreams;
  std::vector<std::unique_ptr<Client>> clients;

 private:
  ScriptFolder folder_;
};

/// A proxy on port 8000 that forwards all to one cluster.
inline std::string forwarding(std::string_view options, std::string_view forward = "") {
  return "local api = upstream(\"api\", " + std::string(options) + ")\n" +
         "listen(8000):demuxHTTP(pipeline():forward(api" +
         (forward.empty() ? "" : ", " + std::string(forward)) + "))\n";
}

}  // namespace perilune::tests
