#include "message/head.hpp"

#include <gtest/gtest.h>

namespace perilune::message {
namespace {

TEST(RequestHeads, ComeCleanFromThePool) {
  RequestHead* place = nullptr;
  {
    auto head = RequestHead::make();
    place = head.get();
    head->method = "POST";
    head->path = "/x";
    head->scheme = "https";
    head->version = Version::Http10;
    head->body = {BodyKind::Length, 5};
    head->keep_alive = false;
    head->upgrade = "websocket";
    head->expects_continue = head->accepts_trailers = true;
    head->headers.add("Host", "a");
  }
  auto head = RequestHead::make();
  EXPECT_EQ(head.get(), place);
  EXPECT_EQ(head->method, "");
  EXPECT_EQ(head->path, "");
  EXPECT_EQ(head->scheme, "http");
  EXPECT_EQ(head->version, Version::Http11);
  EXPECT_EQ(head->body.kind, BodyKind::None);
  EXPECT_TRUE(head->keep_alive);
  EXPECT_EQ(head->upgrade, "");
  EXPECT_FALSE(head->expects_continue);
  EXPECT_FALSE(head->accepts_trailers);
  EXPECT_TRUE(head->headers.empty());
}

TEST(ResponseHeads, ComeCleanFromThePool) {
  ResponseHead* place = nullptr;
  {
    auto head = ResponseHead::of_error({ErrorCode::QueueFull, Side::Upstream, "x"});
    place = head.get();
    EXPECT_EQ(head->status, 503);
    ASSERT_TRUE(head->error);
    EXPECT_EQ(head->error->code, ErrorCode::QueueFull);
    head->reason = "Busy";
  }
  auto head = ResponseHead::make();
  EXPECT_EQ(head.get(), place);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->reason, "");
  EXPECT_FALSE(head->error);
}

TEST(RequestHeads, LargeOnesAreNotKept) {
  auto small = RequestHead::make();
  auto large = RequestHead::make();
  large->headers.add("X", std::string(10000, 'x'));
  const RequestHead* const small_place = small.get();
  const RequestHead* const large_place = large.get();
  large.reset();
  // So that no new head can come to lie there.
  const auto blocker = std::make_unique<std::byte[]>(sizeof(RequestHead));
  small.reset();
  const auto first = RequestHead::make();
  const auto second = RequestHead::make();
  EXPECT_EQ(first.get(), small_place);
  EXPECT_NE(second.get(), large_place);
}

TEST(Heads, CopiesSayTheSame) {
  auto request = RequestHead::make();
  request->method = "PUT";
  request->path = "/p";
  request->scheme = "https";
  request->version = Version::Http10;
  request->body = {BodyKind::Chunked, 0};
  request->keep_alive = false;
  request->upgrade = "websocket";
  request->expects_continue = request->accepts_trailers = true;
  request->headers.add("A", "b");
  const auto copy = request->copy();
  request->headers.set("A", "changed");
  EXPECT_EQ(copy->method, "PUT");
  EXPECT_EQ(copy->path, "/p");
  EXPECT_EQ(copy->scheme, "https");
  EXPECT_EQ(copy->version, Version::Http10);
  EXPECT_EQ(copy->body.kind, BodyKind::Chunked);
  EXPECT_FALSE(copy->keep_alive);
  EXPECT_EQ(copy->upgrade, "websocket");
  EXPECT_TRUE(copy->expects_continue);
  EXPECT_TRUE(copy->accepts_trailers);
  EXPECT_EQ(copy->headers.find("a"), "b");

  auto response = ResponseHead::of_error({ErrorCode::NoRoute, Side::Script});
  response->reason = "Nowhere";
  const auto other = response->copy();
  EXPECT_EQ(other->status, 404);
  EXPECT_EQ(other->reason, "Nowhere");
  ASSERT_TRUE(other->error);
  EXPECT_NE(other->error.get(), response->error.get());
}

TEST(RequestHeads, Host) {
  const auto host = [](std::string_view value) {
    auto head = RequestHead::make();
    head->headers.add("Host", value);
    return std::string(head->host());
  };
  EXPECT_EQ(host("a.b"), "a.b");
  EXPECT_EQ(host("a.b:80"), "a.b");
  EXPECT_EQ(host("[::1]:80"), "[::1]");
  EXPECT_EQ(host("[::1]"), "[::1]");
  EXPECT_EQ(RequestHead::make()->host(), "");
}

TEST(RequestHeads, IdempotentMethods) {
  auto head = RequestHead::make();
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    head->method = method;
    EXPECT_TRUE(head->is_idempotent()) << method;
  }
  for (const char* method : {"POST", "PATCH", "CONNECT", "get", ""}) {
    head->method = method;
    EXPECT_FALSE(head->is_idempotent()) << method;
  }
}

TEST(ResponseHeads, Interim) {
  auto head = ResponseHead::make();
  for (const int status : {100, 102, 103, 199}) {
    head->status = status;
    EXPECT_TRUE(head->is_interim()) << status;
  }
  for (const int status : {101, 200, 304}) {
    head->status = status;
    EXPECT_FALSE(head->is_interim()) << status;
  }
}

TEST(Reasons, OfCommonStatuses) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(799), "Unknown");
}

}  // namespace
}  // namespace perilune::message
