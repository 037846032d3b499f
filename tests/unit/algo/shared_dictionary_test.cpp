#include "algo/shared_dictionary.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace perilune::algo {
namespace {

using Outcome = SharedDictionary::Outcome;

constexpr size_t megabyte = 1 << 20;

SharedValue text(std::string bytes) { return {2, 0, std::move(bytes)}; }

class SharedDictionaryTest : public ::testing::Test {
 protected:
  std::string get(std::string_view key) {
    const auto found = dictionary_.get(key, now_);
    return found ? found->value.bytes : "(none)";
  }
  SharedDictionary dictionary_{megabyte};
  Instant now_{};
};

TEST_F(SharedDictionaryTest, GivesBackWhatWasSet) {
  EXPECT_EQ(get("a"), "(none)");
  EXPECT_EQ(dictionary_.set("a", text("one"), {}, now_), Outcome::Done);
  EXPECT_EQ(dictionary_.set("a", text("two"), {}, now_), Outcome::Done);
  EXPECT_EQ(get("a"), "two");
  EXPECT_EQ(dictionary_.get("a", now_)->fresh_for, Duration::max());
  EXPECT_EQ(dictionary_.size(), 1u);
  EXPECT_TRUE(dictionary_.remove("a", now_));
  EXPECT_FALSE(dictionary_.remove("a", now_));
  EXPECT_EQ(dictionary_.bytes(), 0u);
}

TEST_F(SharedDictionaryTest, AValueIsFreshThenStaleThenGone) {
  dictionary_.set("a", text("x"), {10s, 5s}, now_);
  now_ += 9s;
  EXPECT_EQ(dictionary_.get("a", now_)->fresh_for, 1s);
  now_ += 1s;
  EXPECT_EQ(dictionary_.get("a", now_)->fresh_for, 0s);
  now_ += 4s;
  EXPECT_EQ(dictionary_.get("a", now_)->fresh_for, -4s);
  now_ += 1s;
  EXPECT_EQ(get("a"), "(none)");
  EXPECT_EQ(dictionary_.size(), 0u) << "who finds it gone takes it away";
}

TEST_F(SharedDictionaryTest, AddsOnlyWhereNothingFreshIs) {
  EXPECT_EQ(dictionary_.add("lock", text("1"), {10s, 10s}, now_), Outcome::Done);
  EXPECT_EQ(dictionary_.add("lock", text("2"), {10s, 10s}, now_), Outcome::Exists);
  now_ += 10s;
  EXPECT_EQ(dictionary_.add("lock", text("3"), {10s, 10s}, now_), Outcome::Done) << "it is stale";
  EXPECT_EQ(get("lock"), "3");
}

TEST_F(SharedDictionaryTest, CountsInOneStep) {
  double result = 0;
  EXPECT_EQ(dictionary_.increment("n", 2, {10s, {}}, now_, result), Outcome::Done);
  EXPECT_EQ(result, 2);
  now_ += 9s;
  EXPECT_EQ(dictionary_.increment("n", 3, {10s, {}}, now_, result), Outcome::Done);
  EXPECT_EQ(result, 5);
  EXPECT_EQ(dictionary_.get("n", now_)->fresh_for, 1s) << "the time runs from the first";
  now_ += 1s;
  EXPECT_EQ(dictionary_.increment("n", 3, {10s, {}}, now_, result), Outcome::Done);
  EXPECT_EQ(result, 3);
  dictionary_.set("t", text("x"), {}, now_);
  EXPECT_EQ(dictionary_.increment("t", 1, {}, now_, result), Outcome::NoNumber);
  EXPECT_EQ(get("t"), "x");
}

TEST_F(SharedDictionaryTest, TheOnesUsedLongestAgoMakeRoom) {
  const std::string body(1000, 'x');
  for (int i = 0; i < 5000; ++i) {
    dictionary_.set("k" + std::to_string(i), text(body), {}, now_);
    EXPECT_EQ(get("k0"), body) << "it is read all the time";
    ASSERT_LE(dictionary_.bytes(), megabyte);
  }
  EXPECT_EQ(get("k1"), "(none)");
  EXPECT_EQ(get("k4999"), body);
  EXPECT_GT(dictionary_.bytes(), megabyte * 9 / 10);
  EXPECT_EQ(dictionary_.evictions() + dictionary_.size(), 5000u);
}

TEST_F(SharedDictionaryTest, WhatIsLargerThanAShardIsRefused) {
  dictionary_.set("a", text("old"), {}, now_);
  EXPECT_EQ(dictionary_.set("a", text(std::string(megabyte / 16, 'x')), {}, now_), Outcome::TooLarge);
  EXPECT_EQ(get("a"), "(none)") << "the old value would be wrong";
}

TEST_F(SharedDictionaryTest, ASmallerSizeLetsGo) {
  for (int i = 0; i < 500; ++i) dictionary_.set(std::to_string(i), text(std::string(1000, 'x')), {}, now_);
  dictionary_.resize(megabyte / 8);
  EXPECT_LE(dictionary_.bytes(), megabyte / 8);
  EXPECT_GT(dictionary_.size(), 0u);
}

TEST_F(SharedDictionaryTest, ListsKeysThatAreThere) {
  dictionary_.set("a", text("1"), {}, now_);
  dictionary_.set("b", text("1"), {1s, {}}, now_);
  now_ += 1s;
  EXPECT_EQ(dictionary_.keys(10, now_), std::vector<std::string>{"a"});
  dictionary_.set("c", text("1"), {}, now_);
  EXPECT_EQ(dictionary_.keys(1, now_).size(), 1u);
}

TEST_F(SharedDictionaryTest, ThreadsThatCountLoseNothing) {
  std::vector<std::thread> threads;
  std::atomic<int> locks{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      double result = 0;
      for (int i = 0; i < 5000; ++i) {
        dictionary_.increment("n", 1, {}, Instant{}, result);
        if (dictionary_.add("lock" + std::to_string(i), text(""), {}, Instant{}) == Outcome::Done) ++locks;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(dictionary_.get("n", now_)->value.number, 20000);
  EXPECT_EQ(locks, 5000);
}

TEST(SharedDictionaries, KnowsThemByName) {
  SharedDictionaries all;
  SharedDictionary& a = all.of("a", megabyte);
  EXPECT_EQ(&a, &all.of("a", megabyte));
  EXPECT_NE(&a, &all.of("b", megabyte));
  EXPECT_EQ(all.all().size(), 2u);
}

}  // namespace
}  // namespace perilune::algo
