#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "app/test_coverage.hpp"
#include "app/test_trial.hpp"
#include "script/state.hpp"

namespace perilune::app {
namespace {

/// One file of tests.
class TrialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    script::make_runs_repeatable();
    std::string pattern = (std::filesystem::temp_directory_path() / "perilune-trial-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TrialSettings file_with(std::string_view text) {
    std::ofstream(folder_ / "a_test.lua") << text;
    return {.file = (folder_ / "a_test.lua").string(), .chosen = 1};
  }
  std::string place(int line) const { return (folder_ / "a_test.lua").string() + ":" + std::to_string(line); }

  std::filesystem::path folder_;
};

TEST_F(TrialTest, DeclaresWithoutRunning) {
  TrialSettings settings =
      file_with("test('one', function() error('never') end)\ntest.chaos { name = 'two', seeds = 3 }");
  settings.chosen = 0;
  const TrialResult result = Trial(settings).run();
  EXPECT_FALSE(result.failure);
  ASSERT_EQ(result.declared.size(), 2U);
  EXPECT_EQ(result.declared[0].name, "one");
  EXPECT_EQ(result.declared[0].seeds, 0U);
  EXPECT_EQ(result.declared[1].place.to_string(), place(2));
  EXPECT_EQ(result.declared[1].seeds, 3U);
}

TEST_F(TrialTest, ALoopThatNeverWaitsIsStopped) {
  TrialSettings settings = file_with("test('it', function()\n  while true do end\nend)");
  settings.real_time_max = 200ms;
  const TrialResult result = Trial(settings).run();
  ASSERT_TRUE(result.failure);
  EXPECT_NE(result.failure->message.find("this test takes too much real time"), std::string::npos);
  ASSERT_FALSE(result.failure->places.empty());
  EXPECT_EQ(result.failure->places.front(), place(2));
}

TEST_F(TrialTest, SoIsOneInTheScriptUnderTest) {
  TrialSettings settings = file_with(R"LUA(test('it', function()
  local files = { ["main.lua"] = "listen(8000):serveHTTP(function() while true do pcall(function() while true do end end) end end)" }
  test.load("main.lua", { files = files }):request(8000)
end))LUA");
  settings.real_time_max = 200ms;
  const TrialResult result = Trial(settings).run();
  ASSERT_TRUE(result.failure);
  EXPECT_NE(result.failure->message.find("too much real time"), std::string::npos);
}

TEST_F(TrialTest, TheSameSeedIsTheSameRunAndAnotherOneIsNot) {
  const TrialSettings settings = file_with(R"LUA(
    beforeEach(function()
      local files = { ["main.lua"] = "listen(8000):demuxHTTP(pipeline():muxHTTP(pipeline():connect('10.0.0.1:80')))" }
      test.load("main.lua", { files = files }):upstream("10.0.0.1:80", "x")
    end)
    test.chaos { seeds = 2 }
    test("it", function() end))LUA");
  const auto run = [&](uint64_t seed) {
    TrialSettings seeded = settings;
    seeded.seed = seed;
    const TrialResult result = Trial(seeded).run();
    EXPECT_FALSE(result.failure) << result.failure->message;
    return std::tuple(result.counts.requests, result.counts.answered, result.counts.cut);
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST_F(TrialTest, TheTraceIsBoundedAndShowsTheEnd) {
  const TrialResult result = Trial(file_with(R"LUA(test('it', function()
    local files = { ["main.lua"] = "listen(8000):serveHTTP(Message 'x')" }
    local client = test.load("main.lua", { files = files }):connect(8000)
    for i = 1, 3000 do client:request("/" .. i) end
    error("over")
  end))LUA"))
                                 .run();
  ASSERT_TRUE(result.failure);
  ASSERT_EQ(result.trace.size(), limits::test_trace_lines_max + 1);
  EXPECT_NE(result.trace.front().find("events before that"), std::string::npos);
  const auto has = [&](const char* text) {
    return std::ranges::any_of(result.trace,
                               [&](const std::string& line) { return line.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(has("request GET /3000 "));
  EXPECT_TRUE(has("#3001 "));  // the session is the first
  EXPECT_FALSE(has("request GET /2900 "));
}

TEST_F(TrialTest, TheLogIsBounded) {
  const TrialResult result =
      Trial(file_with("test('it', function() for i = 1, 1000 do log.info(('x'):rep(1000)) end end)")).run();
  EXPECT_FALSE(result.failure);
  EXPECT_GE(result.log.size(), limits::test_log_bytes_max);
  EXPECT_LT(result.log.size(), limits::test_log_bytes_max + 2000);
}

TEST_F(TrialTest, MoreBytesThanATestHoldsAreAnError) {
  const TrialResult result = Trial(file_with(R"LUA(test('it', function()
    local files = { ["main.lua"] = "listen(8000, { bufferLimit = '1m' }):serveHTTP(function() local left = 70; return Message { body = function() left = left - 1; return left >= 0 and ('x'):rep(1048576) or nil end } end)" }
    local proxy = test.load("main.lua", { files = files })
    local res, err = proxy:request(8000)
    expect(res):isNil()
    expect(err.code):equals("response-too-large")
    local client = proxy:connect(8000)
    client:send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    local bytes, why = client:receive("never")
    expect(bytes):isNil()
    expect(why.code):equals("body-too-large")
  end))LUA"))
                                 .run();
  EXPECT_FALSE(result.failure) << result.failure->message;
}

}  // namespace
}  // namespace perilune::app
