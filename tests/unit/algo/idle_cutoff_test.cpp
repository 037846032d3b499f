#include "algo/idle_cutoff.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "algo/draw.hpp"

namespace perilune::algo {
namespace {

constexpr Duration never = Duration::max();
constexpr Instant start{100h};

/// Something that happened at a time after the start, to a connection of an idle age.
struct Fact {
  Duration at;
  char kind;  // h hint, c closed while idle, s stale, r reused
  Duration age;
};

void tell(IdleCutoff& cutoff, const Fact& fact) {
  const Instant now = start + fact.at;
  switch (fact.kind) {
    case 'h': return cutoff.on_hint(fact.age, now);
    case 'c': return cutoff.on_idle_close(fact.age, now);
    case 's': return cutoff.on_stale(fact.age, now);
    default: return cutoff.on_reused(fact.age, now);
  }
}

struct Story {
  const char* what;
  std::vector<Fact> facts;
  Duration at;
  Duration expected;
};

void expect_stories(const std::vector<Story>& stories) {
  for (const auto& story : stories) {
    IdleCutoff cutoff;
    for (const auto& fact : story.facts) tell(cutoff, fact);
    EXPECT_EQ(to_seconds(cutoff.cutoff(start + story.at)), to_seconds(story.expected)) << story.what;
  }
}

TEST(IdleCutoff, S56_AHintHoldsLessAMargin) {
  expect_stories({
      {"nothing is known", {}, 1h, never},
      {"5 s", {{0s, 'h', 5s}}, 1s, 4s},
      {"60 s", {{0s, 'h', 60s}}, 1s, 59s},
      {"2 s", {{0s, 'h', 2s}}, 1s, 1s},
      {"1 s", {{0s, 'h', 1s}}, 1s, 500ms},
      {"0: no reuse", {{0s, 'h', 0s}}, 1s, 0s},
      {"nonsense below 0", {{0s, 'h', -1s}}, 1s, 0s},
      {"the last one holds", {{0s, 'h', 5s}, {1s, 'h', 20s}}, 2s, 19s},
      {"the server says it no more", {{0s, 'h', 5s}}, 11min, never},
      {"enormous", {{0s, 'h', Duration::max()}}, 1s, 365 * 24h - 1s},
  });
}

TEST(IdleCutoff, ATimeoutIsBelievedWhenItComesAgain) {
  expect_stories({
      {"once is nothing", {{5s, 'c', 5s}}, 10s, never},
      {"twice", {{5s, 'c', 5s}, {20s, 'c', 5s}}, 30s, 4s},
      {"with the coarse timer of some servers", {{5s, 'c', 5400ms}, {20s, 'c', 5s}}, 30s, 4s},
      {"60 s: a tenth", {{60s, 'c', 60s}, {200s, 'c', 61s}}, 300s, 54s},
      {"2 s", {{5s, 'c', 2s}, {20s, 'c', 2s}}, 30s, 1s},
      {"1 s", {{5s, 'c', 1s}, {20s, 'c', 1s}}, 30s, 500ms},
      {"200 ms", {{5s, 'c', 200ms}, {20s, 'c', 200ms}}, 30s, 100ms},
      {"other ages do not agree", {{5s, 'c', 5s}, {20s, 'c', 12s}}, 30s, never},
      {"nor does a later one below", {{5s, 'c', 12s}, {20s, 'c', 5s}}, 30s, never},
      {"a hint below it", {{5s, 'c', 5s}, {20s, 'c', 5s}, {21s, 'h', 3s}}, 30s, 2s},
      {"a hint above it", {{5s, 'c', 5s}, {20s, 'c', 5s}, {21s, 'h', 30s}}, 30s, 4s},
      {"before the moment is over nothing is said", {{5s, 'c', 5s}, {20s, 'c', 5s}}, 20'900ms, never},
  });
}

TEST(IdleCutoff, FailuresUnderRequestsSayAtMost) {
  expect_stories({
      {"once is nothing", {{5s, 's', 5s}}, 10s, never},
      {"twice: the higher", {{0s, 's', 300s}, {60s, 's', 200s}}, 70s, 270s},
      {"in whichever order", {{0s, 's', 200s}, {60s, 's', 300s}}, 70s, 270s},
      {"a third: what two say again", {{0s, 's', 300s}, {60s, 's', 200s}, {120s, 's', 150s}}, 130s, 180s},
      {"a close below a failure", {{0s, 's', 300s}, {60s, 'c', 100s}}, 70s, 270s},
      {"a close above a failure", {{0s, 's', 50s}, {60s, 'c', 100s}}, 70s, never},
      {"the two kinds at one age", {{0s, 's', 5s}, {60s, 'c', 5s}}, 70s, 4s},
  });
}

TEST(IdleCutoff, WhatLivesLongerRefutes) {
  expect_stories({
      {"an answer in between", {{5s, 'c', 5s}, {10s, 'r', 20s}, {20s, 'c', 5s}}, 30s, never},
      {"an answer at the same age does not", {{5s, 'c', 5s}, {10s, 'r', 5s}, {20s, 'c', 5s}}, 30s, 4s},
      {"an answer before is of another time", {{1s, 'r', 20s}, {5s, 'c', 5s}, {20s, 'c', 5s}}, 30s, 4s},
      {"a close in between", {{5s, 'c', 5s}, {10s, 'c', 20s}, {20s, 'c', 5s}}, 30s, never},
      {"a belief too, by an answer", {{5s, 'c', 5s}, {20s, 'c', 5s}, {30s, 'r', 9s}}, 40s, never},
      {"a belief too, by a close", {{5s, 'c', 5s}, {20s, 'c', 5s}, {30s, 'c', 60s}}, 40s, never},
      {"a server that counts requests closes at once",
       {{5s, 'c', 0s}, {6s, 'r', 1ms}, {20s, 'c', 0s}, {40s, 'c', 1ms}},
       50s,
       never},
      {"a crash under a request", {{5s, 's', 200ms}, {6s, 'r', 500ms}, {20s, 's', 200ms}}, 30s, never},
      {"two crashes, both of them young", {{5s, 's', 20ms}, {20s, 's', 20ms}}, 30s, never},
  });
}

TEST(IdleCutoff, ARestartTeachesNothing) {
  expect_stories({
      {"all ages at once, twice",
       {{5s, 'c', 5s}, {5s, 'c', 1s}, {5s, 'c', 3s}, {90s, 'c', 5s}, {90s, 'c', 1s}},
       100s,
       never},
      {"within a second", {{5s, 'c', 5s}, {5900ms, 'c', 1s}, {90s, 'c', 5s}}, 100s, never},
      {"with one under a request", {{5s, 'c', 5s}, {5s, 's', 1s}, {90s, 'c', 5s}}, 100s, never},
      {"its first close came alone",
       {{5s, 'c', 5s}, {6s, 'c', 9s}, {6s, 'c', 2s}, {90s, 'c', 5s}},
       100s,
       never},
      {"one connection was idle, twice", {{5s, 'c', 5s}, {90s, 'c', 17s}}, 100s, never},
      {"what was believed stays", {{5s, 'c', 5s}, {20s, 'c', 5s}, {30s, 'c', 1s}, {30s, 'c', 3s}}, 40s, 4s},
      {"many of one age are a timeout, but seen once",
       {{5s, 'c', 5s}, {5s, 'c', 5s}, {5s, 'c', 5s}},
       9s,
       never},
      {"and seen again", {{5s, 'c', 5s}, {5s, 'c', 5s}, {20s, 'c', 5s}, {20s, 'c', 5s}}, 30s, 4s},
  });
}

TEST(IdleCutoff, ABeliefIsDoubtedSlowlyAndRenewedAtOnce) {
  const std::vector<Fact> learned = {{0s, 'c', 60s}, {100s, 'c', 60s}};
  auto renewed = learned;
  renewed.push_back({100s + 25min, 'c', 60s});
  expect_stories({
      {"for ten minutes it holds", learned, 100s + 10min, 54s},
      {"then it doubles", learned, 100s + 20min, 108s},
      {"and again", learned, 100s + 30min, 216s},
      {"one sign is enough to renew it", renewed, 100s + 26min, 54s},
      {"a year of silence, and all is forgotten", learned, 366 * 24h, never},
      {"one of 100 ms rises as one of 1 s does", {{0s, 'c', 100ms}, {9s, 'c', 100ms}}, 9s + 20min, 550ms},
  });
}

TEST(IdleCutoff, OneEndBelowABeliefIsASuspicionOnly) {
  const std::vector<Fact> learned = {{0s, 'c', 60s}, {100s, 'c', 60s}};
  auto once = learned;
  once.push_back({150s, 's', 2s});
  auto twice = once;
  twice.push_back({200s, 'c', 2s});
  expect_stories({{"once", once, 160s, 54s}, {"twice: the server has a new timeout", twice, 210s, 1s}});
}

/// A server with a timeout, a client that reuses up to the cutoff, and a restart now and then: after a short
/// while hardly a request dies.
TEST(IdleCutoff, AServerThatIsRestartedKeepsItsLearnedTimeout) {
  for (const Duration timeout : {1000ms, 5000ms, 75'000ms}) {
    IdleCutoff cutoff;
    constexpr auto round_trip = 20ms;
    uint64_t bits = 5;
    Instant now = start;
    int stale = 0, reused = 0;
    for (int i = 0; i < 20'000; ++i) {
      bits = draw_next(bits);
      const auto pause = Duration(static_cast<Duration::rep>(
          draw_below(bits, static_cast<uint64_t>(2 * timeout.count()))));  // until the next request
      if (i % 500 == 499) {
        // Restart: what is idle closes at whatever age it has.
        for (int k = 1; k < 5; ++k) cutoff.on_idle_close(timeout * k / 5, now);
      }
      now += std::min(pause, timeout);
      if (pause > cutoff.cutoff(now)) {
        if (pause >= timeout) cutoff.on_idle_close(timeout, now);
        continue;
      }
      if (pause >= timeout) {
        cutoff.on_idle_close(timeout, now);  // seen before the request came
      } else if (pause > timeout - round_trip) {
        cutoff.on_stale(pause, now);
        if (i > 1'000) ++stale;
      } else {
        cutoff.on_reused(pause, now);
        ++reused;
      }
    }
    EXPECT_EQ(stale, 0) << to_seconds(timeout);
    EXPECT_GT(reused, 4'000) << to_seconds(timeout);
    EXPECT_EQ(cutoff.learned(), timeout);
  }
}

}  // namespace
}  // namespace perilune::algo
