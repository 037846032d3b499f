#include "algo/outlier.hpp"

#include <algorithm>
#include <cmath>

namespace perilune::algo {
namespace {

constexpr bool is_reached(uint32_t failures, uint32_t limit) { return limit > 0 && failures >= limit; }

double rate_of(const OutlierState& endpoint) {
  return static_cast<double>(endpoint.successes) / endpoint.requests;
}

void forget_failures(OutlierState& endpoint) {
  endpoint.failures_5xx = endpoint.failures_gateway = endpoint.failures_local = 0;
}

}  // namespace

std::optional<EjectionReason> observe(OutlierState& endpoint, Outcome outcome, const OutlierRules& rules) {
  if (endpoint.is_ejected) return std::nullopt;
  ++endpoint.requests;
  if (outcome == Outcome::Success) {
    ++endpoint.successes;
    forget_failures(endpoint);
    return std::nullopt;
  }

  // A failure of a narrower kind is one of the wider kinds too; one of a wider kind ends a row of narrower
  // ones.
  ++endpoint.failures_5xx;
  endpoint.failures_gateway = outcome == Outcome::ServerError ? 0 : endpoint.failures_gateway + 1;
  endpoint.failures_local = outcome == Outcome::LocalFailure ? endpoint.failures_local + 1 : 0;
  if (is_reached(endpoint.failures_local, rules.consecutive_local)) return EjectionReason::ConsecutiveLocal;
  if (is_reached(endpoint.failures_gateway, rules.consecutive_gateway))
    return EjectionReason::ConsecutiveGateway;
  if (is_reached(endpoint.failures_5xx, rules.consecutive_5xx)) return EjectionReason::Consecutive5xx;
  return std::nullopt;
}

bool may_eject(const OutlierCluster& cluster, const OutlierRules& rules) {
  if (cluster.endpoints < 2 || rules.ejected_percent_max == 0) return false;
  const uint64_t allowed = uint64_t{cluster.endpoints} * rules.ejected_percent_max / 100;
  return cluster.ejected < std::max<uint64_t>(1, allowed);
}

Instant eject(OutlierState& endpoint, const OutlierRules& rules, Instant now) {
  forgive(endpoint, rules, now);
  ++endpoint.ejections;
  forget_failures(endpoint);
  endpoint.is_ejected = true;
  // Compared before it is multiplied: years of ejections times hours would not fit.
  const bool is_capped = rules.ejection_time > rules.ejection_time_max / endpoint.ejections;
  endpoint.ejected_until =
      now + (is_capped ? rules.ejection_time_max : rules.ejection_time * endpoint.ejections);
  return endpoint.ejected_until;
}

void restore(OutlierState& endpoint, Instant now) {
  if (!endpoint.is_ejected) return;
  endpoint.is_ejected = false;
  endpoint.calm_since = now;
}

void forgive(OutlierState& endpoint, const OutlierRules& rules, Instant now) {
  if (endpoint.is_ejected || endpoint.ejections == 0 || now < endpoint.calm_since) return;
  const auto intervals = (now - endpoint.calm_since) / rules.interval;
  endpoint.calm_since += intervals * rules.interval;
  endpoint.ejections -= static_cast<uint32_t>(std::min<int64_t>(intervals, endpoint.ejections));
}

bool SuccessRates::counts(const OutlierState& endpoint) const {
  return !endpoint.is_ejected && endpoint.requests > 0 &&
         endpoint.requests >= rules_.success_rate_requests_min;
}

void SuccessRates::add(const OutlierState& endpoint) {
  if (!counts(endpoint)) return;
  const double rate = rate_of(endpoint);
  ++count_;
  sum_ += rate;
  squares_ += rate * rate;
}

std::optional<double> SuccessRates::threshold() const {
  if (!rules_.has_success_rate || count_ == 0 || count_ < rules_.success_rate_endpoints_min)
    return std::nullopt;
  const double mean = sum_ / count_;
  const double variance = std::max(0.0, squares_ / count_ - mean * mean);
  return mean - rules_.success_rate_deviations * std::sqrt(variance);
}

bool SuccessRates::is_outlier(const OutlierState& endpoint) const {
  // Rates that are equal have a deviation of 0, or of what rounding makes of it: not a reason.
  constexpr double rounding = 1e-6;
  const auto limit = threshold();
  return limit && counts(endpoint) && rate_of(endpoint) < *limit - rounding;
}

void begin_interval(OutlierState& endpoint) { endpoint.requests = endpoint.successes = 0; }

}  // namespace perilune::algo
