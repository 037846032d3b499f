#pragma once

#include <algorithm>

#include "fuzz.hpp"
#include "h1_messages.hpp"
#include "http/field_lines.hpp"
#include "http/framing.hpp"
#include "http/grammar.hpp"
#include "http/second_opinion.hpp"
#include "http/transcript.hpp"
#include "plain_reader.hpp"

/// What h1_request and h1_response promise alike.
namespace perilune::fuzz {

/// A failed expectation inside a transcript ends the program, where the fuzzer sees it.
inline const bool expectations_abort = [] {
  GTEST_FLAG_SET(break_on_failure, true);
  return true;
}();

/// Limits that short inputs reach.
inline constexpr http::ParserLimits small_limits{.head_bytes_max = 160,
                                                 .head_fields_max = 5,
                                                 .request_line_bytes_max = 40,
                                                 .chunk_line_bytes_max = 12,
                                                 .interim_responses_max = 2};

inline const http::ParserLimits& limits_of(uint32_t seed) {
  return seed % 4 == 0 ? small_limits : http::default_parser_limits;
}

inline std::vector<std::string_view> cut(std::string_view text, Cuts cuts) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    pieces.push_back(text.substr(0, cuts.next()));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

/// The pieces one behind the other in one chunk, as reads of one connection come, and pulled now and then.
inline std::string transcript_in_one_chunk(http::Kind kind, std::string_view text, Cuts cuts,
                                           std::span<const http::Asked> asked,
                                           const http::ParserLimits& limits) {
  buffer::ChunkPool pool(text.size(), 0);
  buffer::Slice all = http::own_slice(text, pool);
  http::Transcript transcript(kind, asked, limits);
  while (!all.empty()) {
    const size_t size = cuts.next();
    transcript.feed(all.take_front(std::min(size, all.size())));
    if (size % 3 != 0) transcript.pull();
  }
  transcript.pull();
  transcript.finish();
  return transcript.text();
}

/// The same bytes are the same events, however they come; and all memory is given back.
inline void read_in_all_cuts(http::Kind kind, std::string_view text, std::span<const http::Asked> asked,
                             uint32_t seed) {
  using http::Pulling;
  if (text.empty()) return;
  const http::ParserLimits& limits = limits_of(seed);
  const std::vector<std::string_view> one{text};
  const std::vector<std::string_view> pieces = cut(text, Cuts(seed));
  const std::string whole = transcript_of(kind, one, Pulling::AfterAll, asked, limits);
  const std::string each = transcript_of(kind, pieces, Pulling::AfterEachPiece, asked, limits);
  require(whole == each, "cut and pulled, it reads the same", whole, each);
  const std::string at_last = transcript_of(kind, pieces, Pulling::AfterAll, asked, limits);
  require(whole == at_last, "cut, it reads the same", whole, at_last);
  const std::string together = transcript_in_one_chunk(kind, text, Cuts(seed), asked, limits);
  require(whole == together, "in one chunk, it reads the same", whole, together);
  if (text.size() > 600) return;
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  const std::string single = transcript_of(kind, bytes, Pulling::AfterEachPiece, asked, limits);
  require(whole == single, "byte by byte, it reads the same", whole, single);
}

/// What only this hop is told (RFC 9110 section 7.6.1), and what is for a proxy.
inline bool is_for_this_hop(std::string_view name) {
  constexpr std::string_view names[] = {
      "connection",     "keep-alive",         "proxy-connection",   "te", "upgrade", "transfer-encoding",
      "http2-settings", "proxy-authenticate", "proxy-authorization"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Where Host has its value from.
enum class HostFrom : uint8_t { Field, Target };

/// The parser's fields are those that stand there, in their order; none is missing but for a reason.
inline void compare_fields(const PlainMessage& plain, const message::Head& head, HostFrom host_from) {
  std::string named;
  for (const auto& [name, value] : plain.fields)
    if (name == "connection") named += "," + PlainReader::lower(value) + ",";
  std::erase_if(named, [](char c) { return c == ' ' || c == '\t'; });

  const auto is_host_new = [&](std::string_view name) {
    return host_from == HostFrom::Target && name == "host";
  };
  auto next = plain.fields.begin();
  const auto skip = [&](std::string_view wanted, std::string_view value) {
    for (; next != plain.fields.end(); ++next) {
      if (next->first == wanted && (next->second == value || is_host_new(wanted))) return;
      const bool may_go = is_for_this_hop(next->first) || next->first == "trailer" ||
                          next->first == "expect" || next->first == "content-length" ||
                          named.find("," + next->first + ",") != std::string::npos;
      require(may_go, "no field is lost", plain.first_line, next->first);
    }
  };
  head.headers.each([&](std::string_view name, std::string_view value, message::Name) {
    const std::string lower = PlainReader::lower(std::string(name));
    require(!is_for_this_hop(lower), "what is for this hop only is gone", plain.first_line, name);
    skip(lower, value);
    if (next == plain.fields.end()) {
      require(is_host_new(lower), "no field is invented", name, value);
      return;
    }
    ++next;
  });
  skip("", "");
}

inline void require_within(const http::ParserLimits& limits, const PlainMessage& plain) {
  require(plain.head_bytes <= limits.head_bytes_max, "a head is no longer than it may be", plain.first_line);
  require(plain.fields.size() <= limits.head_fields_max, "there are no more fields than there may be",
          plain.first_line);
  require(plain.trailers.size() <= limits.head_fields_max, "nor trailers", plain.first_line);
}

/// Fields that change how a message is framed, routed, or read never come behind it (RFC 9110 section 6.5.1).
inline bool is_no_trailer(std::string_view name) {
  constexpr std::string_view names[] = {
      "transfer-encoding", "content-length", "host",     "authorization",
      "content-encoding",  "content-type",   "cookie",   "set-cookie",
      "content-range",     "cache-control",  "expect",   "te",
      "trailer",           "connection",     "upgrade",  "max-forwards",
      "x-forwarded-for",   "date",           "location", "proxy-authorization"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

inline void compare_bodies(const PlainMessage& plain, const Message& message) {
  require(plain.body == message.body, "bodies are the same to a plain reader", plain.body, message.body);
  auto next = plain.trailers.begin();
  const auto skip = [&](std::string_view name, std::string_view value) {
    for (; next != plain.trailers.end() && (next->first != name || next->second != value); ++next)
      require(next->first != "etag" && next->first.size() > 1, "no trailer is lost", plain.first_line,
              next->first);
  };
  if (message.trailers)
    message.trailers->headers.each([&](std::string_view name, std::string_view value, message::Name) {
      const std::string lower = PlainReader::lower(std::string(name));
      require(!is_no_trailer(lower), "what cannot be a trailer is gone", plain.first_line, name);
      skip(lower, value);
      require(next != plain.trailers.end(), "trailers are those that stand there", name, value);
      ++next;
    });
  skip("", "");
}

inline Result<message::BodyFraming> framing_of(const message::RequestHead& head) {
  return http::request_framing(head);
}
inline Result<message::BodyFraming> framing_of(const message::ResponseHead& head) {
  return http::response_framing(head, "GET");
}

/// llhttp, which is not asked about a head that is beyond doubt, has nothing to say about it. `head` has its
/// start line; `line` is that, and `text` all.
template <typename Head>
void ask_llhttp(Ref<Head> head, std::string_view text, size_t line_size) {
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return;
  const std::string_view section = text.substr(0, end + 4);
  // It refuses a tab behind a length. Nobody reads another length there, and what goes on is written anew.
  if (section.find("\t\r\n") != std::string_view::npos || section.find("\t \r\n") != std::string_view::npos)
    return;
  const auto kind = head->is_request() ? http::Kind::Request : http::Kind::Response;
  if (!http::parse_field_lines(section.substr(line_size + 2), kind, head->headers)) return;
  const auto framing = framing_of(*head);
  if (!framing) return;
  head->body = *framing;
  if (!http::is_beyond_doubt(*head)) return;
  const char* detail = http::objection(section, *head);
  require(!detail, "a second parser agrees", section, detail ? detail : "");
}

}  // namespace perilune::fuzz
