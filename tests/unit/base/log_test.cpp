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

TEST(Log, ARoomIsAFolderOfTheEngine) {
  EXPECT_EQ(room_names[room_of("/src/engine/perilune/engine/upstream/cluster.cpp")], "upstream");
  EXPECT_EQ(room_names[room_of("../../engine/base/log.cpp")], "base");
  EXPECT_EQ(room_of("tests/unit/base/log_test.cpp"), app_room);
  EXPECT_EQ(room_of("engine/cellar/x.cpp"), app_room);
}

TEST(Log, EachRoomHasALevelOfItsOwn) {
  const Room upstream = room_of("engine/upstream/x");
  EXPECT_EQ(set_levels(" warn, upstream=debug ,net=off"), "");
  EXPECT_EQ(level(upstream), Level::Debug);
  EXPECT_EQ(level(room_of("engine/net/x")), Level::Off);
  EXPECT_EQ(level(app_room), Level::Warn);
  std::vector<std::string> lines;
  capture([&lines](std::string_view line) { lines.emplace_back(line); });
  debug("said", "engine/upstream/x.cpp");
  info("of the app");
  error("of net", "engine/net/x.cpp");
  capture(nullptr);
  EXPECT_EQ(lines, (std::vector<std::string>{"debug said"}));
  // Rooms that are not named are as at the start, whatever they were before.
  EXPECT_EQ(set_levels("upstream=error"), "");
  EXPECT_EQ(level(app_room), Level::Info);
  EXPECT_EQ(level(upstream), Level::Error);
  for (const char* wrong : {"", "loud", "info,", "info,warn", "attic=info", "net", "net=", "=info"}) {
    EXPECT_NE(set_levels(wrong), "") << wrong;
    EXPECT_EQ(level(upstream), Level::Error) << wrong;
  }
  set_level(Level::Info);
}

TEST(Log, AsJson) {
  std::vector<std::string> lines;
  capture([&lines](std::string_view line) { lines.emplace_back(line); });
  set_format(Format::Json);
  const std::array fields{Field{"path", "/\"a\"\n"}, Field{"latin", "\xe4"}};
  write(Level::Warn, "say \"x\"", fields);
  write_lines(Level::Error, "boom\n\tat a.lua:1", "engine/script/x.cpp");
  write(Level::Info, std::string(limits::log_record_bytes_max * 2, '"'));
  write(Level::Info, std::string(limits::log_record_bytes_max * 2, '\1'));
  set_format(Format::Text);
  capture(nullptr);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(
      lines[0],
      R"("level":"warn","room":"app","message":"say \"x\"","fields":{"path":"/\"a\"\n","latin":"\u00e4"}})");
  EXPECT_EQ(lines[1], R"("level":"error","room":"script","message":"boom\n\u0009at a.lua:1"})");
  for (size_t i : {2, 3}) {
    EXPECT_LE(lines[i].size(), limits::log_record_bytes_max - 40);
    EXPECT_TRUE(lines[i].ends_with("\",\"cut\":true}")) << lines[i];
  }
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

TEST(Log, AJsonRecordSaysHowManyWereDropped) {
  PipedStderr piped;
  set_format(Format::Json);
  info("fills the pipe");
  for (int i = 0; i < 3; ++i) info("lost");
  piped.read();
  info("after");
  set_format(Format::Text);
  const std::string line = piped.read();
  EXPECT_TRUE(line.starts_with("{\"time\":\"2")) << line;
  EXPECT_TRUE(
      line.ends_with("Z\",\"level\":\"info\",\"room\":\"app\",\"message\":\"after\",\"dropped\":3}\n"))
      << line;
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
