#include <gtest/gtest.h>

#include "http/chunked_decoder.hpp"
#include "http/field_lines.hpp"
#include "http/grammar.hpp"
#include "http/head_scan.hpp"
#include "http/start_line.hpp"

// The pieces of the parser by themselves: each refuses what it must without help from the others or from
// llhttp.
namespace perilune::http {
namespace {

using Outcome = HeadScan::Outcome;

/// Scans to the end of what there is, past the first line.
Outcome scan(std::string_view text, const ScanLimits& limits = {100, 1000, 10}) {
  HeadScan scan;
  Outcome outcome = scan.advance(text, limits);
  if (outcome == Outcome::FirstLine) outcome = scan.advance(text, limits);
  return outcome;
}

TEST(HeadScan, Outcomes) {
  EXPECT_EQ(scan(""), Outcome::NeedMore);
  EXPECT_EQ(scan("a\r\nb\r\n"), Outcome::NeedMore);
  EXPECT_EQ(scan("a\r\nb\r\n\r\nrest"), Outcome::Complete);
  EXPECT_EQ(scan("\r\n"), Outcome::Complete);
  EXPECT_EQ(scan("a\n"), Outcome::BareLineFeed);
  EXPECT_EQ(scan("\n"), Outcome::BareLineFeed);
  EXPECT_EQ(scan("a\r\n\n"), Outcome::BareLineFeed);
  EXPECT_EQ(scan("a\r\nb\nc\r\n\r\n"), Outcome::BareLineFeed);
}

TEST(HeadScan, Limits) {
  EXPECT_EQ(scan("abc\r\n\r\n", {3, 100, 1}), Outcome::Complete);
  EXPECT_EQ(scan("abc\r\n\r\n", {2, 100, 1}), Outcome::FirstLineTooLong);
  EXPECT_EQ(scan("abc\r", {2, 100, 1}), Outcome::FirstLineTooLong);
  EXPECT_EQ(scan("abc\r\n\r\n", {9, 7, 1}), Outcome::Complete);
  EXPECT_EQ(scan("abc\r\n\r\n", {9, 6, 1}), Outcome::TooLarge);
  EXPECT_EQ(scan("abc\r\n\r", {9, 6, 1}), Outcome::TooLarge);
  EXPECT_EQ(scan("a\r\nb\r\n\r\n", {9, 100, 2}), Outcome::Complete);
  EXPECT_EQ(scan("a\r\nb\r\n", {9, 100, 1}), Outcome::TooManyLines);
}

TEST(HeadScan, SaysWhereThingsEnd) {
  HeadScan scan;
  ASSERT_EQ(scan.advance("ab\r\nc", {100, 100, 10}), Outcome::FirstLine);
  EXPECT_EQ(scan.first_line_size(), 2u);
  ASSERT_EQ(scan.advance("ab\r\nc", {100, 100, 10}), Outcome::NeedMore);
  ASSERT_EQ(scan.advance("ab\r\ncd\r\n\r\nmore", {100, 100, 10}), Outcome::Complete);
  EXPECT_EQ(scan.size(), 10u);
}

bool takes_field(std::string_view text) {
  message::Headers headers;
  return parse_field_lines(std::string(text) + "\r\n\r\n", Kind::Request, headers).has_value();
}

TEST(FieldLines, Refusals) {
  EXPECT_TRUE(takes_field("X: y"));
  EXPECT_TRUE(takes_field("X:"));
  for (const std::string_view text :
       {"X", ":y", "X : y", " X: y", "\tX: y", "X: a\rb", "X: a\rbY: c", "X: a\r", "X\r: a", "X: \x7f",
        "X: \x01", "X(: y", "X: y\r\n z", "X: y\r\n", "\r\nX: y"})
    EXPECT_FALSE(takes_field(text)) << text;
  EXPECT_FALSE(takes_field(std::string_view("X: \0", 4)));
}

TEST(StartLines, Refusals) {
  EXPECT_TRUE(parse_request_line("GET / HTTP/1.1"));
  for (const std::string_view text :
       {"", " ", "GET", "GET ", "GET /", "GET / ", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ",
        "GET / HTTP/1.1\r", "GET / HTTP/1", "GET / HTTP/11"})
    EXPECT_EQ(parse_request_line(text).error().code, ErrorCode::BadRequest) << text;
  EXPECT_EQ(parse_request_line("GET / HTTP/3.0").error().code, ErrorCode::UnsupportedVersion);
  EXPECT_TRUE(parse_status_line("HTTP/1.1 200"));
  for (const std::string_view text :
       {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 2", "HTTP/1.1 20", "HTTP/1.1 099", "HTTP/1.1 600",
        "HTTP/1.1 200OK", "HTTP/1.1 200 \r", "HTTP/1.3 200 OK"})
    EXPECT_EQ(parse_status_line(text).error().code, ErrorCode::BadResponse) << text;
}

TEST(Grammar, Hosts) {
  for (const std::string_view text :
       {"a", "a.b:80", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:1", "a:", "a:0", "a:65535", "_x"})
    EXPECT_TRUE(is_valid_host(text)) << text;
  for (const std::string_view text :
       {"",     ":",   ":80", "a:b", "a:65536", "a:-1", "a b",    "a@b",       "a/b",          "a?b",  "a#b",
        "a\\b", "a,b", "[",   "[]",  "[::1",    "::1",  "[::1]x", "[1.2.3.4]", "[::1%25eth0]", "a%41", "a\t"})
    EXPECT_FALSE(is_valid_host(text)) << text;
}

TEST(Grammar, Paths) {
  for (const std::string_view text : {"/", "/a?b", "*", "//", "/%00"})
    EXPECT_TRUE(is_valid_path(text)) << text;
  for (const std::string_view text : {"", "a", "/a b", "/a\r\nX: y", "/#", "/\x80", "**"})
    EXPECT_FALSE(is_valid_path(text)) << text;
}

TEST(ChunkedDecoder, TakesTheLargestSizeAndNoLarger) {
  ChunkedDecoder decoder;
  const auto step = decoder.advance("ffffffffffffffff;x\r\nd", 100);
  EXPECT_EQ(step.outcome, ChunkedDecoder::Outcome::Data);
  EXPECT_EQ(step.consumed, 20u);
  EXPECT_EQ(decoder.data_left(), UINT64_MAX);
  ChunkedDecoder another;
  EXPECT_EQ(another.advance("1ffffffffffffffff\r\n", 100).outcome, ChunkedDecoder::Outcome::Malformed);
}

}  // namespace
}  // namespace perilune::http
