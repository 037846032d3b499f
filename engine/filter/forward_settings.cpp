#include "filter/forward_settings.hpp"

#include <bit>
#include <cmath>

#include "algo/hash.hpp"
#include "filter/option_reading.hpp"
#include "net/address.hpp"

namespace perilune::filter {
namespace {

/// What is tried again where the script says that, but not what: failures before an answer.
constexpr std::array default_retry_codes = {ErrorCode::ConnectFailure, ErrorCode::ConnectTimeout,
                                            ErrorCode::ResolveFailure, ErrorCode::Reset, ErrorCode::Closed};
/// How much longer than the first one the last waits may be, unless the script says so.
constexpr int backoff_growth = 10;
constexpr uint32_t hedges_max = 16;

std::vector<std::string_view> retry_words() {
  std::vector<std::string_view> words{"5xx"};
  for (int i = 0; i < error_code_count; ++i) words.push_back(code_name(static_cast<ErrorCode>(i)));
  return words;
}

/// A status, also as text: "503".
std::optional<double> status_of(const Value& item) {
  if (const double* number = item.number()) return *number;
  const auto number = parse_decimal(*item.string());
  return number ? std::optional<double>(static_cast<double>(*number)) : std::nullopt;
}

Result<void> add_reason(upstream::RetryOn& on, const Value& item) {
  if (const auto status = status_of(item)) {
    if (*status < 400 || *status > 599 || *status != std::floor(*status))
      return wrong_option("retry", "a status in on is a whole number from 400 to 599, got " + show(item));
    on.statuses.push_back(static_cast<int>(*status));
    return {};
  }
  const std::string& word = *item.string();
  if (word == "5xx") {
    on.any_5xx = true;
  } else if (const auto code = code_from_name(word)) {
    on.codes.push_back(*code);
  } else {
    return wrong_option("retry", in_quotes(word) + " in on is neither a code, a status nor \"5xx\"" +
                                     did_you_mean(word, retry_words()));
  }
  return {};
}

Result<void> read_backoff(algo::Backoff& backoff, const Options& options) {
  backoff.base = time_in(options, "backoff", limits::retry_backoff);
  const Duration longest = std::max<Duration>(limits::retry_backoff_max, backoff.base * backoff_growth);
  backoff.max = time_in(options, "maxBackoff", options.find("backoff") ? longest : limits::retry_backoff_max);
  if (backoff.max < backoff.base) return wrong_option("retry", "maxBackoff is less than backoff");
  return {};
}

void read_moment(const Options& options, std::string_view name, Duration& after, double& percentile) {
  const Argument* given = options.find(name);
  if (!given) return;
  if (const std::string* text = given->value.string()) percentile = percentile_of(*text);
  else after = from_option(given->value);
}

template <typename T>
Setting<T> take(const Options& options, std::string_view name, T fallback, T (*read)(const Value&)) {
  const Argument* given = options.find(name);
  if (!given) return {std::move(fallback)};
  if (given->hook()) return {std::move(fallback), Ref<flow::Hook>(given->hook()), true};
  return {read(given->value), {}, true};
}

std::string text_of(const Value& value) { return *value.string(); }
Value same(const Value& value) { return value; }

}  // namespace

Result<upstream::RetryOptions> retry_settings(const Argument& given) {
  upstream::RetryOptions retry;
  if (given.value.is_false()) return retry;
  if (given.value.is_true())
    return wrong_option("retry", "true does not say how; " + std::string(retry_hint));
  const Options options(given.members);
  retry.attempts = count_in(options, "attempts", 2);
  if (retry.attempts == 0)
    return wrong_option("retry", "attempts counts every try, the first one too: it is at least 1");
  retry.any_method = options.text("methods", "idempotent") == "any";
  retry.body_bytes_max = options.size("bodyLimit", limits::retry_body_bytes_max);
  if (auto read = read_backoff(retry.backoff, options); !read) return read.error();
  if (const Argument* on = options.find("on")) {
    for (const Value& item : items_of(*on))
      if (auto added = add_reason(retry.on, item); !added) return added.error();
  } else {
    retry.on.codes.assign(default_retry_codes.begin(), default_retry_codes.end());
  }
  return retry;
}

Result<upstream::HedgeOptions> hedge_settings(const Argument& given) {
  upstream::HedgeOptions hedge;
  if (given.value.is_false()) return hedge;
  if (given.value.is_true())
    return wrong_option("hedge", "true does not say when; " + std::string(hedge_hint));
  const Options options(given.members);
  read_moment(options, "after", hedge.after, hedge.percentile);
  read_moment(options, "connect", hedge.connect_after, hedge.connect_percentile);
  if (!options.find("after") && !options.find("connect"))
    return wrong_option(
        "hedge", "after says when a second endpoint is asked, connect when it is dialled; one is needed");
  hedge.max = std::min(count_in(options, "max", 1), hedges_max);
  if (hedge.max == 0) return wrong_option("hedge", "max is at least 1; hedge = false switches it off");
  return hedge;
}

Result<void> check_host(std::string_view host) {
  const auto is_wrong = [](char c) { return c <= ' ' || c > '~' || c == '/' || c == '@' || c == '\\'; };
  if (!host.empty() && std::ranges::none_of(host, is_wrong)) return {};
  return wrong_option("host",
                      in_quotes(host) + " is neither \"client\", \"endpoint\" nor a name for the Host field");
}

Result<ForwardSettings> forward_settings(const Options& options) {
  ForwardSettings settings;
  settings.timeout = take<Duration>(options, "timeout", Duration::max(), from_option);
  settings.try_timeout = take<Duration>(options, "tryTimeout", Duration::max(), from_option);
  settings.endpoint = take<std::string>(options, "endpoint", {}, text_of);
  settings.pool = take<std::string>(options, "pool", {}, text_of);
  settings.key = take<Value>(options, "key", {}, same);
  settings.tenant = take<Value>(options, "tenant", {}, same);
  settings.host = take<std::string>(options, "host", "client", text_of);
  if (settings.endpoint.is_given && !settings.endpoint.hook)
    if (auto identity = identity_of(settings.endpoint.value); !identity)
      return wrong_option("endpoint", identity.error().detail);
  if (auto checked = check_host(settings.host.value); !checked) return checked.error();
  if (auto checked = check_times(options); !checked) return checked.error();
  if (const Argument* given = options.find("forwarded")) settings.forwarded = given->value.is_true();
  if (options.find("tunnelIdleTimeout"))
    settings.tunnel_idle_timeout = options.time("tunnelIdleTimeout", limits::tunnel_idle_timeout);
  if (const Argument* given = options.find("retry")) {
    auto retry = retry_settings(*given);
    if (!retry) return retry.error();
    settings.retry = std::move(*retry);
  }
  if (const Argument* given = options.find("hedge")) {
    const auto hedge = hedge_settings(*given);
    if (!hedge) return hedge.error();
    settings.hedge = *hedge;
  }
  return settings;
}

std::optional<uint64_t> hash_of_key(const Value& value) {
  if (const std::string* text = value.string()) return algo::hash(*text);
  if (const double* number = value.number()) return algo::hash(std::bit_cast<uint64_t>(*number));
  if (const bool* boolean = value.boolean()) return algo::hash(uint64_t{*boolean});
  return std::nullopt;
}

uint32_t tenant_of(const Value& value) { return static_cast<uint32_t>(hash_of_key(value).value_or(0)); }

Result<uint64_t> identity_of(const std::string& endpoint) {
  auto address = net::Address::parse(endpoint);
  if (!address) return address.error();
  return algo::hash(address->to_string());
}

void set_host(upstream::ExchangePlan& plan, const std::string& host) {
  using Host = upstream::ExchangePlan::Host;
  plan.host = host == "client" ? Host::Client : host == "endpoint" ? Host::Endpoint : Host::Fixed;
  if (plan.host == Host::Fixed) plan.host_name = host;
}

void prepare(upstream::ExchangePlan& plan, const ForwardSettings& settings,
             const upstream::ClusterOptions& defaults) {
  const upstream::RequestDefaults& request = defaults.request;
  const auto is_value = [](const auto& setting) { return setting.is_given && !setting.hook; };
  plan.timeout = is_value(settings.timeout) ? settings.timeout.value : request.timeout;
  plan.try_timeout = is_value(settings.try_timeout) ? settings.try_timeout.value : request.try_timeout;
  set_host(plan, is_value(settings.host) ? settings.host.value : request.host);
  plan.key = hash_of_key(settings.key.value);
  plan.tag = settings.pool.value;
  plan.tenant = tenant_of(settings.tenant.value);
  if (!settings.endpoint.value.empty()) {
    plan.identity = identity_of(settings.endpoint.value).value();
    plan.is_pinned = true;
  }
  plan.retry = settings.retry ? &*settings.retry : &defaults.retry;
  plan.hedge = settings.hedge ? &*settings.hedge : &defaults.hedge;
}

}  // namespace perilune::filter
