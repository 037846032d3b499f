#include "algo/health_counter.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perilune::algo {
namespace {

TEST(HealthCounter, StatesFollowResultsInARow) {
  struct Case {
    std::string results;  // + passed, - failed
    std::string states;   // H healthy, U unhealthy, in capitals where it has just changed
    HealthThresholds thresholds = {};
  };
  const Case cases[] = {
      {"+", "H"},
      {"-", "U"},  // the very first decides, whatever the thresholds are
      {"+--+---", "HhhhhhU"},
      {"-++", "UuH"},
      {"-+-++", "UuuuH"},
      {"+---++---", "HhhUuHhhU"},
      {"+-+", "HUH", {.rise = 1, .fall = 1}},
      {"+-+", "HUH", {.rise = 0, .fall = 0}},
      {"-+++++", "UuuuuH", {.rise = 5, .fall = 1}},
  };
  for (const auto& test : cases) {
    HealthCounter counter(test.thresholds);
    EXPECT_EQ(counter.state(), Health::Unknown);
    std::string states;
    for (const char result : test.results) {
      const bool changed = counter.observe(result == '+' ? CheckResult::Passed : CheckResult::Failed);
      const bool is_healthy = counter.state() == Health::Healthy;
      states += changed ? (is_healthy ? 'H' : 'U') : (is_healthy ? 'h' : 'u');
    }
    EXPECT_EQ(states, test.states) << test.results;
  }
}

TEST(HealthCounter, TellsHowFarItIsFromAChange) {
  HealthCounter counter;
  counter.observe(CheckResult::Passed);
  EXPECT_EQ(counter.against(), 0u);
  counter.observe(CheckResult::Failed);
  counter.observe(CheckResult::Failed);
  EXPECT_EQ(counter.against(), 2u);
  counter.observe(CheckResult::Passed);
  EXPECT_EQ(counter.against(), 0u);
}

}  // namespace
}  // namespace perilune::algo
