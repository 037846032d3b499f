#include "http/second_opinion.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "http/field_lines.hpp"
#include "http/framing.hpp"
#include "http/grammar.hpp"
#include "http/start_line.hpp"

/// llhttp is not asked about heads that are beyond doubt. Here it is asked, about many of them, whole ones
/// and damaged ones: it must have nothing to say that the parser has not said.
namespace perilune::http {
namespace {

using message::RequestHead;
using message::ResponseHead;

class Heads : public ::testing::TestWithParam<uint32_t> {
 protected:
  size_t below(size_t count) { return random_() % count; }
  template <size_t Size>
  std::string one_of(const char* const (&texts)[Size]) {
    return texts[below(Size)];
  }

  std::string fields() {
    static constexpr const char* lines[] = {
        "Content-Length: 0",
        "Content-Length: 17",
        "content-length:  9 ",
        "Connection: close",
        "Connection: a, b",
        "Connection: keep-alive",
        "Accept: */*",
        "X: \xc3\xa4 \t b",
        "Empty:",
        "Expect: 100-continue",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Trailer: x",
        "Cookie: a=b; c=\"d\"",
        "Contentlength: 5",
        "Content-Lengt: 5",
        "Content-Lengthy: 5",
        "Transfer-Encodin: chunked",
        "Connection: upgrade",
        "Date: today",
        "Proxy-Connectio: a",
        "Upgrad: websocket",
        "Connection: close, upgrade",
        "ETag: W/\"1\"",
    };
    std::string text;
    for (size_t count = below(6); count > 0; --count) text += one_of(lines) + "\r\n";
    return text;
  }

  /// Nothing, or one byte changed, doubled or left out.
  std::string damaged(std::string text) {
    const size_t place = below(text.size() - 4);
    static constexpr char bytes[] = {0, 1, 9, 10, 11, 13, 32, 34, 43, 45, 48, 57, 58, 65, 95, 127, -128, -1};
    switch (below(5)) {
      case 0: text[place] = bytes[below(sizeof bytes)]; break;
      case 1: text.insert(place, 1, bytes[below(sizeof bytes)]); break;
      case 2: text.erase(place, 1); break;
      default: break;
    }
    return text;
  }

  std::mt19937 random_{GetParam()};
};

/// The parts of a section, as the parser cuts it.
struct Parts {
  std::string_view first;
  std::string_view fields;
};
bool cut(std::string_view text, Parts& parts) {
  const size_t end = text.find("\r\n");
  if (!text.ends_with("\r\n\r\n") || text.find("\r\n\r\n") != text.size() - 4) return false;
  // It refuses a tab behind a length. Nobody reads another length there, and what goes on is written anew.
  if (text.find("\t\r\n") != std::string_view::npos || text.find("\t \r\n") != std::string_view::npos)
    return false;
  parts = {text.substr(0, end), text.substr(end + 2)};
  return true;
}

TEST_P(Heads, RequestsBeyondDoubtAreTheSameToLlhttp) {
  static constexpr const char* methods[] = {"GET",     "POST",  "HEAD",     "PUT",   "DELETE",
                                            "OPTIONS", "PATCH", "M-SEARCH", "QUERY", "get"};
  static constexpr const char* targets[] = {"/",       "/a/b?c=d&e", "*",      "http://a/",   "http://a:1?x",
                                            "/%00%ff", "//x",        "/a;b=c", "/{}|^`\"<>\\"};
  size_t asked = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = damaged(one_of(methods) + " " + one_of(targets) + " HTTP/1." +
                                     (below(4) ? "1" : "0") + "\r\nHost: a\r\n" + fields() + "\r\n");
    Parts parts;
    if (!cut(text, parts)) continue;
    const auto line = parse_request_line(parts.first);
    if (!line || !parse_target(line->method, line->target)) continue;
    const auto head = RequestHead::make();
    head->version = line->version;
    head->method = line->method;
    if (!parse_field_lines(parts.fields, Kind::Request, head->headers)) continue;
    const auto framing = request_framing(*head);
    if (!framing) continue;
    head->body = *framing;
    if (!is_beyond_doubt(*head)) continue;
    ++asked;
    const char* detail = objection(text, *head);
    ASSERT_EQ(detail, nullptr) << detail << ":\n" << text;
  }
  EXPECT_GT(asked, 5000u);
}

TEST_P(Heads, ResponsesBeyondDoubtAreTheSameToLlhttp) {
  static constexpr const char* lines[] = {"200 OK",       "204 No Content", "304 ", "404",
                                          "500 \xc3\xa4", "299 a  b",       "599 x"};
  size_t asked = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = damaged(std::string("HTTP/1.") + (below(4) ? "1" : "0") + " " + one_of(lines) +
                                     "\r\n" + fields() + "\r\n");
    Parts parts;
    if (!cut(text, parts)) continue;
    const auto line = parse_status_line(parts.first);
    if (!line) continue;
    const auto head = ResponseHead::make();
    head->version = line->version;
    head->status = line->status;
    if (!parse_field_lines(parts.fields, Kind::Response, head->headers)) continue;
    const auto framing = response_framing(*head, below(4) ? "GET" : "HEAD");
    if (!framing) continue;
    head->body = *framing;
    if (!is_beyond_doubt(*head)) continue;
    ++asked;
    const char* detail = objection(text, *head);
    ASSERT_EQ(detail, nullptr) << detail << ":\n" << text;
  }
  EXPECT_GT(asked, 5000u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Heads, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace perilune::http
