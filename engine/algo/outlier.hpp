#pragma once

#include <cstdint>
#include <optional>

#include "base/limits.hpp"

namespace perilune::algo {

/// What a request shows of its endpoint. LocalFailure: there was no answer: connect failure, reset, timeout.
enum class Outcome : uint8_t { Success, ServerError, GatewayError, LocalFailure };

/// 502, 503 and 504 are gateway errors, all else from 500 on server errors; everything below is a success:
/// the endpoint did answer.
constexpr Outcome outcome_of_status(int status) {
  if (status < 500) return Outcome::Success;
  return status >= 502 && status <= 504 ? Outcome::GatewayError : Outcome::ServerError;
}

enum class EjectionReason : uint8_t { Consecutive5xx, ConsecutiveGateway, ConsecutiveLocal, SuccessRate };

/// A number of consecutive failures of 0 switches that rule off.
struct OutlierRules {
  uint32_t consecutive_5xx = limits::outlier_failures_max;      ///< failures of any kind
  uint32_t consecutive_gateway = limits::outlier_failures_max;  ///< gateway errors and local failures
  uint32_t consecutive_local = limits::outlier_failures_max;
  Duration interval = limits::outlier_interval;  ///< above 0
  Duration ejection_time = limits::ejection_time;
  Duration ejection_time_max = limits::ejection_time_max;
  uint32_t ejected_percent_max = limits::ejected_percent_max;  ///< of the endpoints; 0: nothing is ejected
  bool has_success_rate = false;
  uint32_t success_rate_endpoints_min = limits::success_rate_endpoints_min;
  uint32_t success_rate_requests_min = limits::success_rate_requests_min;
  double success_rate_deviations = limits::success_rate_deviations;
};

/// Of one endpoint. All 0 is one that nothing is known of.
struct OutlierState {
  uint32_t failures_5xx = 0;  // in a row
  uint32_t failures_gateway = 0;
  uint32_t failures_local = 0;
  uint32_t ejections = 0;  // not forgiven so far
  bool is_ejected = false;
  Instant ejected_until{};
  Instant calm_since{};    // since the last ejection ended or was last forgiven
  uint32_t requests = 0;   // in this interval
  uint32_t successes = 0;  // of these
};

/// How many there are, and how many of these are out, when an ejection is asked for.
struct OutlierCluster {
  uint32_t endpoints = 0;
  uint32_t ejected = 0;
};

/// Counts the outcome. A reason: the endpoint should be ejected now, if `may_eject`; when it may not, the
/// next failure asks again. The reason is the narrowest that holds. Outcomes of one that is ejected, from
/// requests that were on their way, count nothing.
std::optional<EjectionReason> observe(OutlierState& endpoint, Outcome outcome, const OutlierRules& rules);

/// At most `ejected_percent_max` of a cluster is out, but one may be when there are two or more. A cluster of
/// one never ejects it.
bool may_eject(const OutlierCluster& cluster, const OutlierRules& rules);

/// Out for `ejection_time` times the ejections so far, at most `ejection_time_max`. Returns until when.
Instant eject(OutlierState& endpoint, const OutlierRules& rules, Instant now);

/// Lets it in again; to be called once `ejected_until` has come, or an active check has passed.
void restore(OutlierState& endpoint, Instant now);

/// For each whole interval without an ejection one ejection is forgiven. May be called as often as one likes;
/// `eject` does it by itself.
void forgive(OutlierState& endpoint, const OutlierRules& rules, Instant now);

/// The rate of success below which endpoints are outliers, from all endpoints of a cluster: the mean less so
/// many standard deviations. To be asked once in an interval, before `begin_interval` of each.
class SuccessRates {
 public:
  explicit SuccessRates(const OutlierRules& rules) : rules_(rules) {}

  void add(const OutlierState& endpoint);

  /// None when the rule is off or too few endpoints had enough requests.
  std::optional<double> threshold() const;

  /// Whether it had enough requests and is below.
  bool is_outlier(const OutlierState& endpoint) const;

 private:
  bool counts(const OutlierState& endpoint) const;

  OutlierRules rules_;
  uint32_t count_ = 0;
  double sum_ = 0;
  double squares_ = 0;
};

void begin_interval(OutlierState& endpoint);

}  // namespace perilune::algo
