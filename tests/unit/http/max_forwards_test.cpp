#include "http/max_forwards.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace perilune::http {
namespace {

struct HopCase {
  const char* method;
  std::vector<const char*> fields;
  Hop hop;
  std::vector<std::string_view> sent;
};

TEST(MaxForwards, EndsOrCounts) {
  const HopCase cases[] = {
      {"TRACE", {"0"}, Hop::Last, {"0"}},
      {"OPTIONS", {"0"}, Hop::Last, {"0"}},
      {"OPTIONS", {"000"}, Hop::Last, {"000"}},
      {"OPTIONS", {"1"}, Hop::Next, {"0"}},
      {"TRACE", {"10"}, Hop::Next, {"9"}},
      {"OPTIONS", {"300"}, Hop::Next, {"254"}},
      {"OPTIONS", {"99999999999999999999999"}, Hop::Next, {"254"}},
      {"OPTIONS", {"5", "3"}, Hop::Next, {"2"}},
      {"OPTIONS", {"5", "0"}, Hop::Last, {"5", "0"}},
      {"OPTIONS", {}, Hop::Next, {}},
      {"OPTIONS", {"-1"}, Hop::Next, {"-1"}},
      {"OPTIONS", {""}, Hop::Next, {""}},
      {"OPTIONS", {"0x0"}, Hop::Next, {"0x0"}},
      {"GET", {"0"}, Hop::Next, {"0"}},
      {"trace", {"0"}, Hop::Next, {"0"}},
  };
  for (const HopCase& test : cases) {
    const auto head = message::RequestHead::make();
    head->method = test.method;
    for (const char* value : test.fields) head->headers.add("max-forwards", value);
    EXPECT_EQ(count_hop(*head), test.hop) << test.method;
    EXPECT_EQ(head->headers.all("Max-Forwards"), test.sent) << test.method;
  }
}

TEST(MaxForwards, TheLastHopAnswersAndShowsNothing) {
  const auto head = message::RequestHead::make();
  head->method = "TRACE";
  head->headers.add("Cookie", "secret");
  EXPECT_EQ(answer_at_last_hop(*head)->status, 405);
  EXPECT_EQ(answer_at_last_hop(*head)->headers.size(), 1u);
  head->method = "OPTIONS";
  EXPECT_EQ(answer_at_last_hop(*head)->status, 204);
  EXPECT_TRUE(answer_at_last_hop(*head)->headers.has("allow"));
}

}  // namespace
}  // namespace perilune::http
