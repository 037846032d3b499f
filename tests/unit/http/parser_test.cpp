#include "http/h1_parser.hpp"

#include <random>

#include "allocations.hpp"
#include "transcript.hpp"

namespace perilune::http {
namespace {

constexpr std::string_view get =
    "GET /a HTTP/1.1\r\nHost: example.com\r\nX-Long-Enough-For-The-Heap: value\r\n\r\n";

std::string head_of(size_t bytes) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  // Fields of at most 1000 bytes each, so that their number stays small.
  while (text.size() + 2 < bytes) {
    const size_t line = std::min<size_t>(bytes - text.size() - 2, 1000);
    text += "X:" + std::string(line - 4, 'v') + "\r\n";
    if (bytes - text.size() - 2 < 4 && bytes != text.size() + 2)
      text.insert(text.size() - 2, bytes - text.size() - 2, 'v');
  }
  return text + "\r\n";
}

TEST(ParserLimits, HeadBytes) {
  const std::string most = head_of(limits::head_bytes_max);
  ASSERT_EQ(most.size(), limits::head_bytes_max);
  const std::vector<std::string_view> whole{most};
  EXPECT_TRUE(transcript_of(Kind::Request, whole, Pulling::AfterAll).ends_with("; end"));
  expect_transcript(Kind::Request, head_of(limits::head_bytes_max + 1), "!client head-too-large");
}

TEST(ParserLimits, AHeadThatNeverEnds) {
  std::string text = "GET / HTTP/1.1\r\nX: " + std::string(limits::head_bytes_max, 'v');
  expect_transcript(Kind::Request, text, "!client head-too-large");
}

TEST(ParserLimits, RequestLineBytes) {
  constexpr size_t rest = std::string_view("GET  HTTP/1.1").size();
  const std::string path = "/" + std::string(limits::request_line_bytes_max - rest - 1, 'p');
  const std::string fields = "\r\nHost: a\r\n\r\n";
  expect_transcript(Kind::Request, "GET " + path + " HTTP/1.1" + fields,
                    "GET " + path + " [none] Host=a; end");
  expect_transcript(Kind::Request, "GET " + path + "p HTTP/1.1" + fields, "!client uri-too-long");
  expect_transcript(Kind::Request, "GET " + path + std::string(100, 'p'), "!client uri-too-long");
}

TEST(ParserLimits, Fields) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n", expected = "GET / [none] Host=a";
  for (size_t i = 1; i < limits::head_fields_max; ++i) {
    text += "X:\r\n";
    expected += " X=";
  }
  expect_transcript(Kind::Request, text + "\r\n", expected + "; end");
  expect_transcript(Kind::Request, text + "X:\r\n\r\n", "!client head-too-large");
}

TEST(ParserLimits, Trailers) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  const std::string head_text = "POST / [chunked] Host=a; ";
  std::string text, expected = "end";
  for (size_t i = 0; i < limits::head_fields_max; ++i) {
    text += "X:\r\n";
    expected += " X=";
  }
  expect_transcript(Kind::Request, head + text + "\r\n", head_text + expected);
  expect_transcript(Kind::Request, head + text + "X:\r\n\r\n", head_text + "!client head-too-large");
  expect_transcript(Kind::Request, head + "X: " + std::string(limits::head_bytes_max, 'v'),
                    head_text + "!client head-too-large");
}

TEST(ParserLimits, ResponseHead) {
  const std::vector<Asked> once{{"GET"}};
  expect_transcript(Kind::Response, "HTTP/1.1 200 " + std::string(limits::head_bytes_max, 'r'),
                    "!upstream response-too-large", once);
}

TEST(ParserLimits, ChunkLine) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string line = "1;" + std::string(limits::chunk_line_bytes_max - 2, 'e');
  const std::string rest = "\r\nx\r\n0\r\n\r\n";
  expect_transcript(Kind::Request, head + line + rest, "POST / [chunked] Host=a; \"x\"; end");
  expect_transcript(Kind::Request, head + line + "e" + rest, "POST / [chunked] Host=a; !client bad-chunk");
}

TEST(ParserLimits, FramingThatCarriesNothing) {
  // RFC 9112 section 7.1.1: extensions are bounded, not only each, also all of them together.
  std::string body, data;
  for (int i = 0; i < 100; ++i) {
    body += "1;" + std::string(1000, 'e') + "\r\nx\r\n";
    data += "x";
  }
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string bytes = head + body + "0\r\n\r\n";
  const std::vector<std::string_view> whole{bytes};
  EXPECT_EQ(transcript_of(Kind::Request, whole, Pulling::AfterAll),
            "POST / [chunked] Host=a; \"" + data.substr(0, 66) + "\"; !client bad-chunk");

  // A large chunk pays for its signature, and each message has an allowance of its own.
  std::string paid = head, expected;
  for (int i = 0; i < 100; ++i)
    paid += "800;" + std::string(1000, 'e') + "\r\n" + std::string(2048, 'x') + "\r\n";
  expected = "POST / [chunked] Host=a; \"" + std::string(204800, 'x') + "\"; end";
  paid += "0\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    paid += head + body.substr(0, body.size() / 2) + "0\r\n\r\n";
    expected += "; POST / [chunked] Host=a; \"" + std::string(50, 'x') + "\"; end";
  }
  const std::vector<std::string_view> all{paid};
  EXPECT_EQ(transcript_of(Kind::Request, all, Pulling::AfterAll), expected);
}

TEST(Parser, IsSmall) { EXPECT_LE(sizeof(H1Parser), 160u); }

void read_message(H1Parser& parser) {
  for (;;) {
    const Item item = parser.next();
    ASSERT_NE(item.kind, Item::Kind::NeedMore);
    ASSERT_NE(item.kind, Item::Kind::Failed);
    if (item.ends || item.kind == Item::Kind::End) break;
  }
}

TEST(Parser, ASteadyConnectionAllocatesNothing) {
  buffer::ChunkPool pool;
  {
    H1Parser requests(Kind::Request), responses(Kind::Response);
    const std::string post =
        "POST /with/a/long/path HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    const std::string answer = "HTTP/1.1 200 Perfectly all right\r\nContent-Length: 5\r\n\r\nhello";
    const auto exchange = [&] {
      requests.feed(buffer::buffer_of(post, pool).take_slice());
      read_message(requests);
      responses.expect_response_to("POST");
      responses.feed(buffer::buffer_of(answer, pool).take_slice());
      read_message(responses);
    };
    exchange();
    const auto bytes = buffer::buffer_of(post, pool);
    const size_t before = allocation_count();
    for (int i = 0; i < 10; ++i) {
      requests.feed(bytes.slices().front());
      read_message(requests);
    }
    EXPECT_EQ(allocation_count(), before);
    const auto answer_bytes = buffer::buffer_of(answer, pool);
    const size_t before_answers = allocation_count();
    for (int i = 0; i < 10; ++i) {
      responses.expect_response_to("GET");
      responses.feed(answer_bytes.slices().front());
      read_message(responses);
    }
    EXPECT_EQ(allocation_count(), before_answers);
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(Parser, BeginsNoMessageThatNobodyAsksFor) {
  buffer::ChunkPool pool;
  {
    H1Parser parser(Kind::Request);
    parser.feed(own_slice(std::string(get) + "\x01 no HTTP at all", pool));
    const Item item = parser.next();
    ASSERT_EQ(item.kind, Item::Kind::Head);
    EXPECT_TRUE(item.ends);
    EXPECT_TRUE(parser.at_boundary());
    EXPECT_EQ(parser.buffered(), 16u);
    EXPECT_EQ(parser.take_rest().to_string(), "\x01 no HTTP at all");
    EXPECT_EQ(parser.buffered(), 0u);
  }
  EXPECT_EQ(pool.alive(), 0u);
}

TEST(Parser, ASlowHeadPinsNoChunk) {
  buffer::ChunkPool pool;
  H1Parser parser(Kind::Request);
  for (const char c : get.substr(0, 50)) {
    parser.feed(own_slice({&c, 1}, pool));
    ASSERT_EQ(parser.next().kind, Item::Kind::NeedMore);
    ASSERT_EQ(pool.alive(), 0u);
  }
  EXPECT_EQ(parser.buffered(), 50u);
  EXPECT_FALSE(parser.at_boundary());
}

TEST(Parser, AStrayLineEndIsNoMessage) {
  buffer::ChunkPool pool;
  H1Parser parser(Kind::Request);
  for (const std::string_view piece : {"\r", "\n"}) {
    parser.feed(own_slice(piece, pool));
    ASSERT_EQ(parser.next().kind, Item::Kind::NeedMore);
    EXPECT_TRUE(parser.at_boundary());
    EXPECT_EQ(parser.buffered(), 0u);
  }
  EXPECT_EQ(parser.finish().kind, Item::Kind::NeedMore);
}

TEST(Parser, BodyBytesAreNotCopied) {
  buffer::ChunkPool pool;
  H1Parser parser(Kind::Request);
  const auto slice = own_slice("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", pool);
  parser.feed(slice);
  ASSERT_EQ(parser.next().kind, Item::Kind::Head);
  EXPECT_EQ(parser.next().body.data(), slice.data() + slice.size() - 5);
}

TEST(Parser, FinishGivesWhatIsStillThere) {
  buffer::ChunkPool pool;
  H1Parser parser(Kind::Request);
  parser.feed(own_slice(get, pool));
  EXPECT_EQ(parser.finish().kind, Item::Kind::Head);
  EXPECT_EQ(parser.finish().kind, Item::Kind::NeedMore);
  parser.release_memory();
  parser.feed(own_slice(get, pool));
  EXPECT_EQ(parser.next().kind, Item::Kind::Head);
}

TEST(Parser, ManySlicesAtOnce) {
  buffer::ChunkPool small(8);
  {
    H1Parser parser(Kind::Request);
    std::string text(get);
    text += text;
    parser.feed(buffer::buffer_of(text, small));
    for (int i = 0; i < 2; ++i) ASSERT_EQ(parser.next().kind, Item::Kind::Head);
    EXPECT_EQ(parser.next().kind, Item::Kind::NeedMore);
    parser.release_memory();
  }
  EXPECT_EQ(small.alive(), 0u);
}

/// Damaged and cut at random: any two cuts of the same bytes read the same, and nothing crashes.
TEST(Parser, AnyCutOfAnyBytesReadsTheSame) {
  const std::vector<std::string> seeds_of_requests{
      std::string(get) +
      "POST /x HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nConnection: te, x\r\nTE: trailers\r\n\r\n"
      "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\nPUT http://c:1/? HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc\r\n"};
  const std::vector<std::string> seeds_of_responses{
      "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
      "HTTP/1.0 404 Not\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"
      "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nrest"};
  const std::vector<Asked> asked{{"GET"}, {"POST"}, {"GET", UpgradeOffer::WebSocket}, {"HEAD"}};
  const std::string_view alphabet("\r\n\r\n \t:;,0159afxX=\"\\\0\x7f\xff", 24);
  for (unsigned seed = 0; seed < 4000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](size_t bound) {
      return std::uniform_int_distribution<size_t>(0, bound - 1)(random);
    };
    const Kind kind = seed % 2 == 0 ? Kind::Request : Kind::Response;
    std::string text = kind == Kind::Request ? seeds_of_requests.front() : seeds_of_responses.front();
    for (size_t damage = below(4); damage > 0; --damage) {
      const size_t at = below(text.size());
      switch (below(3)) {
        case 0: text[at] = alphabet[below(alphabet.size())]; break;
        case 1: text.erase(at, 1 + below(3)); break;
        default: text.insert(at, 1, alphabet[below(alphabet.size())]); break;
      }
    }
    std::vector<std::string_view> pieces;
    for (std::string_view left = text; !left.empty();) {
      const size_t size = std::min(left.size(), 1 + below(below(2) ? 4 : 80));
      pieces.push_back(left.substr(0, size));
      left.remove_prefix(size);
    }
    const std::vector<std::string_view> whole{text};
    const std::string expected = transcript_of(kind, whole, Pulling::AfterAll, asked);
    ASSERT_EQ(transcript_of(kind, pieces, Pulling::AfterEachPiece, asked), expected) << "seed " << seed;
    ASSERT_EQ(transcript_of(kind, pieces, Pulling::AfterAll, asked), expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace perilune::http
