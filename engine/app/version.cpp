#include "app/version.hpp"

#include <algorithm>

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

Version::Version(const Parts& parts, std::shared_ptr<script::ScriptFiles> files)
    : parts_(parts), files_(std::move(files)) {}

Version::~Version() {
  servers_.clear();
  programs_.clear();
  states_.clear();
}

Result<void> Version::load(const std::vector<std::string>& paths, const Version* before) {
  for (const std::string& path : paths) {
    script::StateOptions options = parts_.script;
    options.files = files_;
    if (before)
      for (const auto& state : before->states_)
        if (state->path() == path) options.before = state.get();
    auto state = std::make_unique<script::State>(parts_.services, parts_.http, std::move(options));
    auto program = state->load(path);
    if (program.has_error()) return program.error();
    states_.push_back(std::move(state));
    programs_.push_back(std::move(*program));
  }
  return check_addresses();
}

// Of one file the builder has said it, where it stands.
Result<void> Version::check_addresses() const {
  std::vector<const filter::ListenPlan*> plans;
  for (const auto& program : programs_)
    for (const filter::ListenPlan& plan : program->listens) {
      const auto other = std::ranges::find(plans, plan.address, &filter::ListenPlan::address);
      if (other != plans.end() && plan.address.port != 0)
        return Error{ErrorCode::ScriptError, Side::Script,
                     plan.place.to_string() + ": listen: " + plan.address.to_string() +
                         " is listened at already, in " + (*other)->place.to_string()};
      plans.push_back(&plan);
    }
  return {};
}

bool Version::has_work() const {
  return std::ranges::any_of(programs_, [](const auto& program) { return !program->listens.empty(); }) ||
         std::ranges::any_of(states_, [](const auto& state) { return state->alive().tasks > 0; });
}

edge::Server* Version::find_server(const net::Address& address, size_t place_among_equals) const {
  for (const auto& server : servers_)
    if (server->address() == address && place_among_equals-- == 0) return server.get();
  return nullptr;
}

size_t Version::place_among_equals(const edge::Server& server) const {
  size_t place = 0;
  for (const auto& other : servers_) {
    if (other.get() == &server) break;
    if (other->address() == server.address()) ++place;
  }
  return place;
}

Result<void> Version::listen(const Version* before) {
  std::vector<net::Address> seen;
  for (const auto& program : programs_) {
    for (const filter::ListenPlan& plan : program->listens) {
      const size_t equals = std::ranges::count(seen, plan.address);
      seen.push_back(plan.address);
      auto result = listen(plan, equals, before);
      if (result.has_value()) continue;
      servers_.clear();
      access_logs_.clear();
      return Error{ErrorCode::ScriptError, Side::Script,
                   plan.place.to_string() + ": " + result.error().detail};
    }
  }
  return {};
}

Result<void> Version::listen(const filter::ListenPlan& plan, size_t equals, const Version* before) {
  edge::ServerOptions options = server_options(plan);
  options.listen.unix_mode = parts_.unix_mode;
  if (const auto& wanted = plan.settings.access_log; wanted && parts_.outputs) {
    const auto sink = parts_.outputs->open(wanted->file);
    if (!sink) return Error{ErrorCode::ScriptError, Side::Script, "cannot write " + sink.error().detail};
    access_logs_.push_back(std::make_unique<flow::AccessLog>(wanted->format, parts_.loop, **sink));
    options.session.rules.access_log = access_logs_.back().get();
  }
  // By address alone: a listener stays the same when its line moves.
  auto& counts = parts_.counts.of(plan.address.to_string() + " " + std::to_string(equals));
  auto server =
      std::make_unique<edge::Server>(parts_.services.runtime, *plan.pipeline, plan.address, options, counts);
  const edge::Server* predecessor = before ? before->find_server(plan.address, equals) : nullptr;
  if (!predecessor) {
    if (auto result = server->listen(parts_.network); result.has_error())
      return Error{ErrorCode::ScriptError, Side::Script, "cannot listen on " + result.error().detail};
  }
  servers_.push_back(std::move(server));
  return {};
}

void Version::start(Version* before) {
  for (const auto& server : servers_) {
    edge::Server* const predecessor =
        before ? before->find_server(server->address(), place_among_equals(*server)) : nullptr;
    if (predecessor) server->inherit(*predecessor);
    else server->open();
  }
  for (const auto& program : programs_) program->start();
  for (const auto& state : states_) state->start_tasks();
}

edge::Departures Version::retire(Version& heir) {
  edge::Departures all;
  for (const auto& state : states_) state->wind_down_tasks();
  for (const auto& program : programs_) program->retire();
  for (const auto& server : servers_) {
    server->stop_accepting();
    const auto some = server->retire(heir.find_server(server->address(), place_among_equals(*server)));
    all.moving += some.moving;
    all.staying += some.staying;
  }
  return all;
}

bool Version::end_step(bool cuts) {
  if (!is_ending_) {
    if (cuts)
      for (const auto& server : servers_)
        server->cut_all(
            {ErrorCode::Draining, Side::Engine, "its version of the script was replaced long ago"});
    const auto has_begun = [](const auto& state) { return state->has_begun_tasks(); };
    if (sessions() > 0 || (!cuts && std::ranges::any_of(states_, has_begun))) return false;
    is_ending_ = true;
    for (const auto& state : states_) state->stop();
    for (const auto& program : programs_) program->drain();
    return false;
  }
  for (const auto& program : programs_)
    if (std::ranges::any_of(program->pipelines, [](const auto& plan) { return plan->alive() > 0; }))
      return false;
  return true;
}

void Version::stop(const Error& error) {
  for (const auto& server : servers_) server->cut_all(error);
  for (const auto& state : states_) state->stop();
  parts_.loop.settle();
  servers_.clear();
  access_logs_.clear();
  for (const auto& program : programs_) program->drain();
  parts_.loop.settle();
  programs_.clear();
}

void Version::stop_accepting() {
  for (const auto& server : servers_) server->stop_accepting();
}

void Version::wind_down() {
  for (const auto& server : servers_) server->wind_down();
}

size_t Version::sessions() const {
  size_t count = 0;
  for (const auto& server : servers_) count += server->sessions();
  return count;
}

size_t Version::give_back_surplus() {
  size_t given_back = 0;
  for (const auto& program : programs_)
    for (const auto& pipeline : program->pipelines) pipeline->give_back_surplus();
  for (const auto& state : states_) given_back += state->give_back_surplus();
  return given_back;
}

size_t Version::garbage_bytes() const {
  size_t bytes = 0;
  for (const auto& state : states_) bytes += state->garbage_bytes();
  return bytes;
}

size_t Version::lua_bytes() const {
  size_t bytes = 0;
  for (const auto& state : states_) bytes += state->memory_bytes();
  return bytes;
}

bool Version::collect_garbage() {
  if (states_collected_ < states_.size() && states_[states_collected_]->collect_garbage())
    ++states_collected_;
  if (states_collected_ < states_.size()) return false;
  states_collected_ = 0;
  return true;
}

}  // namespace perilune::app
