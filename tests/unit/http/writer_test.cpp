#include <gtest/gtest.h>

#include "http/date.hpp"
#include "http/framing.hpp"
#include "http/h1_parser.hpp"
#include "http/h1_writer.hpp"

namespace perilune::http {
namespace {

using message::BodyFraming;
using message::BodyKind;
using message::RequestHead;
using message::ResponseHead;
using message::Version;

constexpr BodyFraming none{BodyKind::None, 0}, chunked{BodyKind::Chunked, 0},
    until_close{BodyKind::UntilClose, 0}, tunnel{BodyKind::Tunnel, 0}, unknown{BodyKind::Unknown, 0};
constexpr BodyFraming length(uint64_t bytes) { return {BodyKind::Length, bytes}; }

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

struct RequestCase {
  const char* name;
  std::string_view method, path, upgrade;
  Fields fields;
  RequestForm form;
  std::string_view expected;
};

std::string written(const RequestCase& c, size_t chunk_bytes) {
  buffer::ChunkPool pool(chunk_bytes);
  auto head = RequestHead::make();
  head->method = c.method;
  head->path = c.path;
  head->upgrade = c.upgrade;
  for (const auto& [name, value] : c.fields) head->headers.add(name, value);
  buffer::Buffer out;
  write_request_head(*head, c.form, out, pool);
  return out.to_string();
}

class RequestWriting : public testing::TestWithParam<RequestCase> {};

TEST_P(RequestWriting, GivesTheseBytes) {
  EXPECT_EQ(written(GetParam(), 16384), GetParam().expected);
  EXPECT_EQ(written(GetParam(), 16), GetParam().expected) << "larger than a chunk";
}

const std::vector<RequestCase> requests{
    {"Simple",
     "GET",
     "/p?q",
     "",
     {{"hOst", "a"}, {"X", "1"}, {"x", "2"}},
     {none},
     "GET /p?q HTTP/1.1\r\nhOst: a\r\nX: 1\r\nx: 2\r\n\r\n"},
    {"Close",
     "GET",
     "/",
     "",
     {{"Host", "a"}},
     {none, Persistence::Close},
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
    {"HostMissing", "GET", "", "", {}, {none}, "GET / HTTP/1.1\r\nHost: \r\n\r\n"},
    {"LengthKeepsItsPlace",
     "POST",
     "/",
     "",
     {{"Host", "a"}, {"content-length", "5"}, {"X", "y"}},
     {length(5)},
     "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 5\r\nX: y\r\n\r\n"},
    {"LengthCorrected",
     "POST",
     "/",
     "",
     {{"Host", "a"}, {"Content-Length", "5"}, {"Content-Length", "6"}, {"X", "y"}},
     {length(7)},
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nX: y\r\n\r\n"},
    {"LengthAdded",
     "POST",
     "/",
     "",
     {{"Host", "a"}},
     {length(UINT64_MAX)},
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n"},
    {"LengthBecomesChunked",
     "POST",
     "/",
     "",
     {{"Host", "a"}, {"Content-Length", "5"}},
     {chunked},
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"LengthWithoutBody",
     "POST",
     "/",
     "",
     {{"Host", "a"}, {"Content-Length", "5"}},
     {none},
     "POST / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"HopByHopFieldsOfAScript",
     "GET",
     "/",
     "",
     {{"Host", "a"},
      {"Connection", "x"},
      {"Transfer-Encoding", "chunked"},
      {"TE", "trailers"},
      {"Keep-Alive", "1"},
      {"Proxy-Connection", "close"},
      {"Upgrade", "h2c"},
      {"HTTP2-Settings", "A"}},
     {none},
     "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"Upgrade",
     "GET",
     "/",
     "websocket",
     {{"Host", "a"}},
     {none},
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Cases, RequestWriting, testing::ValuesIn(requests),
                         [](const auto& test) { return test.param.name; });

struct ResponseCase {
  const char* name;
  int status;
  std::string_view reason, upgrade;
  Fields fields;
  ResponseForm form;
  std::string_view expected;
};

std::string written(const ResponseCase& c, size_t chunk_bytes) {
  buffer::ChunkPool pool(chunk_bytes);
  auto head = ResponseHead::make();
  head->status = c.status;
  head->reason = c.reason;
  head->upgrade = c.upgrade;
  for (const auto& [name, value] : c.fields) head->headers.add(name, value);
  buffer::Buffer out;
  write_response_head(*head, c.form, out, pool);
  return out.to_string();
}

class ResponseWriting : public testing::TestWithParam<ResponseCase> {};

TEST_P(ResponseWriting, GivesTheseBytes) {
  EXPECT_EQ(written(GetParam(), 16384), GetParam().expected);
  EXPECT_EQ(written(GetParam(), 16), GetParam().expected) << "larger than a chunk";
}

constexpr Version v10 = Version::Http10, v11 = Version::Http11;
constexpr Persistence keep = Persistence::KeepAlive, close = Persistence::Close;
const std::vector<ResponseCase> responses{
    {"Simple",
     200,
     "Fine",
     "",
     {{"Content-Length", "2"}},
     {length(2)},
     "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\n"},
    {"UsualReason", 404, "", "", {}, {length(0)}, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
    {"DateAdded",
     200,
     "",
     "",
     {},
     {chunked, v11, keep, "now"},
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: now\r\n\r\n"},
    {"DateKept",
     200,
     "",
     "",
     {{"date", "then"}},
     {length(0), v11, keep, "now"},
     "HTTP/1.1 200 OK\r\ndate: then\r\nContent-Length: 0\r\n\r\n"},
    {"Close",
     200,
     "",
     "",
     {},
     {length(0), v11, close},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"OldClientKeptAlive",
     200,
     "",
     "",
     {},
     {length(0), v10, keep},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
    {"OldClientClose",
     200,
     "",
     "",
     {},
     {length(0), v10, close},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"UntilCloseCloses",
     200,
     "",
     "",
     {{"Content-Length", "9"}},
     {until_close, v10, keep},
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
    {"ToHeadKeepsLength",
     200,
     "",
     "",
     {{"Content-Length", "9"}},
     {none},
     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
    {"NotModifiedKeepsLength",
     304,
     "",
     "",
     {{"Content-Length", "9"}},
     {none},
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"},
    {"NoContentDropsLength",
     204,
     "",
     "",
     {{"Content-Length", "9"}},
     {none},
     "HTTP/1.1 204 No Content\r\n\r\n"},
    {"InterimIsBare",
     103,
     "",
     "",
     {{"Link", "x"}, {"Content-Length", "9"}},
     {none, v10, close, "now"},
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
    {"Switch",
     101,
     "",
     "websocket",
     {{"Content-Length", "1"}},
     {tunnel, v11, keep, "now"},
     "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {"ConnectTunnel", 200, "", "", {{"Content-Length", "1"}}, {tunnel}, "HTTP/1.1 200 OK\r\n\r\n"},
    {"UpgradeRequired",
     426,
     "",
     "websocket",
     {},
     {length(0), v11, close},
     "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: upgrade, close\r\nUpgrade: "
     "websocket\r\n\r\n"},
    {"HopByHopFieldsOfAScript",
     200,
     "",
     "",
     {{"Connection", "close"}, {"Transfer-Encoding", "chunked"}},
     {length(1)},
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Cases, ResponseWriting, testing::ValuesIn(responses),
                         [](const auto& test) { return test.param.name; });

TEST(ChunkWriting, FramesDataByReference) {
  buffer::ChunkPool pool;
  {
    const auto data = buffer::buffer_of(std::string(300, 'x'), pool).take_slice();
    buffer::Buffer out;
    write_chunk(data, out, pool);
    EXPECT_EQ(out.slices().size(), 3u);
    EXPECT_EQ(out.slices()[1].data(), data.data());
    write_chunk(buffer::Slice(), out, pool);
    write_chunk(buffer::buffer_of("hi", pool), out, pool);
    write_chunk(buffer::Buffer(), out, pool);
    write_last_chunk(nullptr, out, pool);
    EXPECT_EQ(out.to_string(), "12c\r\n" + std::string(300, 'x') + "\r\n2\r\nhi\r\n0\r\n\r\n");
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(ChunkWriting, TinyChunksShareMemory) {
  // A reader that does not read must not make each small chunk of a body cost a block of memory.
  buffer::ChunkPool pool, reads;
  buffer::Buffer out;
  const auto data = buffer::buffer_of("0123456789", reads);
  for (int i = 0; i < 1000; ++i) {
    write_chunk(data.slices().front(), out, pool);
  }
  EXPECT_LE(pool.alive(), 1u);
}

TEST(ChunkWriting, Trailers) {
  buffer::ChunkPool pool;
  const auto trailers = make_ref<message::Trailers>();
  trailers->headers.add("X", "y");
  trailers->headers.add("Content-Length", "5");
  trailers->headers.add("z", "");
  buffer::Buffer out;
  write_last_chunk(trailers.get(), out, pool);
  EXPECT_EQ(out.to_string(), "0\r\nX: y\r\nz: \r\n\r\n");
}

TEST(OutgoingFraming, Requests) {
  const auto outgoing = [](BodyFraming body) {
    auto head = RequestHead::make();
    head->body = body;
    return outgoing_request_framing(*head);
  };
  EXPECT_EQ(outgoing(none).kind, BodyKind::None);
  EXPECT_EQ(outgoing(length(7)).length, 7u);
  EXPECT_EQ(outgoing(chunked).kind, BodyKind::Chunked);
  EXPECT_EQ(outgoing(unknown).kind, BodyKind::Chunked);
}

TEST(OutgoingFraming, Responses) {
  const auto outgoing = [](int status, BodyFraming body, Version client, std::string_view method = "GET") {
    auto head = ResponseHead::make();
    head->status = status;
    head->body = body;
    return outgoing_response_framing(*head, client, method);
  };
  EXPECT_EQ(outgoing(200, length(7), v10).length, 7u);
  for (const auto body : {chunked, unknown, until_close}) {
    EXPECT_EQ(outgoing(200, body, v11).kind, BodyKind::Chunked);
    EXPECT_EQ(outgoing(200, body, v10).kind, BodyKind::UntilClose);
    EXPECT_EQ(outgoing(200, body, v11, "HEAD").kind, BodyKind::None);
    EXPECT_EQ(outgoing(304, body, v11).kind, BodyKind::None);
    EXPECT_EQ(outgoing(204, body, v11).kind, BodyKind::None);
    EXPECT_EQ(outgoing(100, body, v11).kind, BodyKind::None);
  }
  EXPECT_EQ(outgoing(200, none, v11).kind, BodyKind::Length);
  EXPECT_EQ(outgoing(101, none, v11).kind, BodyKind::Tunnel);
  EXPECT_EQ(outgoing(200, none, v11, "CONNECT").kind, BodyKind::Tunnel);
  EXPECT_EQ(outgoing(403, length(1), v11, "CONNECT").kind, BodyKind::Length);
}

TEST(Dates, AreFixed) {
  EXPECT_EQ(format_date(784111777).view(), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date(0).view(), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_date(951782400).view(), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(format_date(-1).view(), "Wed, 31 Dec 1969 23:59:59 GMT");
  EXPECT_EQ(format_date(INT64_MAX).view(), "Fri, 31 Dec 9999 23:59:59 GMT");
  EXPECT_EQ(format_date(INT64_MIN).view(), "Sat, 01 Jan 0000 00:00:00 GMT");
}

/// What is read can be written, and reads the same again.
TEST(RoundTrip, HeadsSurvive) {
  buffer::ChunkPool pool;
  {
    const std::string_view bytes =
        "POST /p?q HTTP/1.1\r\nHost: a\r\nX: 1\r\nContent-Length: 2\r\nx: 2\r\nConnection: "
        "upgrade\r\nUpgrade: "
        "websocket\r\n\r\n";
    const auto parse = [&](buffer::Buffer&& input) {
      H1Parser parser(Kind::Request);
      parser.feed(std::move(input));
      return Ref<RequestHead>(static_cast<RequestHead*>(parser.next().head.get()));
    };
    const auto first = parse(buffer::buffer_of(bytes, pool));
    buffer::Buffer out;
    write_request_head(*first, {outgoing_request_framing(*first)}, out, pool);
    const std::string once = out.to_string();
    const auto second = parse(std::move(out));
    buffer::Buffer again;
    write_request_head(*second, {outgoing_request_framing(*second)}, again, pool);
    EXPECT_EQ(again.to_string(), once);
    EXPECT_EQ(second->upgrade, "websocket");
  }
  EXPECT_EQ(pool.alive(), 0u);
}

}  // namespace
}  // namespace perilune::http
