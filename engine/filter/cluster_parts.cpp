#include "filter/cluster_parts.hpp"

#include <algorithm>
#include <cmath>

#include "filter/forward_settings.hpp"
#include "filter/option_reading.hpp"

namespace perilune::filter {
namespace {

constexpr uint64_t port_max = 65535;
constexpr int ejections_until_longest = 10;

/// RFC 9110 section 5.6.2: what a name of a cookie is made of.
bool is_token(std::string_view text) {
  const auto is_mark = [](char c) {
    return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  };
  const auto is_part = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || is_mark(c);
  };
  return !text.empty() && std::ranges::all_of(text, is_part);
}

bool is_path(std::string_view text) {
  const auto is_wrong = [](char c) { return c <= ' ' || c > '~' || c == '#'; };
  return text.starts_with('/') && std::ranges::none_of(text, is_wrong);
}

bool is_status(double number) { return number >= 100 && number <= 599 && number == std::floor(number); }

std::optional<double> status_of(const Value& value) {
  if (const double* number = value.number())
    return is_status(*number) ? std::optional(*number) : std::nullopt;
  const auto number = parse_decimal(*value.string());
  return number && is_status(static_cast<double>(*number)) ? std::optional(static_cast<double>(*number))
                                                           : std::nullopt;
}

/// 204, "204", { 200, 299 } or "200-299".
Result<void> read_statuses(upstream::HealthOptions& health, const Argument& given) {
  std::vector<Value> bounds = items_of(given);
  if (const std::string* text = bounds.front().string(); text && bounds.size() == 1)
    if (const size_t dash = text->find('-'); dash != std::string::npos)
      bounds = {Value(text->substr(0, dash)), Value(text->substr(dash + 1))};
  const auto first = status_of(bounds.front());
  const auto last = status_of(bounds.back());
  if (!first || !last || *first > *last || bounds.size() > 2)
    return wrong_option(
        "health",
        "status is one from 100 to 599, or the first and the last of those that pass: { 200, 399 } or "
        "\"200-399\"" +
            (given.value.is_nil() ? "" : ", got " + show(given.value)));
  health.status_min = static_cast<int>(*first);
  health.status_max = static_cast<int>(*last);
  return {};
}

Result<void> read_http_check(upstream::HealthOptions& health, const Options& options) {
  health.kind = upstream::HealthOptions::Kind::Http;
  health.path = options.text("path", "/");
  if (!is_path(health.path))
    return wrong_option(
        "health", "path begins with \"/\" and has neither spaces nor \"#\", got " + in_quotes(health.path));
  health.host = options.text("host", "");
  if (options.find("host"))
    if (auto checked = check_host(health.host); !checked)
      return wrong_option("health", "host: " + in_quotes(health.host) + " is no name for the Host field");
  if (const Argument* status = options.find("status")) return read_statuses(health, *status);
  return {};
}

}  // namespace

Result<algo::RetryBudget> budget_settings(const Argument& given) {
  const Options options(given.members);
  algo::RetryBudget budget;
  budget.percent = count_in(options, "percent", limits::retry_budget_percent);
  budget.retries_min = count_in(options, "min", limits::retries_min);
  if (budget.percent > 100) return wrong_option("retryBudget", "percent is at most 100");
  return budget;
}

Result<upstream::DiscoveryOptions> dns_settings(const Argument& given) {
  const Options options(given.members);
  const std::string name(given.value.string() ? *given.value.string() : options.text("name", ""));
  if (name.empty()) return wrong_option("dns", "it needs a name, such as \"api.example.org:8080\"");
  upstream::DiscoveryOptions dns;
  if (options.boolean("service", false)) {
    // The port is the records'. A name with one is checked, and told.
    auto service = net::Address::parse(name + ":0");
    if (!service || service->kind != net::Address::Kind::Name)
      return wrong_option("dns", in_quotes(name) +
                                     " is no name of a service; write it without a port, such as "
                                     "\"_http._tcp.example.org\"");
    dns.kind = upstream::DiscoveryOptions::Kind::Service;
    dns.name = std::move(*service);
  } else {
    auto host = net::Address::parse(name);
    if (!host)
      return wrong_option(
          "dns", host.error().detail +
                     (name.starts_with('_') ? "; a service is { name = \"…\", service = true }" : ""));
    if (!host->needs_resolving())
      return wrong_option(
          "dns", in_quotes(name) + " is an address already; write endpoints = { " + in_quotes(name) + " }");
    if (host->port == 0) return wrong_option("dns", in_quotes(name) + " needs a port above 0");
    dns.name = std::move(*host);
  }
  dns.ttl_max = time_in(options, "refreshMax", limits::discovery_ttl_max);
  return dns;
}

Result<upstream::HealthOptions> health_settings(const Argument& given) {
  Options options(given.members);
  // "/healthz" alone is { path = "/healthz" }.
  if (given.value.string()) options.set("path", Argument{given.value, {}, {}});
  upstream::HealthOptions health;
  if (options.boolean("tcp", false)) {
    for (const char* name : {"path", "host", "status"})
      if (options.find(name))
        return wrong_option(
            "health", std::string(name) +
                          " is for checks by HTTP, and tcp = true only connects: leave out one of the two");
    health.kind = upstream::HealthOptions::Kind::Tcp;
  } else if (options.find("path")) {
    if (auto read = read_http_check(health, options); !read) return read.error();
  } else {
    return wrong_option("health",
                        "say what is asked: path = \"/healthz\", or tcp = true for a connect alone");
  }
  const uint64_t port = options.count("port", 0);
  if (options.find("port") && (port == 0 || port > port_max))
    return wrong_option("health", "port is a number from 1 to 65535");
  health.port = static_cast<uint16_t>(port);
  health.interval = time_in(options, "interval", limits::health_interval);
  health.timeout = time_in(options, "timeout", limits::health_timeout);
  health.thresholds.rise = count_in(options, "rise", limits::health_rise);
  health.thresholds.fall = count_in(options, "fall", limits::health_fall);
  if (health.thresholds.rise == 0 || health.thresholds.fall == 0)
    return wrong_option("health", "rise and fall are at least 1");
  return health;
}

Result<std::optional<algo::OutlierRules>> ejection_settings(const Argument& given) {
  using Rules = std::optional<algo::OutlierRules>;
  if (given.value.is_false()) return Rules();
  const Options options(given.members);
  algo::OutlierRules rules;
  rules.consecutive_5xx = count_in(options, "consecutive5xx", limits::outlier_failures_max);
  rules.consecutive_gateway = count_in(options, "consecutiveGateway", limits::outlier_failures_max);
  rules.consecutive_local = count_in(options, "consecutiveLocal", limits::outlier_failures_max);
  rules.interval = time_in(options, "interval", limits::outlier_interval);
  rules.ejection_time = time_in(options, "time", limits::ejection_time);
  rules.ejection_time_max = time_in(options, "maxTime", rules.ejection_time * ejections_until_longest);
  if (rules.ejection_time_max < rules.ejection_time)
    return wrong_option("ejection", "maxTime is less than time");
  rules.ejected_percent_max = count_in(options, "maxPercent", limits::ejected_percent_max);
  if (rules.ejected_percent_max > 100) return wrong_option("ejection", "maxPercent is at most 100");
  rules.has_success_rate = options.boolean("successRate", false);
  return Rules(rules);
}

Result<upstream::StickyOptions> sticky_settings(const Argument& given) {
  Options options(given.members);
  upstream::StickyOptions sticky;
  if (given.value.is_false()) return sticky;
  if (given.value.is_true())
    return wrong_option("sticky",
                        "true does not name the cookie; write sticky = { cookie = \"route\" }, or false");
  // "route" alone is { cookie = "route" }.
  if (given.value.string()) options.set("cookie", Argument{given.value, {}, {}});
  sticky.cookie = options.text("cookie", "");
  if (!is_token(sticky.cookie))
    return wrong_option("sticky", options.find("cookie")
                                      ? in_quotes(sticky.cookie) + " is no name for a cookie"
                                      : "it needs the name of a cookie: { cookie = \"route\" }");
  sticky.path = options.text("path", "/");
  if (!is_path(sticky.path) || sticky.path.find(';') != std::string::npos)
    return wrong_option("sticky", in_quotes(sticky.path) + " is no path for a cookie");
  if (options.find("maxAge")) {
    const Duration age = options.time("maxAge", Duration::max());
    if (age != Duration::max()) sticky.max_age = age;
  }
  return sticky;
}

Result<algo::SlowStart> slow_start_settings(const Argument& given) {
  algo::SlowStart slow;
  const Options options(given.members);
  slow.window =
      given.members.empty() ? from_option(given.value) : time_in(options, "window", Duration::max());
  if (given.value.is_nil() && !options.find("window"))
    return wrong_option("slowStart", "it needs a window: \"30s\" or { window = \"30s\" }");
  // false: it is off.
  if (slow.window == Duration::max()) slow.window = Duration::zero();
  slow.aggression = options.number("aggression", 1);
  if (!(slow.aggression > 0)) return wrong_option("slowStart", "aggression is above 0; 1 is a straight line");
  return slow;
}

}  // namespace perilune::filter
