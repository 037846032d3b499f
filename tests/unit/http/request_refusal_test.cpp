#include "transcript.hpp"

// Requests that are refused: what one server reads in one way and the next in another, and what is no HTTP.
namespace perilune::http {
namespace {

using namespace std::string_literals;

struct Case {
  const char* name;
  const char* rule;
  std::string bytes;
  const char* code = "bad-request";
};

class RefusedRequests : public testing::TestWithParam<Case> {};

TEST_P(RefusedRequests, AreRefusedInAnyCut) {
  SCOPED_TRACE(GetParam().rule);
  expect_transcript(Kind::Request, GetParam().bytes, std::string("!client ") + GetParam().code);
}

std::string case_name(const testing::TestParamInfo<Case>& info) { return info.param.name; }

std::string line(std::string_view text) { return std::string(text) + "\r\nHost: a\r\n\r\n"; }
std::string field(std::string_view text) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(text) + "\r\n\r\n";
}
std::string host(std::string_view text) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(text) + "\r\n\r\n";
}
std::string post(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n\r\n0\r\n\r\n";
}

const std::vector<Case> start_lines{
    {"NoVersion", "RFC 9112 section 3", line("GET /")},
    {"Http09", "RFC 9112 section 3", "GET /\r\n"},
    {"NoTarget", "RFC 9112 section 3", line("GET HTTP/1.1")},
    {"NoMethod", "RFC 9112 section 3", line(" / HTTP/1.1")},
    {"TwoSpacesBeforeTarget", "RFC 9112 section 3", line("GET  / HTTP/1.1")},
    {"TwoSpacesBeforeVersion", "RFC 9112 section 3", line("GET /  HTTP/1.1")},
    {"SpaceAfterVersion", "RFC 9112 section 3", line("GET / HTTP/1.1 ")},
    {"SpaceInTarget", "RFC 9112 section 3.2", line("GET /a b HTTP/1.1")},
    {"TabBeforeTarget", "RFC 9112 section 3", line("GET\t/ HTTP/1.1")},
    {"TabBeforeVersion", "RFC 9112 section 3", line("GET /\tHTTP/1.1")},
    {"TabInTarget", "RFC 9112 section 3.2", line("GET /a\tb HTTP/1.1")},
    {"FormFeedInTarget", "RFC 9112 section 3.2", line("GET /a\fb HTTP/1.1")},
    {"NulInTarget", "RFC 9112 section 3.2", line("GET /a\0b HTTP/1.1"s)},
    {"DelInTarget", "RFC 9112 section 3.2", line("GET /a\x7f HTTP/1.1")},
    {"HighByteInTarget", "RFC 3986 section 2", line("GET /\xc3\xa4 HTTP/1.1")},
    {"FragmentInTarget", "RFC 9112 section 3.2", line("GET /a#b HTTP/1.1")},
    {"BareReturnInTarget", "RFC 9112 section 2.2", line("GET /a\rb HTTP/1.1")},
    {"BareReturnAfterVersion", "RFC 9112 section 2.2", line("GET / HTTP/1.1\r")},
    {"BareLineFeedAfterLine", "RFC 9112 section 2.2", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    {"MethodNoToken", "RFC 9110 section 9.1", line("G(T / HTTP/1.1")},
    {"MethodWithNul", "RFC 9110 section 9.1", line("G\0T / HTTP/1.1"s)},
    {"LowerCaseVersion", "RFC 9112 section 2.3", line("GET / http/1.1")},
    {"VersionOfTwoDigits", "RFC 9112 section 2.3", line("GET / HTTP/1.10")},
    {"VersionWithLeadingZero", "RFC 9112 section 2.3", line("GET / HTTP/01.1")},
    {"VersionWithoutMinor", "RFC 9112 section 2.3", line("GET / HTTP/1")},
    {"VersionWithComma", "RFC 9112 section 2.3", line("GET / HTTP/1,1")},
    {"VersionOfAnotherProtocol", "RFC 9112 section 2.3", line("GET / HTTQ/1.1")},
    {"VersionRtsp", "RFC 9112 section 2.3", line("DESCRIBE / RTSP/1.0")},
    {"Version09", "RFC 9110 section 15.6.6", line("GET / HTTP/0.9"), "unsupported-version"},
    {"Version12", "RFC 9110 section 2.5", line("GET / HTTP/1.2"), "unsupported-version"},
    {"Version20", "RFC 9110 section 15.6.6", line("GET / HTTP/2.0"), "unsupported-version"},
    {"Http2Preface", "RFC 9113 section 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "unsupported-version"},
    {"TlsClientHello", "RFC 9112 section 2.2", "\x16\x03\x01\x02"},
    {"TwoEmptyLinesBefore", "RFC 9112 section 2.2", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"BareLineFeedBefore", "RFC 9112 section 2.2", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"BareReturnBefore", "RFC 9112 section 2.2", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"SpaceBeforeFirstField", "RFC 9112 section 2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
};
INSTANTIATE_TEST_SUITE_P(StartLines, RefusedRequests, testing::ValuesIn(start_lines), case_name);

const std::vector<Case> targets{
    {"AsteriskForGet", "RFC 9112 section 3.2.4", line("GET * HTTP/1.1")},
    {"AuthorityForGet", "RFC 9112 section 3.2.3", line("GET b:80 HTTP/1.1")},
    {"OriginForConnect", "RFC 9112 section 3.2.3", line("CONNECT / HTTP/1.1")},
    {"AbsoluteForConnect", "RFC 9112 section 3.2.3", line("CONNECT http://b/ HTTP/1.1")},
    {"ConnectWithoutPort", "RFC 9110 section 9.3.6", line("CONNECT b HTTP/1.1")},
    {"ConnectWithEmptyPort", "RFC 9110 section 9.3.6", line("CONNECT b: HTTP/1.1")},
    {"ConnectIPv6WithoutPort", "RFC 9110 section 9.3.6", line("CONNECT [::1] HTTP/1.1")},
    {"ConnectWithUserInfo", "RFC 9110 section 9.3.6", line("CONNECT u@b:80 HTTP/1.1")},
    {"RelativePath", "RFC 9112 section 3.2.1", line("GET a/b HTTP/1.1")},
    {"UnknownScheme", "RFC 9112 section 3.2.2", line("GET ftp://b/ HTTP/1.1")},
    {"SchemeOnly", "RFC 9112 section 3.2.2", line("GET http:// HTTP/1.1")},
    {"SchemeWithoutAuthority", "RFC 9110 section 4.2.1", line("GET http:///p HTTP/1.1")},
    {"SchemeWithOneSlash", "RFC 9112 section 3.2.2", line("GET http:/b/ HTTP/1.1")},
    {"UserInfoInTarget", "RFC 9110 section 4.2.4", line("GET http://b@c/ HTTP/1.1")},
    {"BackslashInAuthority", "RFC 3986 section 3.2", line("GET http://b\\c/ HTTP/1.1")},
    {"PortTooLargeInTarget", "RFC 3986 section 3.2.3", line("GET http://b:65536/ HTTP/1.1")},
    {"AbsoluteWithoutHost", "RFC 9112 section 3.2.2", "GET http://b/ HTTP/1.1\r\n\r\n"},
    {"AbsoluteWithMalformedHost", "RFC 9112 section 3.2.2", "GET http://b/ HTTP/1.1\r\nHost: a/b\r\n\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Targets, RefusedRequests, testing::ValuesIn(targets), case_name);

const std::vector<Case> hosts{
    {"None", "RFC 9112 section 3.2", "GET / HTTP/1.1\r\n\r\n"},
    {"Two", "RFC 9112 section 3.2", host("a\r\nHost: b")},
    {"TwoEqual", "RFC 9112 section 3.2", host("a\r\nHost: a")},
    {"TwoInOldVersion", "RFC 9112 section 3.2", "GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n"},
    {"Empty", "RFC 9110 section 4.2.1", host("")},
    {"List", "RFC 9112 section 3.2", host("a, b")},
    {"ListWithoutSpace", "RFC 9112 section 3.2", host("a,b")},
    {"WithSpace", "RFC 9112 section 3.2", host("a b")},
    {"WithSlash", "RFC 9112 section 3.2", host("a/b")},
    {"WithUserInfo", "RFC 9112 section 3.2", host("u@a")},
    {"WithPercent", "RFC 9112 section 3.2", host("%61")},
    {"WithScheme", "RFC 9112 section 3.2", host("http://a")},
    {"HighByte", "RFC 9112 section 3.2", host("\xe4")},
    {"PortNoNumber", "RFC 3986 section 3.2.3", host("a:8x")},
    {"PortSigned", "RFC 3986 section 3.2.3", host("a:+80")},
    {"PortTooLarge", "RFC 3986 section 3.2.3", host("a:65536")},
    {"TwoPorts", "RFC 3986 section 3.2.3", host("a:80:80")},
    {"PortOnly", "RFC 3986 section 3.2.2", host(":80")},
    {"OpenBracket", "RFC 3986 section 3.2.2", host("[::1")},
    {"EmptyBrackets", "RFC 3986 section 3.2.2", host("[]")},
    {"BracketsAroundAName", "RFC 3986 section 3.2.2", host("[a]")},
    {"BracketsWithText", "RFC 3986 section 3.2.2", host("[::1]a")},
    {"BracketsTooLong", "RFC 3986 section 3.2.2", host("[" + std::string(60, ':') + "]")},
};
INSTANTIATE_TEST_SUITE_P(Hosts, RefusedRequests, testing::ValuesIn(hosts), case_name);

const std::vector<Case> fields{
    {"SpaceBeforeColon", "RFC 9112 section 5.1", field("X : y")},
    {"TabBeforeColon", "RFC 9112 section 5.1", field("X\t: y")},
    {"SpaceBeforeColonOfLength", "RFC 9112 section 5.1", post("Content-Length : 5")},
    {"SpaceBeforeColonOfCoding", "RFC 9112 section 5.1", post("Transfer-Encoding : chunked")},
    {"EmptyName", "RFC 9110 section 5.1", field(": y")},
    {"NoColon", "RFC 9112 section 5", field("X")},
    {"FoldedBySpace", "RFC 9112 section 5.2", field("X: y\r\n z")},
    {"FoldedByTab", "RFC 9112 section 5.2", field("X: y\r\n\tz")},
    {"FoldedLength", "RFC 9112 section 5.2", post("Content-Length:\r\n 5")},
    {"FoldedCoding", "RFC 9112 section 5.2", post("Transfer-Encoding:\r\n chunked")},
    {"BlankLineThatIsNotEmpty", "RFC 9112 section 5.2", field("X: y\r\n ")},
    {"NulInName", "RFC 9110 section 5.6.2", field("X\0Y: z"s)},
    {"HighByteInName", "RFC 9110 section 5.6.2", field("X\xe4: z")},
    {"SpaceInName", "RFC 9110 section 5.6.2", field("X Y: z")},
    {"ParenthesisInName", "RFC 9110 section 5.6.2", field("X(Y): z")},
    {"SlashInName", "RFC 9110 section 5.6.2", field("X/Y: z")},
    {"VerticalTabInName", "RFC 9110 section 5.6.2", post("\vTransfer-Encoding: chunked")},
    {"NulInValue", "RFC 9110 section 5.5", field("X: a\0b"s)},
    {"EscapeInValue", "RFC 9110 section 5.5", field("X: a\x1b")},
    {"DelInValue", "RFC 9110 section 5.5", field("X: a\x7f")},
    {"VerticalTabInValue", "RFC 9110 section 5.5", field("X: \va")},
    {"BareReturnInValue", "RFC 9112 section 2.2", field("X: a\rb")},
    {"BareReturnHidesAField", "RFC 9112 section 2.2", field("X: a\rContent-Length: 5")},
    {"BareReturnAtEndOfValue", "RFC 9112 section 2.2", field("X: a\r")},
    {"BareReturnAtBeginOfValue", "RFC 9112 section 2.2", field("X:\ra")},
    {"BareReturnInName", "RFC 9112 section 2.2", field("X\r: a")},
    {"BareLineFeedAfterField", "RFC 9112 section 2.2", field("X: a\nY: b")},
    {"BareLineFeedEndsHead", "RFC 9112 section 2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    {"BareLineFeedsEndHead", "RFC 9112 section 2.2", "GET / HTTP/1.1\r\nHost: a\n\n"},
    {"ReturnsEndHead", "RFC 9112 section 2.2", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"},
    {"TooManyConnectionOptions", "RFC 9110 section 7.6.1",
     field("Connection: " +
           [] {
             std::string options;
             for (int i = 0; i < 65; ++i) options += "a,";
             return options;
           }())},
    {"UnknownExpectation", "RFC 9110 section 10.1.1", field("Expect: 200-ok"), "expectation-failed"},
    {"ExpectationList", "RFC 9110 section 10.1.1", field("Expect: 100-continue, x"), "expectation-failed"},
    {"ExpectationEmpty", "RFC 9110 section 10.1.1", field("Expect:"), "expectation-failed"},
    {"ExpectationsTwoKinds", "RFC 9110 section 10.1.1", field("Expect: 100-continue\r\nExpect: x"),
     "expectation-failed"},
};
INSTANTIATE_TEST_SUITE_P(Fields, RefusedRequests, testing::ValuesIn(fields), case_name);

const std::vector<Case> lengths{
    {"WithCoding", "RFC 9112 section 6.1", post("Content-Length: 5\r\nTransfer-Encoding: chunked"),
     "ambiguous-body"},
    {"BehindCoding", "RFC 9112 section 6.1", post("Transfer-Encoding: chunked\r\nContent-Length: 5"),
     "ambiguous-body"},
    {"ZeroWithCoding", "RFC 9112 section 6.1", post("Content-Length: 0\r\nTransfer-Encoding: chunked"),
     "ambiguous-body"},
    {"WithIdentity", "RFC 9112 section 6.1", post("Content-Length: 5\r\nTransfer-Encoding: identity"),
     "ambiguous-body"},
    {"WithEmptyCoding", "RFC 9112 section 6.1", post("Content-Length: 5\r\nTransfer-Encoding:"),
     "ambiguous-body"},
    {"WithCodingInOldVersion", "RFC 9112 section 6.1",
     "POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "ambiguous-body"},
    {"TwoDifferent", "RFC 9112 section 6.3", post("Content-Length: 5\r\nContent-Length: 6"), "bad-length"},
    {"TwoEqual", "RFC 9110 section 8.6", post("Content-Length: 5\r\ncontent-length: 5"), "bad-length"},
    {"List", "RFC 9110 section 8.6", post("Content-Length: 5, 5"), "bad-length"},
    {"ListOfDifferent", "RFC 9110 section 8.6", post("Content-Length: 5,6"), "bad-length"},
    {"Empty", "RFC 9110 section 8.6", post("Content-Length:"), "bad-length"},
    {"Plus", "RFC 9110 section 8.6", post("Content-Length: +5"), "bad-length"},
    {"Minus", "RFC 9110 section 8.6", post("Content-Length: -5"), "bad-length"},
    {"MinusZero", "RFC 9110 section 8.6", post("Content-Length: -0"), "bad-length"},
    {"Hexadecimal", "RFC 9110 section 8.6", post("Content-Length: 0x5"), "bad-length"},
    {"HexadecimalDigits", "RFC 9110 section 8.6", post("Content-Length: a"), "bad-length"},
    {"Fraction", "RFC 9110 section 8.6", post("Content-Length: 5.0"), "bad-length"},
    {"Exponent", "RFC 9110 section 8.6", post("Content-Length: 1e1"), "bad-length"},
    {"SpaceInside", "RFC 9110 section 8.6", post("Content-Length: 5 5"), "bad-length"},
    {"Quoted", "RFC 9110 section 8.6", post("Content-Length: \"5\""), "bad-length"},
    {"Above63Bits", "RFC 9110 section 8.6", post("Content-Length: 9223372036854775808"), "bad-length"},
    {"Above64Bits", "RFC 9110 section 8.6", post("Content-Length: 18446744073709551621"), "bad-length"},
    {"VeryLong", "RFC 9110 section 8.6", post("Content-Length: " + std::string(100, '9')), "bad-length"},
    {"HighDigits", "RFC 9110 section 8.6", post("Content-Length: \xd9\xa5"), "bad-length"},
    {"ConnectWithLength", "RFC 9110 section 9.3.6",
     "CONNECT b:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
    {"ConnectChunked", "RFC 9110 section 9.3.6",
     "CONNECT b:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Lengths, RefusedRequests, testing::ValuesIn(lengths), case_name);

constexpr const char* unknown = "unsupported-transfer-coding";
const std::vector<Case> codings{
    {"Identity", "RFC 9112 section 6.1", post("Transfer-Encoding: identity"), unknown},
    {"Gzip", "RFC 9112 section 6.1", post("Transfer-Encoding: gzip"), unknown},
    {"GzipThenChunked", "RFC 9112 section 6.1", post("Transfer-Encoding: gzip, chunked"), unknown},
    {"ChunkedThenGzip", "RFC 9112 section 6.1", post("Transfer-Encoding: chunked, gzip"), unknown},
    {"ChunkedThenIdentity", "RFC 9112 section 6.1", post("Transfer-Encoding: chunked, identity"), unknown},
    {"ChunkedTwice", "RFC 9112 section 6.1", post("Transfer-Encoding: chunked, chunked"), unknown},
    {"ChunkedInTwoFields", "RFC 9112 section 6.1",
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), unknown},
    {"IdentityInASecondField", "RFC 9112 section 6.1",
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), unknown},
    {"Empty", "RFC 9112 section 6.1", post("Transfer-Encoding:"), unknown},
    {"EmptyElement", "RFC 9112 section 6.1", post("Transfer-Encoding: chunked,"), unknown},
    {"Misspelt", "RFC 9112 section 6.1", post("Transfer-Encoding: xchunked"), unknown},
    {"Prefix", "RFC 9112 section 6.1", post("Transfer-Encoding: chunk"), unknown},
    {"Longer", "RFC 9112 section 6.1", post("Transfer-Encoding: chunkedx"), unknown},
    {"Parameter", "RFC 9112 section 7", post("Transfer-Encoding: chunked;q=1"), unknown},
    {"Quoted", "RFC 9112 section 7", post("Transfer-Encoding: \"chunked\""), unknown},
    {"SpaceInside", "RFC 9112 section 7", post("Transfer-Encoding: chun ked"), unknown},
    {"HighByte", "RFC 9112 section 7",
     post("Transfer-Encoding: \xa0"
          "chunked"),
     unknown},
    {"VerticalTab", "RFC 9110 section 5.5", post("Transfer-Encoding: \vchunked")},
    {"FormFeed", "RFC 9110 section 5.5", post("Transfer-Encoding: chunked\f")},
    {"Nul", "RFC 9110 section 5.5", post("Transfer-Encoding: chunked\0"s)},
    {"OldVersion", "RFC 9112 section 6.1", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
};
INSTANTIATE_TEST_SUITE_P(Codings, RefusedRequests, testing::ValuesIn(codings), case_name);

/// Refused once the head was given out.
class RefusedBodies : public testing::TestWithParam<Case> {};

TEST_P(RefusedBodies, AreRefusedInAnyCut) {
  SCOPED_TRACE(GetParam().rule);
  expect_transcript(Kind::Request,
                    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + GetParam().bytes,
                    std::string("POST / [chunked] Host=a; ") + GetParam().code);
}

const std::vector<Case> chunks{
    {"NoSize", "RFC 9112 section 7.1", "\r\nabc\r\n", "!client bad-chunk"},
    {"NoHexadecimal", "RFC 9112 section 7.1", "g\r\n", "!client bad-chunk"},
    {"Prefixed", "RFC 9112 section 7.1", "0x1\r\na\r\n", "!client bad-chunk"},
    {"Plus", "RFC 9112 section 7.1", "+1\r\na\r\n", "!client bad-chunk"},
    {"Minus", "RFC 9112 section 7.1", "-1\r\na\r\n", "!client bad-chunk"},
    {"SpaceBefore", "RFC 9112 section 7.1", " 1\r\na\r\n", "!client bad-chunk"},
    {"SpaceBehind", "RFC 9112 section 7.1", "1 \r\na\r\n", "!client bad-chunk"},
    {"SpaceBeforeExtension", "RFC 9112 section 7.1.1", "1 ;a\r\na\r\n", "!client bad-chunk"},
    {"TabBehind", "RFC 9112 section 7.1", "1\t\r\na\r\n", "!client bad-chunk"},
    {"Underscore", "RFC 9112 section 7.1", "1_0\r\n", "!client bad-chunk"},
    {"Comma", "RFC 9112 section 7.1", "1,\r\n", "!client bad-chunk"},
    {"Nul", "RFC 9112 section 7.1", "1\0\r\n"s, "!client bad-chunk"},
    {"Above64Bits", "RFC 9112 section 7.1", "10000000000000000\r\n", "!client bad-chunk"},
    {"ManyZeros", "RFC 9112 section 7.1", "00000000000000001\r\n", "!client bad-chunk"},
    {"BareLineFeedAfterSize", "RFC 9112 section 7.1", "1\na\r\n", "!client bad-chunk"},
    {"BareReturnAfterSize", "RFC 9112 section 7.1", "1\ra\r\n", "!client bad-chunk"},
    {"TwoReturnsAfterSize", "RFC 9112 section 7.1", "1\r\r\na\r\n", "!client bad-chunk"},
    {"BareLineFeedInExtension", "RFC 9112 section 7.1.1", "1;a\na\r\n", "!client bad-chunk"},
    {"BareReturnInExtension", "RFC 9112 section 7.1.1", "1;a\rb\r\n", "!client bad-chunk"},
    {"LineFeedInQuotes", "RFC 9112 section 7.1.1", "1;a=\"\n\"\r\n", "!client bad-chunk"},
    {"LineEndInQuotes", "RFC 9112 section 7.1.1", "1;a=\"\r\n\"\r\nx\r\n", "!client bad-chunk"},
    {"ReturnEscapedInQuotes", "RFC 9112 section 7.1.1", "1;a=\"\\\r\n", "!client bad-chunk"},
    {"OpenQuotes", "RFC 9112 section 7.1.1", "1;a=\"b\r\nx\r\n", "!client bad-chunk"},
    {"ExtensionWithoutName", "RFC 9112 section 7.1.1", "1;\r\nx\r\n", "!client bad-chunk"},
    {"ExtensionWithoutValue", "RFC 9112 section 7.1.1", "1;a=\r\nx\r\n", "!client bad-chunk"},
    {"ExtensionOfTwoWords", "RFC 9112 section 7.1.1", "1;a b\r\nx\r\n", "!client bad-chunk"},
    {"ExtensionWithControlByte", "RFC 9112 section 7.1.1", "1;a=\x01\r\nx\r\n", "!client bad-chunk"},
    {"NoLineEndAfterData", "RFC 9112 section 7.1", "1\r\nab\r\n", "\"a\"; !client bad-chunk"},
    {"LineFeedAfterData", "RFC 9112 section 7.1", "1\r\na\n0\r\n\r\n", "\"a\"; !client bad-chunk"},
    {"BareReturnAfterData", "RFC 9112 section 7.1", "1\r\na\r0\r\n\r\n", "\"a\"; !client bad-chunk"},
    {"DataLongerThanSaid", "RFC 9112 section 7.1", "2\r\nabcd\r\n0\r\n\r\n", "\"ab\"; !client bad-chunk"},
    {"SignInSecondSize", "RFC 9112 section 7.1", "1\r\na\r\n+0\r\n\r\n", "\"a\"; !client bad-chunk"},
    {"TrailerBareLineFeed", "RFC 9112 section 7.1.2", "0\r\nX: y\n\r\n", "!client bad-request"},
    {"TrailerEndsWithLineFeed", "RFC 9112 section 7.1.2", "0\r\n\n", "!client bad-request"},
    {"TrailerFolded", "RFC 9112 section 5.2", "0\r\nX: y\r\n z\r\n\r\n", "!client bad-request"},
    {"TrailerSpaceBeforeColon", "RFC 9112 section 5.1", "0\r\nX : y\r\n\r\n", "!client bad-request"},
    {"TrailerNoColon", "RFC 9112 section 5", "0\r\nGET / HTTP/1.1\r\n\r\n", "!client bad-request"},
    {"TrailerControlByte", "RFC 9110 section 5.5", "0\r\nX: \x01\r\n\r\n", "!client bad-request"},
    {"TruncatedSize", "RFC 9112 section 8", "1", "!client truncated"},
    {"TruncatedData", "RFC 9112 section 8", "5\r\nab", "\"ab\"; !client truncated"},
    {"TruncatedBeforeLast", "RFC 9112 section 8", "1\r\na\r\n", "\"a\"; !client truncated"},
    {"TruncatedLast", "RFC 9112 section 8", "0\r\n", "!client truncated"},
    {"TruncatedTrailers", "RFC 9112 section 8", "0\r\nX: y\r\n", "!client truncated"},
};
INSTANTIATE_TEST_SUITE_P(Chunks, RefusedBodies, testing::ValuesIn(chunks), case_name);

const std::vector<Case> ends{
    {"InMethod", "RFC 9112 section 8", "G", "truncated"},
    {"InLine", "RFC 9112 section 8", "GET / HTTP/1.1\r", "truncated"},
    {"InFields", "RFC 9112 section 8", "GET / HTTP/1.1\r\nHost: a\r\n", "truncated"},
    {"BeforeLastByte", "RFC 9112 section 8", "GET / HTTP/1.1\r\nHost: a\r\n\r", "truncated"},
};
INSTANTIATE_TEST_SUITE_P(Truncated, RefusedRequests, testing::ValuesIn(ends), case_name);

}  // namespace
}  // namespace perilune::http
