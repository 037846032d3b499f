#include "message/headers.hpp"

#include <gtest/gtest.h>

namespace perilune::message {
namespace {

std::string text_of(const Headers& headers) {
  std::string text;
  headers.each([&](std::string_view name, std::string_view value, Name) {
    text.append(name).append("=").append(value).append(";");
  });
  return text;
}

TEST(Names, AreRecognisedInAnyCase) {
  for (int i = 1; i <= static_cast<int>(Name::Http2Settings); ++i) {
    const auto name = static_cast<Name>(i);
    std::string text(message::text_of(name));
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(name_of(text), name) << text;
    for (char& c : text)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    EXPECT_EQ(name_of(text), name) << text;
    text.back() = '_';
    EXPECT_EQ(name_of(text), Name::Other) << text;
  }
  EXPECT_EQ(name_of(""), Name::Other);
  EXPECT_EQ(name_of("x-forwarded-for"), Name::Other);
}

TEST(Headers, KeepOrderCaseAndRepetitions) {
  Headers headers;
  headers.add("B", "1");
  headers.add("Set-Cookie", "a");
  headers.add("b", "2");
  headers.add("set-cookie", "b");
  EXPECT_EQ(text_of(headers), "B=1;Set-Cookie=a;b=2;set-cookie=b;");
  EXPECT_EQ(headers.size(), 4u);
  EXPECT_EQ(headers.find("b"), "1");
  EXPECT_EQ(headers.find("SET-COOKIE"), "a");
  EXPECT_EQ(headers.find("c"), std::nullopt);
  EXPECT_EQ(headers.all("B"), (std::vector<std::string_view>{"1", "2"}));
  EXPECT_EQ(headers.all("set-cookie"), (std::vector<std::string_view>{"a", "b"}));
}

TEST(Headers, SetReplacesTheFirstAndRemovesTheRest) {
  Headers headers;
  for (const char* name : {"A", "X", "B", "x", "Host", "host"}) headers.add(name, "1");
  headers.set("x", "2");
  headers.set("HOST", "3");
  headers.set("new", "4");
  EXPECT_EQ(text_of(headers), "A=1;X=2;B=1;Host=3;new=4;");
  EXPECT_EQ(headers.size(), 5u);
}

TEST(Headers, Remove) {
  Headers headers;
  for (const char* name : {"A", "X", "Cookie", "x", "cookie"}) headers.add(name, "1");
  EXPECT_EQ(headers.remove("x"), 2u);
  EXPECT_EQ(headers.remove("x"), 0u);
  EXPECT_TRUE(headers.has(Name::Cookie));
  EXPECT_EQ(headers.remove("COOKIE"), 2u);
  EXPECT_FALSE(headers.has(Name::Cookie));
  EXPECT_EQ(text_of(headers), "A=1;");
  headers.add("cookie", "2");
  EXPECT_EQ(headers.find(Name::Cookie), "2");
  headers.clear();
  EXPECT_TRUE(headers.empty());
  EXPECT_FALSE(headers.has(Name::Cookie));
}

TEST(Headers, ByPosition) {
  Headers headers;
  for (const char* name : {"a", "b", "c"}) headers.add(name, "1");
  headers.remove("a");
  EXPECT_EQ(headers.at(0)->name, "b");
  EXPECT_EQ(headers.at(1)->name, "c");
  EXPECT_EQ(headers.at(2), std::nullopt);
}

TEST(Headers, Tokens) {
  Headers headers;
  headers.add("Connection", "a, ,B ,");
  headers.add("connection", "close");
  EXPECT_TRUE(headers.has_token(Name::Connection, "A"));
  EXPECT_TRUE(headers.has_token(Name::Connection, "b"));
  EXPECT_TRUE(headers.has_token(Name::Connection, "Close"));
  EXPECT_FALSE(headers.has_token(Name::Connection, "clos"));
  EXPECT_FALSE(headers.has_token(Name::Te, "a"));
}

TEST(Headers, TakeTextOfTheirOwn) {
  // Many times, so that the block grows and moves under the views.
  Headers headers;
  headers.add("name", "a value of some length");
  for (int i = 0; i < 50; ++i) {
    headers.add("copy", *headers.find("name"));
    headers.set("set", *headers.find("copy"));
    headers.add(headers.at(0)->name, headers.at(0)->value);
  }
  headers.each([](std::string_view name, std::string_view value, Name) {
    EXPECT_TRUE(name == "name" || name == "copy" || name == "set") << name;
    EXPECT_EQ(value, "a value of some length");
  });
}

TEST(Headers, StoredAtOnce) {
  Headers headers;
  headers.add("before", "1");
  const uint32_t begin = headers.store("Host: a\r\nX: yz\r\n");
  headers.add_stored(Name::Host, begin, begin + 4, begin + 6, begin + 7);
  headers.add_stored(Name::Other, begin + 9, begin + 10, begin + 12, begin + 14);
  EXPECT_EQ(text_of(headers), "before=1;Host=a;X=yz;");
  EXPECT_EQ(headers.find(Name::Host), "a");
}

TEST(Validity, OfNamesAndValues) {
  EXPECT_TRUE(is_valid_name("X-y_1~"));
  for (const std::string_view name : {"", "a b", "a:", "a\r", "a\n", "\xe4", "a(b"})
    EXPECT_FALSE(is_valid_name(name)) << name;
  for (const std::string_view value : {"", "a b\tc", "\x80\xff"}) EXPECT_TRUE(is_valid_value(value)) << value;
  for (const std::string_view value : {"a\r\nX: y", "\n", "\r", "\x7f", "\x01"})
    EXPECT_FALSE(is_valid_value(value)) << value;
  EXPECT_FALSE(is_valid_value(std::string_view("\0", 1)));
}

}  // namespace
}  // namespace perilune::message
