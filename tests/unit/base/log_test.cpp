#include "base/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "base/limits.hpp"

namespace perilune::log {
namespace {

TEST(Log, FormatsFields) {
  const std::array fields{Field{"plain", "a/b:1"},
                          Field{"space", "a b"},
                          Field{"quote", "say \"x\"\\"},
                          Field{"empty", ""},
                          Field{"forged", "x\n2026 error y"},
                          Field{"pair", "a=b"}};
  EXPECT_EQ(format("text\r\nmore\ttab", fields),
            "text\\x0d\\nmore tab plain=a/b:1 space=\"a b\" quote=\"say \\\"x\\\"\\\\\" empty=\"\" "
            "forged=\"x\\n2026 error y\" pair=\"a=b\"");
}

TEST(Log, EscapesWhatATerminalObeys) {
  const std::array fields{Field{"csi",
                                "\x9b"
                                "31m"},
                          Field{"c1",
                                "\xc2\x9b"
                                "31m"},
                          Field{"shown", "\xc2\xa0\xc3\xa4\xe2\x82\xac"}, Field{"latin", "\xe4"},
                          Field{"cut", "\xe2\x82"}};
  EXPECT_EQ(format("a\x85"
                   "b \xc3\xa4 \xed\xa0\x80",
                   fields),
            "a\\x85b \xc3\xa4 \\xed\\xa0\\x80 csi=\"\\x9b31m\" c1=\"\\xc2\\x9b31m\" "
            "shown=\xc2\xa0\xc3\xa4\xe2\x82\xac "
            "latin=\"\\xe4\" cut=\"\\xe2\\x82\"");
}

TEST(Log, LevelsByName) {
  EXPECT_EQ(level_from_name("warn"), Level::Warn);
  EXPECT_EQ(level_from_name("off"), Level::Off);
  EXPECT_EQ(level_from_name("warning"), std::nullopt);
  EXPECT_EQ(level_name(Level::Debug), "debug");
}

TEST(Log, FurtherLinesAreIndented) {
  std::vector<std::string> lines;
  capture([&lines](std::string_view line) { lines.emplace_back(line); });
  write_lines(Level::Error, "boom\nat a.lua:1\n\tb.lua:2");
  write_lines(Level::Error, "one line");
  write_lines(Level::Debug, "too low");
  set_level(Level::Off);
  write(Level::Error, "off");
  set_level(Level::Info);
  capture(nullptr);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "error boom\n    at a.lua:1\n     b.lua:2");
  EXPECT_EQ(lines[1], "error one line");
}

/// stderr as a pipe that the test reads, or does not.
class PipedStderr {
 public:
  PipedStderr() {
    EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
    ::dup2(ends_[1], STDERR_FILENO);
    ::close(ends_[1]);
  }
  ~PipedStderr() {
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
    ::close(ends_[0]);
  }
  std::string read() {
    std::string text(65536, '\0');
    const ssize_t count = ::read(ends_[0], text.data(), text.size());
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return text;
  }

 private:
  const int kept_ = ::dup(STDERR_FILENO);
  std::array<int, 2> ends_{};
};

TEST(Log, AFullPipeDropsRecordsAndCountsThem) {
  PipedStderr piped;
  info("first");
  const std::string first = piped.read();
  EXPECT_EQ(first.substr(24), " info  first\n");
  EXPECT_EQ(first[10], 'T');
  EXPECT_EQ(first[23], 'Z');

  info("fills the pipe");
  for (int i = 0; i < 3; ++i) info("lost");  // would wait for ever if it waited
  const std::string second = piped.read();
  EXPECT_EQ(second.find("lost"), std::string::npos);
  info("after");
  EXPECT_TRUE(piped.read().ends_with(" info  after dropped=3\n"));
  info("later");
  EXPECT_TRUE(piped.read().ends_with(" info  later\n"));
}

TEST(Log, ALongRecordIsCut) {
  PipedStderr piped;
  info(std::string(limits::log_record_bytes_max * 2, 'x'));
  const std::string line = piped.read();
  EXPECT_EQ(line.size(), limits::log_record_bytes_max);
  EXPECT_TRUE(line.ends_with("x\n"));
}

TEST(RateLimit, HoldsWhatRepeatsAndCountsIt) {
  RateLimit limit(10s, 2);
  const Instant start(1h);
  EXPECT_TRUE(limit.ask("a", start).may_write);
  EXPECT_TRUE(limit.ask("a", start + 1s).may_write);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limit.ask("a", start + 2s).may_write);
  EXPECT_TRUE(limit.ask("b", start + 2s).may_write);
  const auto next = limit.ask("a", start + 10s);
  EXPECT_TRUE(next.may_write);
  EXPECT_EQ(next.held, 5u);
  EXPECT_EQ(limit.ask("a", start + 10s).held, 0u);
}

TEST(RateLimit, PlacesBeyondTheBoundShareOneCount) {
  RateLimit limit(10s, 1);
  const Instant now(1h);
  for (size_t i = 0; i < limits::log_places_max; ++i) limit.ask("place " + std::to_string(i), now);
  EXPECT_TRUE(limit.ask("one more", now).may_write);
  EXPECT_FALSE(limit.ask("another", now).may_write);
  EXPECT_FALSE(limit.ask("place 7", now).may_write);
}

}  // namespace
}  // namespace perilune::log
