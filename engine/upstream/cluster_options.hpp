#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <algorithm>

#include "algo/availability.hpp"
#include "algo/backoff.hpp"
#include "algo/endpoint_picker.hpp"
#include "algo/health_counter.hpp"
#include "algo/outlier.hpp"
#include "algo/retry_budget.hpp"
#include "algo/slow_start.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"
#include "flow/hook.hpp"
#include "upstream/discovery.hpp"
#include "upstream/endpoint.hpp"

namespace perilune::upstream {

/// Which answers and failures are worth another try.
struct RetryOn {
  std::vector<ErrorCode> codes;
  std::vector<int> statuses;
  bool any_5xx = false;

  bool has(ErrorCode code) const { return std::find(codes.begin(), codes.end(), code) != codes.end(); }
  bool has(int status) const {
    return (any_5xx && status >= 500) ||
           std::find(statuses.begin(), statuses.end(), status) != statuses.end();
  }
};

struct RetryOptions {
  /// Tries in all, the first one included.
  uint32_t attempts = 1;
  RetryOn on;
  /// Also requests that are not idempotent, though bytes of them were sent.
  bool any_method = false;
  size_t body_bytes_max = limits::retry_body_bytes_max;
  algo::Backoff backoff;
};

/// When a second try begins though the first one is under way.
struct HedgeOptions {
  /// Duration::max(): never. `percentile` instead, of the times that answers took, when it is above 0.
  Duration after = Duration::max();
  double percentile = 0;
  uint32_t max = 1;
  /// The same for connections: a second endpoint is dialled, and nothing of the request is sent twice.
  Duration connect_after = Duration::max();
  double connect_percentile = 0;

  bool asks_again() const { return after != Duration::max() || percentile > 0; }
  bool dials_again() const { return connect_after != Duration::max() || connect_percentile > 0; }
};

struct HealthOptions {
  enum class Kind : uint8_t { None, Http, Tcp };
  Kind kind = Kind::None;
  std::string path = "/";
  std::string host;   ///< of the Host field; empty: the endpoint's
  uint16_t port = 0;  ///< 0: the endpoint's own
  Duration interval = limits::health_interval;
  double jitter_percent = 10;
  Duration timeout = limits::health_timeout;
  algo::HealthThresholds thresholds;
  int status_min = 200;
  int status_max = 399;
};

struct StickyOptions {
  std::string cookie;  ///< empty: none
  std::string path = "/";
  std::optional<Duration> max_age;  ///< none: as long as the browser is open
};

/// What requests go by where whoever sends them says nothing else.
struct RequestDefaults {
  Duration timeout = Duration::max();      ///< to the answer's head
  Duration try_timeout = Duration::max();  ///< the same for each try
  std::string host = "client";             ///< "client", "endpoint" or a name
  bool forwarded = true;                   ///< adds X-Forwarded-For and its like
  Duration tunnel_idle_timeout = limits::tunnel_idle_timeout;
};

/// What `upstream(name, options)` says: pools.md section 3.
struct ClusterOptions {
  std::vector<EndpointSpec> endpoints;
  std::optional<DiscoveryOptions> discovery;  ///< none: `endpoints`, and what a script sets
  algo::PickerOptions balance;
  Ref<flow::Hook> key;  ///< of hashing; null: none

  uint32_t connections_max = limits::cluster_connections_max;
  uint32_t connections_per_endpoint_max = UINT32_MAX;
  uint32_t idle_max = limits::cluster_idle_max;
  uint32_t queue_max = limits::pool_queue_max;
  Duration queue_timeout = limits::queue_timeout;
  uint32_t requests_max = UINT32_MAX;
  algo::RetryBudget retry_budget;

  Duration idle_timeout = limits::cluster_idle_timeout;
  Duration ttl = limits::cluster_connection_ttl;
  uint64_t messages_max = 0;
  size_t pipelining = 1;
  bool is_fifo = false;
  bool learns_idle = true;
  double preconnect = 1.0;
  uint32_t floor = 0;
  Duration purge_interval = Duration::max();

  RequestDefaults request;
  RetryOptions retry;
  HedgeOptions hedge;
  HealthOptions health;
  std::optional<algo::OutlierRules> ejection = algo::OutlierRules{};
  StickyOptions sticky;
  algo::SlowStart slow_start;
  algo::AvailabilityRules availability;
  Duration drain_timeout = Duration::max();

  Ref<flow::Hook> on_lease;
  Ref<flow::Hook> on_release;
  Ref<flow::Hook> on_evict;
  Ref<flow::Hook> validate;
};

}  // namespace perilune::upstream
