#include "base/error.hpp"

#include <gtest/gtest.h>

#include <set>

namespace perilune {
namespace {

TEST(Errors, NamesAreDistinctAndLeadBack) {
  std::set<std::string_view> names;
  for (int i = 0; i < error_code_count; ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_TRUE(names.insert(code_name(code)).second) << code_name(code);
    EXPECT_EQ(code_from_name(code_name(code)), code);
    EXPECT_GE(http_status(code), 400);
    EXPECT_LE(http_status(code), 599);
    EXPECT_FALSE(code_sentence(code).empty());
  }
  EXPECT_EQ(code_from_name("no-such-code"), std::nullopt);
}

TEST(Errors, StatusesThatClientsRelyOn) {
  EXPECT_EQ(http_status(ErrorCode::BadRequest), 400);
  EXPECT_EQ(http_status(ErrorCode::UriTooLong), 414);
  EXPECT_EQ(http_status(ErrorCode::HeadTooLarge), 431);
  EXPECT_EQ(http_status(ErrorCode::BodyTooLarge), 413);
  EXPECT_EQ(http_status(ErrorCode::UnsupportedTransferCoding), 501);
  EXPECT_EQ(http_status(ErrorCode::UnsupportedVersion), 505);
  EXPECT_EQ(http_status(ErrorCode::ConnectFailure), 502);
  EXPECT_EQ(http_status(ErrorCode::ResolveFailure), 502);
  EXPECT_EQ(http_status(ErrorCode::ReadTimeout), 504);
  EXPECT_EQ(http_status(ErrorCode::QueueFull), 503);
  EXPECT_EQ(http_status(ErrorCode::ScriptError), 500);
}

TEST(Errors, SayWhoAndWhat) {
  EXPECT_EQ((Error{ErrorCode::ConnectFailure, Side::Upstream, "127.0.0.1:1: refused"}.to_string()),
            "upstream connect-failure: 127.0.0.1:1: refused");
  EXPECT_EQ((Error{ErrorCode::NoRoute, Side::Script}.to_string()), "script no-route: No route leads there");
}

TEST(Errors, ValueOfAFailureThrows) {
  const Result<int> result = Error{ErrorCode::BadLength, Side::Client, "x"};
  EXPECT_THROW(static_cast<void>(result.value()), std::runtime_error);
}

}  // namespace
}  // namespace perilune
