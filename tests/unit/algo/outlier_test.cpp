#include "algo/outlier.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace perilune::algo {
namespace {

constexpr Instant start{100h};

/// One letter an outcome: s success, e server error, g gateway error, l local failure.
Outcome outcome_of(char letter) {
  switch (letter) {
    case 'e': return Outcome::ServerError;
    case 'g': return Outcome::GatewayError;
    case 'l': return Outcome::LocalFailure;
    default: return Outcome::Success;
  }
}

std::optional<EjectionReason> observe_all(OutlierState& state, const std::string& outcomes,
                                          const OutlierRules& rules) {
  std::optional<EjectionReason> last;
  for (const char letter : outcomes) last = observe(state, outcome_of(letter), rules);
  return last;
}

TEST(Outlier, StatusesAreOutcomes) {
  const std::pair<int, Outcome> cases[] = {
      {200, Outcome::Success},      {404, Outcome::Success},      {429, Outcome::Success},
      {499, Outcome::Success},      {500, Outcome::ServerError},  {501, Outcome::ServerError},
      {502, Outcome::GatewayError}, {503, Outcome::GatewayError}, {504, Outcome::GatewayError},
      {505, Outcome::ServerError},  {599, Outcome::ServerError},
  };
  for (const auto& [status, outcome] : cases) EXPECT_EQ(outcome_of_status(status), outcome) << status;
}

TEST(Outlier, FailuresInARowAreAReasonAtTheLimitAndNotBefore) {
  const OutlierRules gateway_only{.consecutive_5xx = 0, .consecutive_local = 0};
  const OutlierRules local_only{.consecutive_5xx = 0, .consecutive_gateway = 0};
  struct Case {
    std::string outcomes;
    std::optional<EjectionReason> reason;
    OutlierRules rules = {};
  };
  const Case cases[] = {
      {"eeee", {}},
      {"eeeee", EjectionReason::Consecutive5xx},
      {"eeeeee", EjectionReason::Consecutive5xx},  // asked again while it may not be ejected
      {"eeeesee", {}},
      {"eglge", EjectionReason::Consecutive5xx},
      {"ggggg", EjectionReason::ConsecutiveGateway},
      {"glglg", EjectionReason::ConsecutiveGateway},
      {"lllll", EjectionReason::ConsecutiveLocal},
      {"ggegg", {}, gateway_only},
      {"ggeggggg", EjectionReason::ConsecutiveGateway, gateway_only},
      {"lllgl", {}, local_only},
      {"lllel", {}, local_only},
      {"lllsll", {}, local_only},
      {"eeeeeee", {}, gateway_only},
      {"ee", EjectionReason::Consecutive5xx, {.consecutive_5xx = 2}},
      {"eglllllllll", {}, {.consecutive_5xx = 0, .consecutive_gateway = 0, .consecutive_local = 0}},
  };
  for (const auto& test : cases) {
    OutlierState state;
    EXPECT_EQ(observe_all(state, test.outcomes, test.rules), test.reason) << test.outcomes;
  }
}

TEST(Outlier, AtMostATenthIsOutButOneMayBe) {
  struct Case {
    OutlierCluster cluster;
    bool may;
    uint32_t percent = limits::ejected_percent_max;
  };
  const Case cases[] = {
      {{0, 0}, false},       {{1, 0}, false},    {{2, 0}, true},      {{2, 1}, false},
      {{19, 1}, false},      {{20, 1}, true},    {{20, 2}, false},    {{1'000, 99}, true},
      {{1'000, 100}, false}, {{2, 0}, false, 0}, {{2, 1}, true, 100}, {{2, 2}, false, 100},
      {{1, 0}, false, 100},
  };
  for (const auto& [cluster, may, percent] : cases)
    EXPECT_EQ(may_eject(cluster, {.ejected_percent_max = percent}), may)
        << cluster.ejected << " of " << cluster.endpoints << " at " << percent;
}

TEST(Outlier, EachEjectionIsLongerUpToTheMaximum) {
  const OutlierRules rules;
  OutlierState state;
  Instant now = start;
  for (const Duration expected : {30s, 60s, 90s, 120s, 150s, 180s, 210s, 240s, 270s, 300s, 300s, 300s}) {
    EXPECT_EQ(eject(state, rules, now), now + expected);
    now += expected;
    restore(state, now);
    now += 9s;  // less than the interval in which one is forgiven
  }
  EXPECT_EQ(state.ejections, 12u);
}

TEST(Outlier, EachIntervalWithoutEjectionForgivesOne) {
  const OutlierRules rules;
  OutlierState state;
  for (int i = 0; i < 3; ++i) {
    eject(state, rules, start);
    forgive(state, rules, start + 1h);  // nothing while it is out
    restore(state, start);
  }
  ASSERT_EQ(state.ejections, 3u);
  forgive(state, rules, start + 9s);
  EXPECT_EQ(state.ejections, 3u);
  forgive(state, rules, start + 15s);
  EXPECT_EQ(state.ejections, 2u);
  forgive(state, rules, start + 19s);
  EXPECT_EQ(state.ejections, 2u);
  EXPECT_EQ(eject(state, rules, start + 20s), start + 20s + 60s);  // one was left
  restore(state, start + 30s);
  forgive(state, rules, start + 10h);
  EXPECT_EQ(state.ejections, 0u);
  EXPECT_EQ(eject(state, rules, start + 11h), start + 11h + 30s);
}

TEST(Outlier, OneThatIsOutCountsNothingAndComesBackClean) {
  const OutlierRules rules;
  OutlierState state;
  observe_all(state, "sseeeee", rules);
  eject(state, rules, start);
  EXPECT_EQ(observe_all(state, "eeeeeeelllll", rules), std::nullopt);
  restore(state, start + 30s);
  EXPECT_EQ(observe_all(state, "eeee", rules), std::nullopt);
  EXPECT_EQ(observe_all(state, "e", rules), EjectionReason::Consecutive5xx);
  EXPECT_EQ(state.requests, 12u);
  EXPECT_EQ(state.successes, 2u);
}

OutlierState with_rate(uint32_t successes, uint32_t requests = 100) {
  OutlierState state;
  state.requests = requests;
  state.successes = successes;
  return state;
}

TEST(Outlier, ALowRateOfSuccessIsAReasonWhenAskedFor) {
  struct Case {
    const char* what;
    std::vector<OutlierState> endpoints;
    std::vector<size_t> outliers;
    bool is_on = true;
  };
  const std::vector<OutlierState> one_bad = {with_rate(99), with_rate(98), with_rate(99),
                                             with_rate(98), with_rate(99), with_rate(60)};
  auto one_out = one_bad;
  one_out[5].is_ejected = true;
  const Case cases[] = {
      {"off", one_bad, {}, false},
      {"one is far below", one_bad, {5}},
      {"it is out already", one_out, {}},
      {"all alike", std::vector(6, with_rate(33)), {}},
      {"a little below", {with_rate(99), with_rate(97), with_rate(99), with_rate(97), with_rate(96)}, {}},
      {"too few endpoints", {with_rate(99), with_rate(99), with_rate(99), with_rate(10)}, {}},
      {"too few with enough requests",
       {with_rate(99), with_rate(99), with_rate(99), with_rate(99), with_rate(10, 99)},
       {}},
      {"nobody", {}, {}},
  };
  for (const auto& test : cases) {
    SuccessRates rates({.has_success_rate = test.is_on});
    for (const auto& endpoint : test.endpoints) rates.add(endpoint);
    std::vector<size_t> outliers;
    for (size_t i = 0; i < test.endpoints.size(); ++i)
      if (rates.is_outlier(test.endpoints[i])) outliers.push_back(i);
    EXPECT_EQ(outliers, test.outliers) << test.what;
  }
}

TEST(Outlier, TheThresholdIsTheMeanLessDeviations) {
  SuccessRates rates({.has_success_rate = true});
  for (const uint32_t successes : {100u, 80u, 100u, 80u, 100u, 80u}) rates.add(with_rate(successes));
  ASSERT_TRUE(rates.threshold());
  EXPECT_NEAR(*rates.threshold(), 0.9 - 1.9 * 0.1, 1e-9);
}

TEST(Outlier, AnIntervalBeginsAtNothing) {
  OutlierState state = with_rate(70);
  state.failures_5xx = 4;
  begin_interval(state);
  EXPECT_EQ(state.requests, 0u);
  EXPECT_EQ(state.successes, 0u);
  EXPECT_EQ(state.failures_5xx, 4u);
}

}  // namespace
}  // namespace perilune::algo
