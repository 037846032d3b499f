#include "transcript.hpp"

// Requests that are taken, and what is made of them. Each case names its rule.
namespace perilune::http {
namespace {

struct Case {
  const char* name;
  const char* rule;
  std::string bytes;
  std::string expected;
};

class Requests : public testing::TestWithParam<Case> {};

TEST_P(Requests, AreReadTheSameInAnyCut) {
  SCOPED_TRACE(GetParam().rule);
  expect_transcript(Kind::Request, GetParam().bytes, GetParam().expected);
}

std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

const std::vector<Case> start_lines{
    {"Simple", "RFC 9112 section 3", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / [none] Host=a; end"},
    {"Nothing", "RFC 9112 section 3", "", ""},
    {"AnyTokenIsAMethod", "RFC 9110 section 9.1", "M-SEARCH!~ /x HTTP/1.1\r\nHost: a\r\n\r\n",
     "M-SEARCH!~ /x [none] Host=a; end"},
    {"MethodsAreCaseSensitive", "RFC 9110 section 9.1", "get / HTTP/1.1\r\nHost: a\r\n\r\n",
     "get / [none] Host=a; end"},
    {"MethodsOfOtherProtocols", "RFC 9110 section 9.1",
     "SOURCE / HTTP/1.1\r\nHost: a\r\n\r\nDESCRIBE / HTTP/1.1\r\nHost: a\r\n\r\nPRI / HTTP/1.1\r\nHost: "
     "a\r\n\r\n",
     "SOURCE / [none] Host=a; end; DESCRIBE / [none] Host=a; end; PRI / [none] Host=a; end"},
    {"TargetKeptByteForByte", "RFC 9112 section 3.2.1",
     "GET //a/../b%2f?x=%00|{}\\^`\"<> HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET //a/../b%2f?x=%00|{}\\^`\"<> [none] Host=a; end"},
    {"AbsoluteTarget", "RFC 9112 section 3.2.2", "GET http://b:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /p?q [none] Host=b:81; end"},
    {"AbsoluteTargetHttps", "RFC 9112 section 3.2.2", "GET HTTPS://b/p HTTP/1.1\r\nHost: b\r\n\r\n",
     "GET /p https [none] Host=b; end"},
    {"AbsoluteTargetWithoutPath", "RFC 9112 section 3.2.1", "GET http://b HTTP/1.1\r\nHost: b\r\n\r\n",
     "GET / [none] Host=b; end"},
    {"AbsoluteTargetWithQueryOnly", "RFC 9112 section 3.2.1", "GET http://b?x/y HTTP/1.1\r\nHost: b\r\n\r\n",
     "GET /?x/y [none] Host=b; end"},
    {"AbsoluteTargetInOldVersion", "RFC 9112 section 3.2.2", "GET http://b/ HTTP/1.0\r\n\r\n",
     "GET / 1.0 last [none] Host=b; end"},
    {"OptionsAsterisk", "RFC 9112 section 3.2.4", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS * [none] Host=a; end"},
    {"OptionsAbsolute", "RFC 9112 section 3.2.4", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS * [none] Host=b; end"},
    {"OptionsAbsoluteWithPath", "RFC 9112 section 3.2.4", "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS / [none] Host=b; end"},
    {"Connect", "RFC 9112 section 3.2.3", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n",
     "CONNECT b:443 [none] Host=b:443; end"},
    {"ConnectIPv6", "RFC 9112 section 3.2.3", "CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n",
     "CONNECT [::1]:443 [none] Host=[::1]:443; end"},
    {"ConnectWithEmptyBody", "RFC 9110 section 9.3.6",
     "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nContent-Length: 0\r\n\r\n",
     "CONNECT b:443 [none] Host=b:443 Content-Length=0; end"},
    {"OneEmptyLineBefore", "RFC 9112 section 2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET / [none] Host=a; end"},
    {"OneEmptyLineBetween", "RFC 9112 section 2.2",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
     "POST / [1] Host=a Content-Length=1; \"x\"; end; GET / [none] Host=a; end"},
    {"OldVersion", "RFC 9112 section 9.3", "GET / HTTP/1.0\r\n\r\n", "GET / 1.0 last [none]; end"},
    {"OldVersionKeptAlive", "RFC 9112 section 9.3", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
     "GET / 1.0 [none]; end"},
};
INSTANTIATE_TEST_SUITE_P(StartLines, Requests, testing::ValuesIn(start_lines), case_name);

const std::vector<Case> fields{
    {"OrderCaseAndRepetitionsKept", "RFC 9110 section 5.3",
     "GET / HTTP/1.1\r\nhOST: a\r\nX: 1\r\ny: 2\r\nx: 3\r\n\r\n", "GET / [none] hOST=a X=1 y=2 x=3; end"},
    {"BlanksAroundValues", "RFC 9112 section 5.1", "GET / HTTP/1.1\r\nHost:\t a \t\r\nX:  b c\t d \r\n\r\n",
     "GET / [none] Host=a X=b c\t d; end"},
    {"EmptyValues", "RFC 9110 section 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t \r\n\r\n",
     "GET / [none] Host=a X= Y=; end"},
    {"OpaqueBytesInValues", "RFC 9110 section 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n",
     "GET / [none] Host=a X=\x80\xff; end"},
    {"AllTokenBytesInNames", "RFC 9110 section 5.6.2",
     "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09: x\r\n\r\n",
     "GET / [none] Host=a !#$%&'*+-.^_`|~09=x; end"},
    {"HostWithPort", "RFC 9112 section 3.2", "GET / HTTP/1.1\r\nHost: a_b.c-d~e:65535\r\n\r\n",
     "GET / [none] Host=a_b.c-d~e:65535; end"},
    {"HostWithEmptyPort", "RFC 3986 section 3.2.3", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n",
     "GET / [none] Host=a:; end"},
    {"HostIPv6", "RFC 3986 section 3.2.2", "GET / HTTP/1.1\r\nHost: [2001:db8::7]:80\r\n\r\n",
     "GET / [none] Host=[2001:db8::7]:80; end"},
    {"HostIPv4", "RFC 3986 section 3.2.2", "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n",
     "GET / [none] Host=127.0.0.1:8000; end"},
};
INSTANTIATE_TEST_SUITE_P(Fields, Requests, testing::ValuesIn(fields), case_name);

const std::vector<Case> bodies{
    {"Length", "RFC 9112 section 6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
     "POST / [5] Host=a Content-Length=5; \"hello\"; end"},
    {"LengthZero", "RFC 9112 section 6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
     "POST / [0] Host=a Content-Length=0; end"},
    {"LengthWithLeadingZeros", "RFC 9110 section 8.6",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\n\r\nabc",
     "POST / [3] Host=a Content-Length=0003; \"abc\"; end"},
    {"GetWithBody", "RFC 9110 section 9.3.1", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
     "GET / [2] Host=a Content-Length=2; \"hi\"; end"},
    {"UnknownMethodWithBody", "RFC 9112 section 6.3",
     "FOO / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
     "FOO / [2] Host=a Content-Length=2; \"hi\"; end"},
    {"Chunked", "RFC 9112 section 7.1",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
     "chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
     "POST / [chunked] Host=a; \"abc0123456789\"; end"},
    {"ChunkedInAnyCase", "RFC 9112 section 7",
     "POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING: cHUNKED \r\n\r\n1\r\n\n\r\n0\r\n\r\n",
     "POST / [chunked] Host=a; \"\n\"; end"},
    {"ChunkedEmpty", "RFC 9112 section 7.1",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     "POST / [chunked] Host=a; end"},
    {"ChunkSizeInAnyCase", "RFC 9112 section 7.1",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00a\r\n0123456789\r\n00\r\n\r\n",
     "POST / [chunked] Host=a; \"0123456789\"; end"},
    {"ChunkExtensions", "RFC 9112 section 7.1.1",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "1;a\r\nx\r\n1;a=b;c=\"d;\\\"\\\\ \xe4\"\r\ny\r\n1; a = b ; c\r\nz\r\n0;end\r\n\r\n",
     "POST / [chunked] Host=a; \"xyz\"; end"},
    {"DataThatLooksLikeFraming", "RFC 9112 section 7.1",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n",
     "POST / [chunked] Host=a; \"0\r\n\r\n\"; end"},
    {"Trailers", "RFC 9110 section 6.5",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\nx\r\n0\r\nX: "
     "1\r\nETag: \"e\"\r\nX: "
     "2\r\n\r\n",
     "POST / [chunked] Host=a Trailer=X; \"x\"; end X=1 ETag=\"e\" X=2"},
    {"ForbiddenTrailersDropped", "RFC 9110 section 6.5.1",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\nContent-Length: 5\r\n"
     "Transfer-Encoding: chunked\r\nAuthorization: x\r\nCookie: x\r\nSet-Cookie: x\r\nContent-Type: x\r\n"
     "Content-Encoding: x\r\nContent-Range: x\r\nTrailer: x\r\nTE: x\r\nConnection: x\r\nExpect: "
     "x\r\nX-Forwarded-For: x\r\n"
     "Cache-Control: x\r\nMax-Forwards: 1\r\nRange: x\r\nIf-Match: x\r\nDate: x\r\nLocation: x\r\nAge: "
     "1\r\n\r\n",
     "POST / [chunked] Host=a; end"},
    {"Pipelined", "RFC 9112 section 9.3.2",
     "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGETGET /2 HTTP/1.1\r\nHost: b\r\n\r\n"
     "PUT /3 HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /4 "
     "HTTP/1.1\r\nHost: d\r\n\r\n",
     "POST /1 [3] Host=a Content-Length=3; \"GET\"; end; GET /2 [none] Host=b; end; "
     "PUT /3 [chunked] Host=c; \"x\"; end; GET /4 [none] Host=d; end"},
};
INSTANTIATE_TEST_SUITE_P(Bodies, Requests, testing::ValuesIn(bodies), case_name);

std::string with(std::string_view fields_text) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields_text) +
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
}
std::string without_body(std::string_view fields_text) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields_text) + "\r\n";
}

const std::vector<Case> hops{
    {"Close", "RFC 9112 section 9.6", without_body("Connection: ClOsE\r\n"), "GET / last [none] Host=a; end"},
    {"CloseInAList", "RFC 9110 section 7.6.1", without_body("Connection: ,foo , close,\r\n"),
     "GET / last [none] Host=a; end"},
    {"CloseInASecondField", "RFC 9110 section 7.6.1",
     without_body("Connection: foo\r\nX: y\r\nConnection: close\r\n"), "GET / last [none] Host=a X=y; end"},
    {"CloseWinsOverKeepAlive", "RFC 9112 section 9.3", without_body("Connection: keep-alive, close\r\n"),
     "GET / last [none] Host=a; end"},
    {"AWordThatContainsClose", "RFC 9112 section 9.6", without_body("Connection: closed\r\n"),
     "GET / [none] Host=a; end"},
    {"NamedFieldsGo", "RFC 9110 section 7.6.1",
     without_body("X-One: 1\r\nConnection: x-one, X-TWO\r\nx-two: 2\r\nX: 3\r\n"),
     "GET / [none] Host=a X=3; end"},
    {"OwnFieldsGo", "RFC 9110 section 7.6.1",
     without_body("Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\n"
                  "HTTP2-Settings: AAA\r\nProxy-Authorization: Basic x\r\nTrailer: X\r\nX: y\r\n"),
     "GET / [none] Host=a X=y; end"},
    {"HostCannotBeNamed", "RFC 9110 section 7.6.1", without_body("Connection: host, close\r\n"),
     "GET / last [none] Host=a; end"},
    {"LengthCannotBeNamed", "RFC 9110 section 7.6.1",
     "POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 1\r\n\r\nx",
     "POST / [1] Host=a Content-Length=1; \"x\"; end"},
    {"CodingCannotBeNamed", "RFC 9112 section 6.1", with("Connection: transfer-encoding\r\n"),
     "POST / [chunked] Host=a; end"},
    {"CredentialsCannotBeNamed", "RFC 9110 section 7.6.1",
     without_body("Connection: cookie, Authorization, X-Forwarded-For, cache-control\r\nCookie: "
                  "c\r\nAuthorization: d\r\n"
                  "X-Forwarded-For: e\r\nCache-Control: f\r\n"),
     "GET / [none] Host=a Cookie=c Authorization=d X-Forwarded-For=e Cache-Control=f; end"},
    {"UpgradeToWebSocket", "RFC 9110 section 7.8",
     without_body("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"),
     "GET / upgrade=websocket [none] Host=a; end"},
    {"UpgradeToOneOfMany", "RFC 9110 section 7.8",
     without_body("Connection: upgrade\r\nUpgrade: h2c, websocket\r\n"),
     "GET / upgrade=websocket [none] Host=a; end"},
    {"UpgradeThatConnectionDoesNotName", "RFC 9110 section 7.8", without_body("Upgrade: websocket\r\n"),
     "GET / [none] Host=a; end"},
    {"UpgradeToHttp2", "RFC 9113 section 3.1",
     without_body("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"),
     "GET / [none] Host=a; end"},
    {"UpgradeToAVersion", "RFC 9110 section 7.8",
     without_body("Connection: upgrade\r\nUpgrade: websocket/13\r\n"), "GET / [none] Host=a; end"},
    {"UpgradeInOldVersion", "RFC 9110 section 7.8",
     "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "GET / 1.0 last [none]; end"},
    {"TrailersWanted", "RFC 9110 section 10.1.4",
     without_body("Connection: TE\r\nTE: gzip;q=1, Trailers\r\n"), "GET / te [none] Host=a; end"},
    {"TrailersWantedInOldVersion", "RFC 9110 section 10.1.4", "GET / HTTP/1.0\r\nTE: trailers\r\n\r\n",
     "GET / 1.0 last [none]; end"},
    {"Expects", "RFC 9110 section 10.1.1", with("Expect: 100-Continue\r\n"),
     "POST / expect [chunked] Host=a Expect=100-Continue; end"},
    {"ExpectsWithoutBody", "RFC 9110 section 10.1.1", without_body("Expect: 100-continue\r\n"),
     "GET / [none] Host=a; end"},
    {"ExpectsInOldVersion", "RFC 9110 section 10.1.1",
     "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
     "POST / 1.0 last [1] Content-Length=1; \"x\"; end"},
};
INSTANTIATE_TEST_SUITE_P(Hops, Requests, testing::ValuesIn(hops), case_name);

}  // namespace
}  // namespace perilune::http
