#include "flow/access_log.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"

namespace perilune::flow {
namespace {

class StoppedDriver final : public loop::Driver {
 public:
  void wait(Instant) override {}
  void dispatch() override {}
  void wake() override {}
  Instant now() override { return now_; }
  double wall_seconds() override { return 1795250977.125 + to_seconds(now_.time_since_epoch()); }
  uint64_t random() override { return 4; }
  void advance(Duration span) { now_ += span; }

 private:
  Instant now_{};
};

class Lines final : public LineSink {
 public:
  void write(std::string_view lines) override {
    text += lines;
    ++writes;
  }
  std::string text;
  int writes = 0;
};

class AccessLogTest : public testing::Test {
 protected:
  /// The line of one exchange that takes 1.5 ms.
  std::string line(AccessFormat format, int status = 200, uint64_t bytes = 128, std::string_view failure = {},
                   std::string_view upstream = {}) {
    lines.text.clear();
    AccessLog log(format, loop, lines);
    AccessLog::Record* record = log.begin(ip, request.get());
    driver.advance(1500us);
    loop.run_turn(driver.now());
    record->status = status;
    record->body_bytes = bytes;
    record->failure = failure;
    log.end(record, upstream);
    log.flush();
    return lines.text;
  }
  static Ref<message::RequestHead> make_request() {
    auto head = message::RequestHead::make();
    head->method = "GET";
    head->path = "/a?b";
    return head;
  }

  StoppedDriver driver;
  loop::Loop loop{driver};
  Lines lines;
  std::string ip = "203.0.113.7";
  Ref<message::RequestHead> request = make_request();
};

TEST_F(AccessLogTest, Common) {
  EXPECT_EQ(line(AccessFormat::Common),
            "203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 128\n");
  request->version = message::Version::Http10;
  EXPECT_EQ(line(AccessFormat::Common, 304, 0),
            "203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] \"GET /a?b HTTP/1.0\" 304 -\n");
}

TEST_F(AccessLogTest, Combined) {
  EXPECT_EQ(line(AccessFormat::Combined),
            "203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 128 \"-\" \"-\"\n");
  request->headers.add("Referer", "http://x/");
  request->headers.add("User-Agent", "curl/8");
  EXPECT_EQ(line(AccessFormat::Combined),
            "203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 128 \"http://x/\" "
            "\"curl/8\"\n");
}

TEST_F(AccessLogTest, Json) {
  request->headers.add("Host", "example.org");
  request->headers.add("User-Agent", "curl/8");
  EXPECT_EQ(
      line(AccessFormat::Json, 502, 5, "connect-failure", "127.0.0.1:9"),
      "{\"time\":\"2026-11-21T08:49:37.125Z\",\"client\":\"203.0.113.7\",\"host\":\"example.org\","
      "\"method\":\"GET\",\"path\":\"/a?b\",\"protocol\":\"HTTP/1.1\",\"agent\":\"curl/8\",\"status\":502,"
      "\"bytes\":5,\"seconds\":0.001500,\"upstream\":\"127.0.0.1:9\",\"error\":\"connect-failure\"}\n");
}

TEST_F(AccessLogTest, WhatCouldNotBeReadAndWhatWasNotAnswered) {
  request.reset();
  EXPECT_EQ(line(AccessFormat::Combined, 400, 11),
            "203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] \"-\" 400 11 \"-\" \"-\"\n");
  EXPECT_EQ(
      line(AccessFormat::Json, 0, 0, "client-gone"),
      "{\"time\":\"2026-11-21T08:49:37.126Z\",\"client\":\"203.0.113.7\",\"bytes\":0,\"seconds\":0.001500,"
      "\"error\":\"client-gone\"}\n");
  ip.clear();
  EXPECT_EQ(line(AccessFormat::Common, 0, 0), "unix: - - [21/Nov/2026:08:49:37 +0000] \"-\" - -\n");
}

TEST_F(AccessLogTest, NothingFromOutsideEndsALineOrAText) {
  request->path = "/\"x\\\r\n\x01\x7f\xc3\xa4\xff\xc2\x9b";
  request->headers.add("User-Agent", "a\" 200 \n");
  EXPECT_EQ(line(AccessFormat::Combined),
            "203.0.113.7 - - [21/Nov/2026:08:49:37 +0000] \"GET "
            "/\\\"x\\\\\\x0d\\x0a\\x01\\x7f\\xc3\\xa4\\xff\\xc2\\x9b HTTP/1.1\" 200 128 \"-\" \"a\\\" 200 "
            "\\x0a\"\n");
  const std::string json = line(AccessFormat::Json);
  EXPECT_NE(json.find("\"path\":\"/\\\"x\\\\\\u000d\\n\\u0001\\u007f\xc3\xa4\\u00ff\\u00c2\\u009b\""),
            std::string::npos)
      << json;
  EXPECT_NE(json.find("\"agent\":\"a\\\" 200 \\n\""), std::string::npos) << json;
}

TEST_F(AccessLogTest, LongTextsAreCut) {
  request->path.assign(limits::access_field_bytes_max + 1, 'p');
  const std::string text = line(AccessFormat::Common);
  EXPECT_NE(text.find(" " + std::string(limits::access_field_bytes_max, 'p') + " HTTP"), std::string::npos);
}

TEST_F(AccessLogTest, WhatAScriptChangesLaterIsNotInIt) {
  AccessLog log(AccessFormat::Common, loop, lines);
  AccessLog::Record* record = log.begin(ip, request.get());
  request->path = "/other";
  request->method = "POST";
  log.end(record, {});
  log.flush();
  EXPECT_NE(lines.text.find("\"GET /a?b HTTP/1.1\""), std::string::npos) << lines.text;
}

TEST_F(AccessLogTest, LinesComeTogetherByTimeOrByBytes) {
  AccessLog log(AccessFormat::Common, loop, lines);
  log.end(log.begin(ip, request.get()), {});
  log.end(log.begin(ip, request.get()), {});
  EXPECT_EQ(lines.writes, 0);
  driver.advance(100ms);
  loop.run_turn(driver.now());
  EXPECT_EQ(lines.writes, 1);
  request->path.assign(4000, 'p');
  for (int i = 0; i < 4; ++i) log.end(log.begin(ip, request.get()), {});
  EXPECT_EQ(lines.writes, 1);
  log.end(log.begin(ip, request.get()), {});
  EXPECT_EQ(lines.writes, 2);
  driver.advance(1s);
  loop.run_turn(driver.now());
  EXPECT_EQ(lines.writes, 2) << "nothing is there to be written";
}

TEST_F(AccessLogTest, TheLastLinesAreWrittenAtTheEnd) {
  {
    AccessLog log(AccessFormat::Common, loop, lines);
    log.end(log.begin(ip, request.get()), {});
  }
  EXPECT_EQ(lines.writes, 1);
}

}  // namespace
}  // namespace perilune::flow
