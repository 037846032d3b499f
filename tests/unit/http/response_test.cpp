#include "transcript.hpp"

// Responses: taken and refused. Each case names its rule.
namespace perilune::http {
namespace {

using namespace std::string_literals;

struct Case {
  const char* name;
  const char* rule;
  std::string bytes;
  std::string expected;
  std::vector<Asked> asked = {{"GET"}};
};

class Responses : public testing::TestWithParam<Case> {};

TEST_P(Responses, AreReadTheSameInAnyCut) {
  SCOPED_TRACE(GetParam().rule);
  expect_transcript(Kind::Response, GetParam().bytes, GetParam().expected, GetParam().asked);
}

std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

const std::vector<Asked> head{{"HEAD"}}, connect{{"CONNECT"}}, two{{"GET"}, {"GET"}}, nothing{},
    socket{{"GET", UpgradeOffer::WebSocket}};

const std::vector<Case> good{
    {"Length", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
     "200 'OK' [2] Content-Length=2; \"hi\"; end"},
    {"Empty", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     "200 'OK' [0] Content-Length=0; end"},
    {"NoReason", "RFC 9112 section 4", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
     "200 '' [0] Content-Length=0; end"},
    {"NoReasonNoSpace", "RFC 9112 section 4", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
     "200 '' [0] Content-Length=0; end"},
    {"ReasonOfManyWords", "RFC 9112 section 4", "HTTP/1.1 599 a  b\t\xe4\r\nContent-Length: 0\r\n\r\n",
     "599 'a  b\t\xe4' [0] Content-Length=0; end"},
    {"Chunked", "RFC 9112 section 7.1",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nhi\r\n0\r\nX: y\r\nSet-Cookie: no\r\n\r\n",
     "200 'OK' [chunked]; \"hi\"; end X=y"},
    {"UntilClose", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\n\r\nhi\r\nthere",
     "200 'OK' last [close]; \"hi\r\nthere\"; end"},
    {"UntilCloseEmpty", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\n\r\n", "200 'OK' last [close]; end"},
    {"OldVersion", "RFC 9112 section 9.3", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
     "200 'OK' 1.0 last [1] Content-Length=1; \"x\"; end"},
    {"OldVersionKeptAlive", "RFC 9112 section 9.3",
     "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
     "200 'OK' 1.0 [1] Content-Length=1; \"x\"; end"},
    {"OldVersionUntilClose", "RFC 9112 section 6.3", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx",
     "200 'OK' 1.0 last [close]; \"x\"; end"},
    {"Close", "RFC 9112 section 9.6", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
     "200 'OK' last [0] Content-Length=0; end"},
    {"ToHead", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     "200 'OK' [none] Content-Length=5; end", head},
    {"ToHeadChunked", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     "200 'OK' [none]; end", head},
    {"ToHeadWithoutLength", "RFC 9112 section 6.3", "HTTP/1.1 200 OK\r\n\r\n", "200 'OK' [none]; end", head},
    {"ToHeadThenAnother",
     "RFC 9112 section 6.3",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     "200 'OK' [none] Content-Length=5; end; 200 'OK' [1] Content-Length=1; \"x\"; end",
     {{"HEAD"}, {"GET"}}},
    {"NoContent", "RFC 9112 section 6.3", "HTTP/1.1 204 No Content\r\n\r\n", "204 'No Content' [none]; end"},
    {"NoContentWithLength", "RFC 9110 section 8.6", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
     "204 'No Content' [none]; end"},
    {"NotModifiedWithLength", "RFC 9110 section 15.4.5",
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
     "304 'Not Modified' [none] Content-Length=5; end"},
    {"NotModifiedChunked", "RFC 9112 section 6.1",
     "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", "304 'Not Modified' [none]; end"},
    {"Interim", "RFC 9110 section 15.2",
     "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     "100 'Continue' [none]; 200 'OK' [0] Content-Length=0; end"},
    {"EarlyHints", "RFC 8297 section 2",
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 3\r\n\r\nHTTP/1.1 204 \r\n\r\n",
     "103 'Early Hints' [none] Link=x; 204 '' [none]; end"},
    {"InterimToHead", "RFC 9110 section 15.2",
     "HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n",
     "100 '' [none]; 200 '' [none] Content-Length=9; end", head},
    {"Pipelined", "RFC 9112 section 9.3.2",
     "HTTP/1.1 200 A\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 B\r\nContent-Length: 1\r\n\r\nb",
     "200 'A' [1] Content-Length=1; \"a\"; end; 200 'B' [1] Content-Length=1; \"b\"; end", two},
    {"WebSocket", "RFC 9110 section 7.8",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n\x81\x01x\r\n",
     "101 'Switching Protocols' upgrade=websocket [tunnel]; rest=\x81\x01x\r\n", socket},
    {"WebSocketWithLength", "RFC 9112 section 6.3",
     "HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nabc",
     "101 '' upgrade=websocket [tunnel]; rest=abc", socket},
    {"WebSocketRefused", "RFC 9110 section 7.8", "HTTP/1.1 400 \r\nContent-Length: 1\r\n\r\nx",
     "400 '' [1] Content-Length=1; \"x\"; end", socket},
    {"ConnectTunnel", "RFC 9110 section 9.3.6", "HTTP/1.1 200 OK\r\n\r\nbytes",
     "200 'OK' [tunnel]; rest=bytes", connect},
    {"ConnectTunnelIgnoresFraming", "RFC 9110 section 9.3.6",
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbytes", "200 'OK' [tunnel]; rest=bytes", connect},
    {"ConnectRefused", "RFC 9110 section 9.3.6", "HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nx",
     "403 'No' [1] Content-Length=1; \"x\"; end", connect},
    {"UpgradeRequired", "RFC 9110 section 15.5.22",
     "HTTP/1.1 426 \r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
     "426 '' upgrade=websocket [0] Content-Length=0; end"},
    {"UpgradeAdvertised", "RFC 9110 section 7.8",
     "HTTP/1.1 200 \r\nConnection: upgrade\r\nUpgrade: h2c, websocket\r\nContent-Length: 0\r\n\r\n",
     "200 '' [0] Content-Length=0; end"},
    {"HopByHopFieldsGo", "RFC 9110 section 7.6.1",
     "HTTP/1.1 200 \r\nConnection: x\r\nX: y\r\nKeep-Alive: a\r\nProxy-Authenticate: b\r\nContent-Length: "
     "0\r\n\r\n",
     "200 '' [0] Content-Length=0; end"},
    {"RepeatedFieldsKept", "RFC 6265 section 3",
     "HTTP/1.1 204 \r\nSet-Cookie: a\r\nX: 1\r\nset-cookie: b\r\n\r\n",
     "204 '' [none] Set-Cookie=a X=1 set-cookie=b; end"},
    {"NothingAskedNothingCame", "RFC 9112 section 9.2", "", "", nothing},
};
INSTANTIATE_TEST_SUITE_P(Good, Responses, testing::ValuesIn(good), case_name);

constexpr const char* bad = "!upstream bad-response";
std::string ok(std::string_view fields) { return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n\r\n"; }

const std::vector<Case> refused{
    {"NotHttp", "RFC 9112 section 4", "SSH-2.0\r\n", bad},
    {"Http09", "RFC 9112 section 4", "<html>", bad},
    {"EmptyLineBefore", "RFC 9112 section 2.2", "\r\nHTTP/1.1 200 OK\r\n\r\n", bad},
    {"LowerCaseVersion", "RFC 9112 section 2.3", "http/1.1 200 OK\r\n\r\n", bad},
    {"Version20", "RFC 9112 section 2.3", "HTTP/2.0 200 OK\r\n\r\n", bad},
    {"Version12", "RFC 9112 section 2.3", "HTTP/1.2 200 OK\r\n\r\n", bad},
    {"Version110", "RFC 9112 section 2.3", "HTTP/1.10 200 OK\r\n\r\n", bad},
    {"NoStatus", "RFC 9112 section 4", "HTTP/1.1\r\n\r\n", bad},
    {"Status000", "RFC 9110 section 15", "HTTP/1.1 000 OK\r\n\r\n", bad},
    {"Status099", "RFC 9110 section 15", "HTTP/1.1 099 OK\r\n\r\n", bad},
    {"Status600", "RFC 9110 section 15", "HTTP/1.1 600 OK\r\n\r\n", bad},
    {"StatusOfTwoDigits", "RFC 9112 section 4", "HTTP/1.1 20 OK\r\n\r\n", bad},
    {"StatusOfFourDigits", "RFC 9112 section 4", "HTTP/1.1 2000 OK\r\n\r\n", bad},
    {"StatusSigned", "RFC 9112 section 4", "HTTP/1.1 +20 OK\r\n\r\n", bad},
    {"TwoSpaces", "RFC 9112 section 4", "HTTP/1.1  200 OK\r\n\r\n", bad},
    {"TabBeforeStatus", "RFC 9112 section 4", "HTTP/1.1\t200 OK\r\n\r\n", bad},
    {"TabAfterStatus", "RFC 9112 section 4", "HTTP/1.1 200\tOK\r\n\r\n", bad},
    {"NulInReason", "RFC 9112 section 4", "HTTP/1.1 200 O\0K\r\n\r\n"s, bad},
    {"ReturnInReason", "RFC 9112 section 4", "HTTP/1.1 200 O\rK\r\n\r\n", bad},
    {"EscapeInReason", "RFC 9112 section 4", "HTTP/1.1 200 \x1b\r\n\r\n", bad},
    {"BareLineFeeds", "RFC 9112 section 2.2", "HTTP/1.1 200 OK\n\n", bad},
    {"Folded", "RFC 9112 section 5.2", ok("X: y\r\n z"), bad},
    {"SpaceBeforeColon", "RFC 9112 section 5.1", ok("Content-Length : 5"), bad},
    {"NulInValue", "RFC 9110 section 5.5", ok("X: \0"s), bad},
    {"LengthWithCoding", "RFC 9112 section 6.3", ok("Content-Length: 5\r\nTransfer-Encoding: chunked"), bad},
    {"LengthWithCodingToHead", "RFC 9112 section 6.3", ok("Content-Length: 5\r\nTransfer-Encoding: chunked"),
     bad, head},
    {"TwoLengths", "RFC 9112 section 6.3", ok("Content-Length: 5\r\nContent-Length: 6"), bad},
    {"TwoEqualLengths", "RFC 9112 section 6.3", ok("Content-Length: 5\r\nContent-Length: 5"), bad},
    {"LengthList", "RFC 9112 section 6.3", ok("Content-Length: 5, 5"), bad},
    {"LengthNegative", "RFC 9110 section 8.6", ok("Content-Length: -1"), bad},
    {"LengthEmpty", "RFC 9110 section 8.6", ok("Content-Length: "), bad},
    {"LengthTooLarge", "RFC 9110 section 8.6", ok("Content-Length: 99999999999999999999"), bad},
    {"LengthMalformedToHead", "RFC 9110 section 8.6", ok("Content-Length: x"), bad, head},
    {"LengthMalformedNotModified", "RFC 9110 section 8.6", "HTTP/1.1 304 \r\nContent-Length: x\r\n\r\n", bad},
    {"CodingGzip", "RFC 9112 section 6.1", ok("Transfer-Encoding: gzip"), bad},
    {"CodingGzipChunked", "RFC 9112 section 6.1", ok("Transfer-Encoding: gzip, chunked"), bad},
    {"CodingTwice", "RFC 9112 section 6.1", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
     bad},
    {"CodingInOldVersion", "RFC 9112 section 6.1", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
     bad},
    {"BadChunk", "RFC 9112 section 7.1", ok("Transfer-Encoding: chunked") + "x",
     "200 'OK' [chunked]; !upstream bad-response"},
    {"BadTrailer", "RFC 9112 section 7.1.2", ok("Transfer-Encoding: chunked") + "0\r\nx\r\n\r\n",
     "200 'OK' [chunked]; !upstream bad-response"},
    {"Unsolicited", "RFC 9112 section 9.2", "HTTP/1.1 408 Timeout\r\n\r\n", bad, nothing},
    {"SurplusBehindALength", "RFC 9112 section 6.3", ok("Content-Length: 1") + "xy",
     "200 'OK' [1] Content-Length=1; \"x\"; end; !upstream bad-response"},
    {"BodyAfterHead", "RFC 9112 section 6.3", ok("Content-Length: 2") + "xy",
     "200 'OK' [none] Content-Length=2; end; !upstream bad-response", head},
    {"BodyAfterNoContent", "RFC 9112 section 6.3", "HTTP/1.1 204 \r\nContent-Length: 2\r\n\r\nxy",
     "204 '' [none]; end; !upstream bad-response", two},
    {"BodyAfterNotModified", "RFC 9112 section 6.3", "HTTP/1.1 304 \r\n\r\nxy",
     "304 '' [none]; end; !upstream bad-response", two},
    {"BodyAfterInterim", "RFC 9110 section 15.2",
     "HTTP/1.1 100 \r\nContent-Length: 1\r\n\r\nxHTTP/1.1 204 \r\n\r\n",
     "100 '' [none]; !upstream bad-response"},
    {"SwitchThatNobodyOffered", "RFC 9110 section 15.2.2",
     "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", bad},
    {"SwitchWithoutUpgrade", "RFC 9110 section 15.2.2", "HTTP/1.1 101 \r\n\r\n", bad, socket},
    {"SwitchToAnother", "RFC 9110 section 15.2.2",
     "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", bad, socket},
    {"SwitchInOldVersion", "RFC 9110 section 15.2.2",
     "HTTP/1.0 101 \r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", bad, socket},
    {"ClosedBeforeResponse", "RFC 9112 section 8", "", "!upstream closed"},
    {"ClosedAfterInterim", "RFC 9112 section 8", "HTTP/1.1 100 \r\n\r\n", "100 '' [none]; !upstream closed"},
    {"TruncatedHead", "RFC 9112 section 8", "HTTP/1.1 200 OK\r\nConte", "!upstream truncated"},
    {"TruncatedLength", "RFC 9112 section 8", ok("Content-Length: 5") + "abc",
     "200 'OK' [5] Content-Length=5; \"abc\"; !upstream truncated"},
    {"TruncatedLengthWithoutAny", "RFC 9112 section 8", ok("Content-Length: 5"),
     "200 'OK' [5] Content-Length=5; !upstream truncated"},
    {"TruncatedChunked", "RFC 9112 section 8", ok("Transfer-Encoding: chunked") + "3\r\nab",
     "200 'OK' [chunked]; \"ab\"; !upstream truncated"},
    {"TruncatedBeforeLastChunk", "RFC 9112 section 8", ok("Transfer-Encoding: chunked") + "2\r\nab\r\n",
     "200 'OK' [chunked]; \"ab\"; !upstream truncated"},
};
INSTANTIATE_TEST_SUITE_P(Refused, Responses, testing::ValuesIn(refused), case_name);

TEST(Responses, AFloodOfInterimsIsCut) {
  std::string bytes, expected;
  for (size_t i = 0; i < limits::interim_responses_max; ++i) {
    bytes += "HTTP/1.1 102 \r\n\r\n";
    expected += "102 '' [none]; ";
  }
  const std::vector<Asked> once{{"GET"}};
  expect_transcript(Kind::Response, bytes + "HTTP/1.1 204 \r\n\r\n", expected + "204 '' [none]; end", once);
  expect_transcript(Kind::Response, bytes + "HTTP/1.1 102 \r\n\r\n", expected + bad, once);
}

}  // namespace
}  // namespace perilune::http
