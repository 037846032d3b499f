#pragma once

#include <array>
#include <optional>
#include <string>

#include "filter/registry.hpp"
#include "upstream/exchange.hpp"

namespace perilune::filter {

inline constexpr std::array retry_options = {
    OptionSpec{"attempts", Count},
    OptionSpec{"backoff", FiniteTime},
    OptionSpec{"bodyLimit", Size},
    OptionSpec{"maxBackoff", FiniteTime},
    OptionSpec{"methods", Text, "idempotent|any"},
    OptionSpec{"on", MixedList},
};
inline constexpr std::string_view retry_hint =
    "write retry = { attempts = 2 }, where the first try counts too, or false";
inline constexpr std::string_view hedge_hint =
    "write hedge = { after = \"200ms\" }, or \"p95\" there, or false";
inline constexpr std::array hedge_options = {
    OptionSpec{"after", Time | Percentile},
    OptionSpec{"connect", Time | Percentile},
    OptionSpec{"max", Count},
};
inline constexpr std::array forward_options = {
    OptionSpec{"endpoint", Text | Function},
    OptionSpec{"forwarded", Boolean},
    OptionSpec{"hedge", Boolean | Table, {}, hedge_options, hedge_hint},
    OptionSpec{"host", Text | Function},
    OptionSpec{"key", Function | Text | Number},
    OptionSpec{"pool", Text | Function},
    OptionSpec{"retry", Boolean | Table, {}, retry_options, retry_hint},
    OptionSpec{"tenant", Function | Text | Number},
    OptionSpec{"timeout", Time | Function},
    OptionSpec{"tryTimeout", Time | Function},
    OptionSpec{"tunnelIdleTimeout", Time},
};
/// Those of `upstream:request`: values only, the request knows what it wants.
inline constexpr std::array request_options = {
    OptionSpec{"bodyLimit", Size},
    OptionSpec{"endpoint", Text},
    OptionSpec{"hedge", Boolean | Table, {}, hedge_options, hedge_hint},
    OptionSpec{"host", Text},
    OptionSpec{"key", Text | Number},
    OptionSpec{"pool", Text},
    OptionSpec{"retry", Boolean | Table, {}, retry_options, retry_hint},
    OptionSpec{"tenant", Text | Number},
    OptionSpec{"timeout", Time},
    OptionSpec{"tryTimeout", Time},
};

/// An option that is a value, or a function of ctx which is asked for each request.
template <typename T>
struct Setting {
  T value = {};
  Ref<flow::Hook> hook = {};
  bool is_given = false;
};

/// The options of `forward`, and of `upstream:request`. What is not given is the cluster's
/// (upstream::RequestDefaults).
struct ForwardSettings {
  Setting<Duration> timeout{Duration::max()};  ///< to the answer's head
  Setting<Duration> try_timeout{Duration::max()};
  Setting<std::string> endpoint;                ///< pins a member by its name; empty: none
  Setting<Value> key;                           ///< for hashing
  Setting<std::string> pool;                    ///< connections of one are not used by another
  Setting<Value> tenant;                        ///< those who wait take turns by it
  Setting<std::string> host{"client"};          ///< "client", "endpoint" or a name
  std::optional<upstream::RetryOptions> retry;  ///< none: the cluster's
  std::optional<upstream::HedgeOptions> hedge;
  std::optional<bool> forwarded;  ///< appends X-Forwarded-For, sets X-Forwarded-Proto and -Host
  std::optional<Duration> tunnel_idle_timeout;
};

/// Errors (Side::Script): a sentence that names the option.
Result<ForwardSettings> forward_settings(const Options& options);
/// What `retry` says: false, or a table of retry_options. Errors as above.
Result<upstream::RetryOptions> retry_settings(const Argument& given);
/// What `hedge` says: false, or a table of hedge_options. Errors as above.
Result<upstream::HedgeOptions> hedge_settings(const Argument& given);
/// Whether it may be the value of a Host field; "client" and "endpoint" are words of their own.
Result<void> check_host(std::string_view host);

/// Brings the cluster's defaults to where `settings` say nothing, and the values of `settings` to the rest.
void prepare(upstream::ExchangePlan& plan, const ForwardSettings& settings,
             const upstream::ClusterOptions& defaults);
/// The hash that a key of a script stands for; none for nil and for what has none.
std::optional<uint64_t> hash_of_key(const Value& value);
/// Tenants whose hashes are alike in 32 bits share their turns; 0 is none.
uint32_t tenant_of(const Value& value);
/// The identity of an endpoint by its name, "10.0.0.1:8080". Errors: those of net::Address::parse.
Result<uint64_t> identity_of(const std::string& endpoint);
void set_host(upstream::ExchangePlan& plan, const std::string& host);

}  // namespace perilune::filter
