#include "app/worker.hpp"

#include "net/descriptor.hpp"

namespace perilune::app {
namespace {

/// A client needs a descriptor, and its request one for the upstream: what the machine gives is shared
/// fairly.
size_t default_connections() {
  return static_cast<size_t>(net::first_spare_descriptor()) / limits::descriptors_per_client;
}

edge::ServerOptions server_options(const filter::ListenPlan& plan) {
  edge::ServerOptions options;
  const filter::Options& given = plan.options;
  options.listen.backlog = static_cast<int>(given.count("backlog", limits::backlog));
  options.connections_max = given.count("maxConnections", default_connections());
  const size_t share = (options.connections_max + limits::clients_min - 1) / limits::clients_min;
  options.connections_per_ip_max = given.count("maxConnectionsPerIP", share);
  options.spares_loopback = !given.find("maxConnectionsPerIP");
  options.session.channel.buffer_bytes_max = given.size("bufferLimit", limits::buffer_bytes_max);
  options.session.channel.write_timeout = given.time("writeTimeout", limits::write_timeout);
  // A relay has no message boundaries: silence is only judged where the script says so, or after a tunnel's
  // time.
  options.session.channel.idle_timeout = given.time("idleTimeout", limits::tunnel_idle_timeout);
  options.session.channel.tells_reset_at_once = true;
  options.session.rules.times.head_timeout = given.time("headTimeout", limits::head_timeout);
  options.session.rules.times.idle_timeout = given.time("idleTimeout", limits::client_idle_timeout);
  options.session.rules.times.body_timeout = given.time("readTimeout", limits::read_timeout);
  options.session.rules.times.body_rate_min = given.size("minBodyRate", limits::body_rate_min);
  options.session.rules.trusted_proxies = plan.settings.trusted_proxies.get();
  return options;
}

}  // namespace

Worker::Worker(loop::Loop& loop, net::Network& network, int index, const WorkerShared& shared)
    : loop_(loop),
      network_(network),
      outputs_(shared.outputs),
      script_options_(shared.script),
      counts_(shared.counts ? *shared.counts : own_counts_),
      http_(std::make_unique<filter::HttpClient>(services_)) {
  services_.worker = static_cast<unsigned>(index);
  script_options_.worker = index;
  runtime_.tracer = shared.tracer;
  if (shared.clusters) services_.clusters = shared.clusters;
}

Worker::~Worker() { stop(); }

Result<void> Worker::load(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    auto state = std::make_unique<script::State>(services_, *http_, script_options_);
    auto program = state->load(file);
    if (program.has_error()) return program.error();
    states_.push_back(std::move(state));
    programs_.push_back(std::move(*program));
  }
  return {};
}

bool Worker::has_work() const {
  for (const auto& program : programs_)
    if (!program->listens.empty()) return true;
  for (const auto& state : states_)
    if (state->alive().tasks > 0) return true;
  return false;
}

Result<void> Worker::listen() {
  for (const auto& program : programs_) {
    for (const filter::ListenPlan& plan : program->listens) {
      auto result = listen(plan);
      if (result.has_value()) continue;
      servers_.clear();
      access_logs_.clear();
      return Error{ErrorCode::ScriptError, Side::Script,
                   plan.place.to_string() + ": " + result.error().detail};
    }
  }
  return {};
}

Result<void> Worker::listen(const filter::ListenPlan& plan) {
  edge::ServerOptions options = server_options(plan);
  if (const auto& wanted = plan.settings.access_log; wanted && outputs_) {
    const auto sink = outputs_->open(wanted->file);
    if (!sink) return Error{ErrorCode::ScriptError, Side::Script, "cannot write " + sink.error().detail};
    access_logs_.push_back(std::make_unique<flow::AccessLog>(wanted->format, loop_, **sink));
    options.session.rules.access_log = access_logs_.back().get();
  }
  auto server = std::make_unique<edge::Server>(
      runtime_, *plan.pipeline, options, counts_.of(plan.address.to_string() + " " + plan.place.to_string()));
  if (auto result = server->listen(network_, plan.address); result.has_error())
    return Error{ErrorCode::ScriptError, Side::Script, "cannot listen on " + result.error().detail};
  servers_.push_back(std::move(server));
  return {};
}

void Worker::start() {
  for (const auto& program : programs_)
    for (const auto& cluster : program->clusters) cluster->start();
  for (const auto& state : states_) state->start_tasks();
}

size_t Worker::give_back_surplus() {
  arena_.release_memory();
  const size_t idle_before = chunks_.idle();
  chunks_.give_back_surplus();
  size_t given_back = (idle_before - chunks_.idle()) * chunks_.chunk_bytes();
  ThreadPool::give_back_surplus();
  for (const auto& program : programs_)
    for (const auto& pipeline : program->pipelines) pipeline->give_back_surplus();
  http_->give_back_surplus();
  for (const auto& state : states_) given_back += state->give_back_surplus();
  return given_back;
}

size_t Worker::garbage_bytes() const {
  size_t bytes = 0;
  for (const auto& state : states_) bytes += state->garbage_bytes();
  return bytes;
}

bool Worker::collect_garbage() {
  if (states_collected_ < states_.size() && states_[states_collected_]->collect_garbage())
    ++states_collected_;
  if (states_collected_ < states_.size()) return false;
  states_collected_ = 0;
  return true;
}

void Worker::stop_accepting() {
  for (const auto& server : servers_) server->stop_accepting();
}

size_t Worker::sessions() const {
  size_t count = 0;
  for (const auto& server : servers_) count += server->sessions();
  return count;
}

void Worker::stop() {
  stop_accepting();
  const Error draining{ErrorCode::Draining, Side::Engine, "the process ends"};
  for (const auto& server : servers_) server->cut_all(draining);
  for (const auto& state : states_) state->stop();
  loop_.settle();
  servers_.clear();
  access_logs_.clear();
  for (const auto& program : programs_) program->drain();
  loop_.settle();
  programs_.clear();
  http_.reset();
  loop_.settle();
  states_.clear();
  arena_.release_memory();
}

}  // namespace perilune::app
