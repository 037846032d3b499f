#include "algo/percentile.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace perilune::algo {
namespace {

struct PercentileCase {
  std::vector<double> buckets;
  std::vector<double> values;
  double percent;
  std::optional<double> result;
  friend void PrintTo(const PercentileCase& test, std::ostream* out) {
    *out << test.percent << " % of " << test.values.size();
  }
};
class PercentileTest : public testing::TestWithParam<PercentileCase> {};
TEST_P(PercentileTest, IsInterpolatedWithinItsBucket) {
  auto made = Percentile::make(GetParam().buckets);
  ASSERT_TRUE(made);
  for (const double value : GetParam().values) made->observe(value);
  const auto result = made->calculate(GetParam().percent);
  ASSERT_EQ(result.has_value(), GetParam().result.has_value());
  EXPECT_DOUBLE_EQ(result.value_or(0), GetParam().result.value_or(0));
}
const std::vector<double> tens{10, 20, 30};
INSTANTIATE_TEST_SUITE_P(
    Values, PercentileTest,
    testing::Values(PercentileCase{tens, {}, 50, std::nullopt}, PercentileCase{tens, {5}, 50, 5},
                    PercentileCase{tens, {5}, 100, 10}, PercentileCase{tens, {12, 13, 14, 15}, 25, 12.5},
                    PercentileCase{tens, {12, 13, 14, 15}, 0, 10}, PercentileCase{tens, {5, 15}, 75, 15},
                    PercentileCase{tens, {5, 25}, 50, 10}, PercentileCase{tens, {5, 25}, 51, 20.2},
                    PercentileCase{tens, {10}, 100, 10}, PercentileCase{tens, {10.5}, 100, 20},
                    PercentileCase{tens, {1e9}, 50, 25}, PercentileCase{tens, {1e9}, 100, 30},
                    PercentileCase{tens, {25, INFINITY}, 100, 30},
                    PercentileCase{tens, {NAN}, 50, std::nullopt}, PercentileCase{tens, {5}, -3, 0},
                    PercentileCase{tens, {5}, 500, 10}, PercentileCase{tens, {5}, NAN, 0},
                    PercentileCase{{-10, 10}, {-20}, 50, -10}, PercentileCase{{-10, 10}, {0}, 50, 0}));

TEST(Percentile, BadBucketsAreRefusedByNumber) {
  EXPECT_FALSE(Percentile::make({}));
  for (const auto& buckets : std::vector<std::vector<double>>{{1, 1}, {2, 1}, {1, NAN}, {1, INFINITY}}) {
    const auto made = Percentile::make(buckets);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().detail.find("bucket 2"), std::string::npos);
  }
}

TEST(Percentile, ResetForgetsEverything) {
  auto made = Percentile::make({10});
  made->observe(3);
  EXPECT_EQ(made->count(), 1u);
  made->reset();
  EXPECT_EQ(made->count(), 0u);
  EXPECT_EQ(made->calculate(50), std::nullopt);
}

}  // namespace
}  // namespace perilune::algo
