#include "algo/backoff.hpp"

#include <gtest/gtest.h>

#include "algo/draw.hpp"
#include "algo/jitter.hpp"
#include "algo/retry_budget.hpp"

namespace perilune::algo {
namespace {

TEST(RetryBudget, S115_RetriesAreAShareOfTheRequestsAndAFewAlways) {
  struct Case {
    uint64_t retries, active, pending;
    bool is_allowed;
    RetryBudget budget = {};
  };
  const Case cases[] = {
      {0, 0, 0, true},
      {2, 0, 0, true},
      {3, 0, 0, false},
      {3, 15, 4, false},
      {3, 15, 5, true},
      {4, 15, 5, false},
      {19, 100, 0, true},
      {20, 100, 0, false},
      {19, 0, 100, true},
      {0, 9, 9, false, {.percent = 0, .retries_min = 0}},
      {9, 10, 0, true, {.percent = 100, .retries_min = 0}},
      {10, 10, 0, false, {.percent = 100, .retries_min = 0}},
  };
  for (const auto& test : cases)
    EXPECT_EQ(test.budget.allows(test.retries, test.active, test.pending), test.is_allowed)
        << test.retries << " of " << test.active << " + " << test.pending;
}

TEST(Backoff, DoublesUpToTheMaximumWithFullJitter) {
  struct Case {
    uint32_t retry;
    Duration longest;
    Backoff rules = {};
  };
  const Case cases[] = {
      {0, 25ms},
      {1, 25ms},
      {2, 50ms},
      {3, 100ms},
      {4, 200ms},
      {5, 250ms},
      {6, 250ms},
      {UINT32_MAX, 250ms},
      {7, 0s, {.base = 0s}},
      {UINT32_MAX, Duration::max() - 1ns, {.base = 1s, .max = Duration::max() - 1ns}},
      {1, 10ms, {.base = 25ms, .max = 10ms}},
  };
  for (const auto& [retry, longest, rules] : cases) {
    EXPECT_EQ(backoff(retry, 0, rules), Duration::zero()) << retry;
    EXPECT_EQ(backoff(retry, UINT64_MAX, rules), longest) << retry;
    const Duration half = backoff(retry, uint64_t{1} << 63, rules);
    EXPECT_NEAR(to_seconds(half), to_seconds(longest) / 2, 1e-6 + to_seconds(longest) * 1e-9) << retry;
  }
}

TEST(Backoff, WaitsForARetryAfterUpToItsBound) {
  EXPECT_EQ(backoff_after(0s, 1, UINT64_MAX), 25ms);
  EXPECT_EQ(backoff_after(-3h, 1, UINT64_MAX), 25ms);
  EXPECT_EQ(backoff_after(2s, 1, 0), 2s);
  EXPECT_EQ(backoff_after(5s, 9, UINT64_MAX), 5s + 250ms);
  EXPECT_EQ(backoff_after(5s + 1ns, 1, 0), std::nullopt);
}

TEST(Jitter, IsEvenAroundTheSpan) {
  struct Case {
    Duration span;
    double percent;
    Duration least, most;
  };
  const Case cases[] = {{10s, 10, 9s, 11s},  {10s, 0, 10s, 10s},  {1h, 50, 30min, 90min},
                        {10s, 200, 0s, 20s}, {10s, -5, 10s, 10s}, {0s, 10, 0s, 0s}};
  for (const auto& test : cases) {
    EXPECT_EQ(jittered(test.span, test.percent, 0), test.least);
    EXPECT_NEAR(to_seconds(jittered(test.span, test.percent, UINT64_MAX)), to_seconds(test.most), 1e-6);
    EXPECT_NEAR(to_seconds(jittered(test.span, test.percent, uint64_t{1} << 63)), to_seconds(test.span),
                1e-6);
  }
}

TEST(Draw, ANumberBelowABoundIsBelowItAndEven) {
  EXPECT_EQ(draw_below(UINT64_MAX, 0), 0u);
  EXPECT_EQ(draw_below(UINT64_MAX, 1), 0u);
  EXPECT_EQ(draw_below(0, 7), 0u);
  EXPECT_EQ(draw_below(UINT64_MAX, 7), 6u);
  EXPECT_EQ(draw_below(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
  EXPECT_EQ(draw_unit(0), 0.0);
  EXPECT_LT(draw_unit(UINT64_MAX), 1.0);
  int counts[7] = {};
  uint64_t bits = 0;
  for (int i = 0; i < 70'000; ++i) ++counts[draw_below(bits = draw_next(bits), 7)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 400);
}

}  // namespace
}  // namespace perilune::algo
