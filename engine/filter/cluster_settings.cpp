#include "filter/cluster_settings.hpp"

#include "filter/cluster_parts.hpp"
#include "filter/forward_settings.hpp"
#include "filter/option_reading.hpp"

namespace perilune::filter {
namespace {

using algo::PickerKind;

constexpr std::array the_upstream_options = {
    OptionSpec{"balance", Text, "round-robin|least-requests|random|hash|maglev|ring-hash"},
    OptionSpec{"bind", Text},
    OptionSpec{"boundedLoad", Number},
    OptionSpec{"bufferLimit", Size},
    OptionSpec{"connectTimeout", Time},
    OptionSpec{"dns", Text | Table, {}, dns_options},
    OptionSpec{"drainTimeout", Time},
    OptionSpec{"ejection",
               Boolean | Table,
               {},
               ejection_options,
               "write ejection = { consecutive5xx = 5 }, or false"},
    OptionSpec{"endpoints", EndpointList},
    OptionSpec{"floor", Count},
    OptionSpec{"forwarded", Boolean},
    OptionSpec{"health",
               Boolean | Text | Table,
               {},
               health_options,
               "write health = { path = \"/healthz\" } or { tcp = true }, or false"},
    OptionSpec{"hedge", Boolean | Table, {}, hedge_options, hedge_hint},
    OptionSpec{"host", Text},
    OptionSpec{"idleTimeout", Time},
    OptionSpec{"key", Function},
    OptionSpec{"learnIdle", Boolean},
    OptionSpec{"maxConnections", Count},
    OptionSpec{"maxConnectionsPerEndpoint", Count},
    OptionSpec{"maxIdle", Count},
    OptionSpec{"maxMessages", Count},
    OptionSpec{"maxRequests", Count},
    OptionSpec{"onEvict", Function, {}, {}, {}, "ctx, reason"},
    OptionSpec{"onLease", Function},
    OptionSpec{"onRelease", Function},
    OptionSpec{"order", Text, "lifo|fifo"},
    OptionSpec{"panic", Count},
    OptionSpec{"pipelining", Count},
    OptionSpec{"preconnect", Number},
    OptionSpec{"purge", Time},
    OptionSpec{"queue", Count},
    OptionSpec{"queueTimeout", Time},
    OptionSpec{"readTimeout", Time},
    OptionSpec{"retry", Boolean | Table, {}, retry_options, retry_hint},
    OptionSpec{"retryBudget",
               Table,
               {},
               budget_options,
               "write retryBudget = { percent = 20 }, or retry = false for no retries"},
    OptionSpec{"slowStart", Time | Table, {}, slow_start_options},
    OptionSpec{"sticky",
               Boolean | Text | Table,
               {},
               sticky_options,
               "write sticky = { cookie = \"route\" }, or false"},
    OptionSpec{"timeout", Time},
    OptionSpec{"tryTimeout", Time},
    OptionSpec{"ttl", Time},
    OptionSpec{"tunnelIdleTimeout", Time},
    OptionSpec{"validate", Function},
    OptionSpec{"writeTimeout", Time},
};
constexpr std::array options_of_connect = {"bind", "bufferLimit", "connectTimeout", "readTimeout",
                                           "writeTimeout"};
constexpr double preconnect_max = 3;

/// 0 is a limit that is not there.
uint32_t limit_of(uint64_t count) {
  return count == 0 ? UINT32_MAX : static_cast<uint32_t>(std::min<uint64_t>(count, UINT32_MAX - 1));
}
uint32_t bounded(uint64_t count) { return static_cast<uint32_t>(std::min<uint64_t>(count, UINT32_MAX - 1)); }

PickerKind kind_of(std::string_view balance) {
  if (balance == "least-requests") return PickerKind::LeastRequests;
  if (balance == "random") return PickerKind::Random;
  if (balance == "ring-hash") return PickerKind::RingHash;
  return balance == "round-robin" ? PickerKind::RoundRobin : PickerKind::Maglev;
}

Result<void> read_members(upstream::ClusterOptions& cluster, const Options& options) {
  const Argument* endpoints = options.find("endpoints");
  const Argument* dns = options.find("dns");
  if (endpoints && dns)
    return wrong_option("dns", "its endpoints come from there, so option \"endpoints\" cannot name others");
  if (dns) {
    auto discovery = dns_settings(*dns);
    if (!discovery) return discovery.error();
    cluster.discovery = std::move(*discovery);
    return {};
  }
  if (!endpoints)
    return Error{ErrorCode::ScriptError, Side::Script,
                 "it needs endpoints = { \"10.0.0.1:8080\", … }, or dns = \"api.example.org:8080\""};
  auto specs = endpoint_specs(*endpoints);
  if (!specs) return wrong_option("endpoints", specs.error().detail);
  cluster.endpoints = std::move(*specs);
  return {};
}

Result<void> read_balance(upstream::ClusterOptions& cluster, const Options& options) {
  cluster.balance.kind = kind_of(options.text("balance", "round-robin"));
  cluster.key = options.hook("key");
  const bool hashes = algo::goes_by_key(cluster.balance.kind);
  for (const char* name : {"key", "boundedLoad"})
    if (options.find(name) && !hashes)
      return wrong_option(
          name, "nobody looks at it: only balance = \"hash\", \"maglev\" and \"ring-hash\" go by a key");
  if (const Argument* bound = options.find("boundedLoad")) {
    if (*bound->value.number() < 1)
      return wrong_option("boundedLoad",
                          "it is how many times its share an endpoint may have: at least 1, such as 1.25");
    cluster.balance.bounded_load = *bound->value.number();
  }
  const uint64_t panic = options.count("panic", limits::panic_percent);
  if (panic > 100) return wrong_option("panic", "it is a percentage: at most 100; 0 switches it off");
  cluster.availability.panic_percent = static_cast<uint32_t>(panic);
  return {};
}

Result<void> read_pool(upstream::ClusterOptions& cluster, const Options& options) {
  cluster.connections_max = limit_of(options.count("maxConnections", limits::cluster_connections_max));
  cluster.connections_per_endpoint_max = limit_of(options.count("maxConnectionsPerEndpoint", 0));
  cluster.idle_max = bounded(options.count("maxIdle", limits::cluster_idle_max));
  cluster.queue_max = bounded(options.count("queue", limits::pool_queue_max));
  cluster.queue_timeout = options.time("queueTimeout", limits::queue_timeout);
  cluster.requests_max = limit_of(options.count("maxRequests", 0));
  cluster.idle_timeout = options.time("idleTimeout", limits::cluster_idle_timeout);
  cluster.ttl = options.time("ttl", limits::cluster_connection_ttl);
  cluster.messages_max = options.count("maxMessages", 0);
  cluster.pipelining = options.count("pipelining", 1);
  if (cluster.pipelining == 0)
    return wrong_option("pipelining", "at least one request is on the wire of a connection");
  cluster.is_fifo = options.text("order", "lifo") == "fifo";
  cluster.learns_idle = options.boolean("learnIdle", true);
  cluster.preconnect = options.number("preconnect", 1);
  if (cluster.preconnect < 1 || cluster.preconnect > preconnect_max)
    return wrong_option("preconnect", "it is from 1 (connections are opened for requests only) to 3");
  cluster.floor = count_in(options, "floor", 0);
  if (cluster.floor > std::min(cluster.connections_max, cluster.connections_per_endpoint_max))
    return wrong_option("floor", "it is above the largest number of connections");
  cluster.purge_interval = options.time("purge", Duration::max());
  cluster.drain_timeout = options.time("drainTimeout", Duration::max());
  return {};
}

Result<void> read_requests(upstream::ClusterOptions& cluster, const Options& options) {
  upstream::RequestDefaults& request = cluster.request;
  request.timeout = options.time("timeout", Duration::max());
  request.try_timeout = options.time("tryTimeout", Duration::max());
  request.host = options.text("host", "client");
  request.forwarded = options.boolean("forwarded", true);
  request.tunnel_idle_timeout = options.time("tunnelIdleTimeout", limits::tunnel_idle_timeout);
  return check_host(request.host);
}

/// Reads an option that is a table, where it is given.
template <typename T, typename Target>
Result<void> read_part(const Options& options, std::string_view name, Target& target,
                       Result<T> (*read)(const Argument&)) {
  const Argument* given = options.find(name);
  if (!given) return {};
  auto part = read(*given);
  if (!part) return part.error();
  target = std::move(*part);
  return {};
}

Result<void> read_parts(upstream::ClusterOptions& cluster, const Options& options) {
  if (auto read = read_part(options, "retry", cluster.retry, retry_settings); !read) return read;
  if (auto read = read_part(options, "retryBudget", cluster.retry_budget, budget_settings); !read)
    return read;
  if (auto read = read_part(options, "hedge", cluster.hedge, hedge_settings); !read) return read;
  if (auto read = read_part(options, "ejection", cluster.ejection, ejection_settings); !read) return read;
  if (auto read = read_part(options, "sticky", cluster.sticky, sticky_settings); !read) return read;
  if (auto read = read_part(options, "slowStart", cluster.slow_start, slow_start_settings); !read)
    return read;
  const Argument* health = options.find("health");
  if (!health || health->value.is_false()) return {};
  return read_part(options, "health", cluster.health, health_settings);
}

/// What is well formed by itself, but says nothing or the opposite beside the others.
Result<void> check_together(upstream::ClusterOptions& cluster, const Options& options) {
  if (auto checked = check_times(options); !checked) return checked;
  if (cluster.queue_max == 0 && options.find("queueTimeout"))
    return wrong_option("queueTimeout", "with queue = 0 nobody waits");
  if (cluster.floor > 0 && cluster.idle_max == 0)
    return wrong_option("floor", "with maxIdle = 0 no connection is kept");
  if (uint64_t{cluster.floor} * cluster.endpoints.size() > cluster.connections_max)
    return wrong_option(
        "floor", std::to_string(cluster.floor) + " for each of " + std::to_string(cluster.endpoints.size()) +
                     " endpoints is more than maxConnections, " + std::to_string(cluster.connections_max));
  if (cluster.pipelining > 1 && cluster.messages_max == 1)
    return wrong_option("pipelining", "with maxMessages = 1 a connection has one request only");
  return {};
}

Result<void> read_connect(Options& connect, const Options& options) {
  for (const std::string_view name : options_of_connect)
    if (const Argument* given = options.find(name)) connect.set(name, *given);
  if (!connect.find("bind")) return {};
  const std::string bind(connect.text("bind", ""));
  const auto address = net::Address::parse(bind.find(':') == std::string::npos ? bind + ":0" : bind);
  if (!address) return wrong_option("bind", address.error().detail);
  if (address->needs_resolving())
    return wrong_option("bind", "it is an IP address of this machine, got " + in_quotes(bind));
  return {};
}

Result<upstream::EndpointSpec> endpoint_of(const Argument& item) {
  const auto wrong = [](std::string sentence) {
    return Error{ErrorCode::ScriptError, Side::Script, std::move(sentence)};
  };
  auto address = net::Address::parse(*item.value.string());
  if (!address) return wrong(address.error().detail);
  const std::string name = shown(address->to_string());
  if (address->port == 0 && address->kind != net::Address::Kind::Unix)
    return wrong(name + " needs a port above 0");
  const Options members(item.members);
  const uint64_t weight = members.count("weight", 1);
  if (weight > algo::picker_weight_max)
    return wrong("the weight of " + name + " is at most " + std::to_string(algo::picker_weight_max));
  return upstream::EndpointSpec{std::move(*address), static_cast<uint32_t>(weight),
                                count_in(members, "priority", 0)};
}

}  // namespace

std::span<const OptionSpec> upstream_options() { return the_upstream_options; }

Result<std::vector<upstream::EndpointSpec>> endpoint_specs(const Argument& list) {
  std::vector<upstream::EndpointSpec> specs;
  for (const Argument& item : list.items) {
    auto spec = endpoint_of(item);
    if (!spec) return spec.error();
    for (const upstream::EndpointSpec& other : specs)
      if (other.address == spec->address)
        return Error{ErrorCode::ScriptError, Side::Script,
                     shown(spec->address.to_string()) + " is named twice; { " +
                         in_quotes(spec->address.to_string()) + ", weight = 2 } has twice as many requests"};
    specs.push_back(std::move(*spec));
  }
  return specs;
}

Result<ClusterSettings> cluster_settings(const Options& options) {
  ClusterSettings settings;
  upstream::ClusterOptions& cluster = settings.cluster;
  for (const auto read : {read_members, read_balance, read_pool, read_requests, read_parts, check_together})
    if (auto result = read(cluster, options); !result) return result.error();
  if (auto result = read_connect(settings.connect, options); !result) return result.error();
  cluster.on_lease = options.hook("onLease");
  cluster.on_release = options.hook("onRelease");
  cluster.on_evict = options.hook("onEvict");
  cluster.validate = options.hook("validate");
  return settings;
}

}  // namespace perilune::filter
