#include "base/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace perilune {
namespace {

TEST(Text, ComparesWithoutCase) {
  struct Case {
    std::string_view a, b;
    bool equal;
  };
  for (const auto& c :
       std::vector<Case>{{"", "", true},
                         {"", "a", false},
                         {"a", "A", true},
                         {"abc", "aBC", true},
                         {"abc", "abd", false},
                         {"host", "HoSt", true},
                         {"hosT", "hosu", false},
                         {"content", "CONTENT", true},
                         {"connects", "CONNECTS", true},
                         {"content-length", "Content-Length", true},
                         {"content-length", "Content-LengtH", true},
                         {"content-length", "content-lengtg", false},
                         {"content-length", "content-lengti", false},
                         {"transfer-encoding", "TRANSFER-ENCODING", true},
                         {"transfer-encoding", "TRANSFER-ENCODINF", false},
                         // bytes that differ from letters, or from each other, by the bit of case only
                         {"aaaa@", "aaaa`", false},
                         {"aaaa[", "aaaa{", false},
                         {"aaaaaaaa\r", "aaaaaaaa-", false},
                         {"1234567\r", "1234567-", false},
                         {"\xc4\xc4\xc4\xc4", "\xe4\xe4\xe4\xe4", false},
                         {"12345678\xc4", "12345678\xe4", false}}) {
    EXPECT_EQ(equal_ignoring_case(c.a, c.b), c.equal) << c.a << " " << c.b;
    EXPECT_EQ(equal_ignoring_case(c.b, c.a), c.equal) << c.b << " " << c.a;
  }
}

TEST(Text, EachByteComparesAsToLowerHasIt) {
  for (int x = 0; x < 256; ++x)
    for (int y = 0; y < 256; ++y) {
      const bool expected = to_lower(static_cast<char>(x)) == to_lower(static_cast<char>(y));
      for (const size_t before : {0u, 3u, 6u, 9u}) {
        std::string a(before, 'q'), b(before, 'Q');
        a += static_cast<char>(x);
        b += static_cast<char>(y);
        ASSERT_EQ(equal_ignoring_case(a, b), expected) << x << " " << y << " behind " << before;
      }
    }
}

TEST(Text, Trims) {
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim(" \t"), "");
  EXPECT_EQ(trim("\ra\n"), "\ra\n");
}

TEST(Text, Decimals) {
  EXPECT_EQ(parse_decimal("0"), 0u);
  EXPECT_EQ(parse_decimal("007"), 7u);
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  for (const std::string_view text : {"", "-1", "+1", " 1", "1 ", "1x", "0x1", "18446744073709551616", "1.0"})
    EXPECT_EQ(parse_decimal(text), std::nullopt) << text;
}

TEST(Text, Durations) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("5s"), 5s);
  EXPECT_EQ(parse_duration("1m"), 60s);
  EXPECT_EQ(parse_duration("1h"), 3600s);
  EXPECT_EQ(parse_duration("0.5"), 500ms);
  for (const std::string_view text : {"", "s", "-1s", "1 s", "1d", "nan", "inf", "1e3"})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

TEST(Text, Sizes) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("16k"), 16384u);
  EXPECT_EQ(parse_size("1.5m"), 1572864u);
  EXPECT_EQ(parse_size("2G"), 2147483648u);
  for (const std::string_view text : {"", "k", "-1k", "1kb", "1t", "99999999999g"})
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
}

TEST(Text, Utf8) {
  for (const auto& [text, size] : {std::pair<std::string_view, size_t>{"", 0},
                                   {"a", 1},
                                   {"\xc3\xa4x", 2},
                                   {"\xe2\x82\xac", 3},
                                   {"\xf0\x9f\x98\x80", 4},
                                   {"\xf4\x8f\xbf\xbf", 4},
                                   {"\x80", 0},
                                   {"\xc3", 0},
                                   {"\xc3(", 0},
                                   {"\xc0\xaf", 0},
                                   {"\xc1\xbf", 0},
                                   {"\xe0\x9f\xbf", 0},
                                   {"\xed\xa0\x80", 0},
                                   {"\xf0\x8f\xbf\xbf", 0},
                                   {"\xf4\x90\x80\x80", 0},
                                   {"\xf5\x80\x80\x80", 0},
                                   {"\xff", 0}})
    EXPECT_EQ(utf8_size(text), size) << text;
}

TEST(Text, InQuotesOnOneLine) {
  EXPECT_EQ(in_quotes("a b"), "\"a b\"");
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes(std::string_view("\0\r\n\x1b\x7f\xc3\xa4", 7)),
            "\"\\x00\\x0d\\x0a\\x1b\\x7f\xc3\xa4\"");
  EXPECT_EQ(in_quotes("\xc3(\xc2\x85\xff"), "\"\\xc3(\\xc2\\x85\\xff\"")
      << "not UTF-8, and a control character";
  EXPECT_EQ(in_quotes("1234\xc3\xa4", 5), "\"1234…\"") << "no character is cut";
  EXPECT_EQ(in_quotes("12345", 5), "\"12345\"");
  EXPECT_EQ(in_quotes("123456", 5), "\"12345…\"");
}

TEST(Text, NearestWord) {
  constexpr std::array<std::string_view, 3> words{"timeout", "connect", "route"};
  EXPECT_EQ(nearest("timout", words), "timeout");
  EXPECT_EQ(nearest("Conect", words), "connect");
  EXPECT_EQ(nearest("zzzzzzz", words), "");
  constexpr std::array<std::string_view, 3> methods{"set", "get", "has"};
  EXPECT_EQ(nearest("gte", methods), "get") << "neighbours changed places";
  EXPECT_EQ(nearest("sah", methods), "");
  constexpr std::array<std::string_view, 3> long_names{"HashingLoadBalancer", "URLRouter",
                                                       "RoundRobinLoadBalancer"};
  EXPECT_EQ(nearest("RoundRobin", long_names), "RoundRobinLoadBalancer") << "the begin of a name";
  EXPECT_EQ(nearest("round", long_names), "RoundRobinLoadBalancer");
  EXPECT_EQ(nearest("Rou", long_names), "");
  EXPECT_EQ(nearest("URLRoute", long_names), "URLRouter");
}

TEST(Time, SecondsAreBounded) {
  EXPECT_EQ(from_seconds(0.25), 250ms);
  EXPECT_EQ(from_seconds(-1), 0s);
  EXPECT_EQ(from_seconds(std::numeric_limits<double>::quiet_NaN()), 0s);
  EXPECT_EQ(from_seconds(1e300), from_seconds(100.0 * 365 * 86400));
}

}  // namespace
}  // namespace perilune
