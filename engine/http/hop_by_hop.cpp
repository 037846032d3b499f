#include "http/hop_by_hop.hpp"

#include <algorithm>
#include <array>

#include "base/text_words.hpp"
#include "http/fault.hpp"

namespace perilune::http {

using message::BodyKind;
using message::Head;
using message::Headers;
using message::Name;
using message::Version;

namespace {

/// Calls `visit(token)` for each element of a list-valued field (RFC 9110 section 5.6.1).
template <typename Visit>
void each_token(const Headers& headers, Name name, Visit&& visit) {
  headers.each_of(name, [&](std::string_view value) {
    while (!value.empty()) {
      const size_t comma = std::min(value.find(','), value.size());
      const std::string_view token = trim(value.substr(0, comma));
      if (!token.empty()) visit(token);
      value.remove_prefix(std::min(comma + 1, value.size()));
    }
  });
}

bool is_for_every_recipient(std::string_view name) {
  switch (message::name_of(name)) {
    case Name::Host:
    case Name::ContentLength:
    case Name::ContentType:
    case Name::ContentEncoding:
    case Name::Expect:
    case Name::Date:
    case Name::ETag:
    case Name::Cookie:
    case Name::SetCookie: return true;
    case Name::Other: break;
    default: return false;
  }
  static constexpr std::array<std::string_view, 8> others{
      "authorization", "www-authenticate", "cache-control", "forwarded",
      "via",           "location",         "range",         "content-range"};
  if (equal_ignoring_case(name.substr(0, 12), "x-forwarded-") || equal_ignoring_case(name, "x-real-ip"))
    return true;
  return std::any_of(others.begin(), others.end(),
                     [&](auto other) { return equal_ignoring_case(other, name); });
}

struct ConnectionOptions {
  bool close = false;
  bool keep_alive = false;
  bool upgrade = false;
  size_t count = 0;
};

/// Reads Connection and removes what it names.
ConnectionOptions take_connection_options(Headers& headers) {
  ConnectionOptions options;
  if (!headers.has(Name::Connection)) return options;
  each_token(headers, Name::Connection, [&](std::string_view token) {
    if (++options.count > connection_options_max) return;
    if (equals_lower(token, "close")) options.close = true;
    else if (equals_lower(token, "keep-alive")) options.keep_alive = true;
    else if (equals_lower(token, "upgrade")) options.upgrade = true;
    // Those with a name of their own go below, once they have been read.
    else if (message::name_of(token) == Name::Other && !is_for_every_recipient(token)) headers.remove(token);
  });
  return options;
}

/// `timeout=5, max=100` (RFC 2068 section 19.7.1.1, which no later text defines and many servers send): how
/// long an idle connection is kept; no more requests than `max` are taken, so 0 ends it.
void read_keep_alive(message::ResponseHead& head) {
  each_token(head.headers, Name::KeepAlive, [&](std::string_view parameter) {
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) return;
    const std::string_view name = parameter.substr(0, equals);
    const auto value = parse_decimal(parameter.substr(equals + 1));
    if (!value) return;
    constexpr uint64_t day = 86'400;
    if (equal_ignoring_case(name, "timeout")) {
      if (*value == 0) head.keep_alive = false;
      head.keep_alive_seconds = static_cast<uint32_t>(std::min(*value, day));
    } else if (equal_ignoring_case(name, "max") && *value == 0) {
      head.keep_alive = false;
    }
  });
}

constexpr message::NameSet own_fields{
    Name::Connection,        Name::KeepAlive, Name::ProxyConnection, Name::Te,
    Name::TransferEncoding,  Name::Upgrade,   Name::Http2Settings,   Name::ProxyAuthenticate,
    Name::ProxyAuthorization};

/// What is the same for requests and responses. The number of connection options is the caller's to judge.
size_t remove_common(Head& head, bool may_upgrade) {
  const ConnectionOptions options = take_connection_options(head.headers);
  // RFC 9112 section 9.3. A gateway takes part in HTTP/1.0 keep-alive as a server does: its clients know it.
  head.keep_alive = !options.close && (head.version == Version::Http11 || options.keep_alive);
  if (may_upgrade && options.upgrade && head.version == Version::Http11 &&
      head.headers.has_token(Name::Upgrade, "websocket"))
    head.upgrade = "websocket";
  if (head.body.kind != BodyKind::Chunked) head.headers.remove(Name::Trailer);
  return options.count;
}

}  // namespace

Result<void> remove_hop_by_hop(message::RequestHead& head) {
  Headers& headers = head.headers;
  if (remove_common(head, true) > connection_options_max)
    return fault(head.kind, ErrorCode::BadRequest, "too many connection options");

  if (headers.has(Name::Te) && head.version == Version::Http11)
    head.accepts_trailers = headers.has_token(Name::Te, "trailers");

  if (headers.has(Name::Expect)) {
    const bool has_body = head.body.kind == BodyKind::Chunked || head.body.length > 0;
    bool is_known = true;
    headers.each_of(Name::Expect, [&](std::string_view value) {
      is_known = is_known && equal_ignoring_case(value, "100-continue");
    });
    // HTTP/1.0 has no 1xx to answer with: the expectation is to be ignored (RFC 9110 section 10.1.1).
    if (head.version == Version::Http10 || (is_known && !has_body)) headers.remove(Name::Expect);
    else if (!is_known)
      return fault(head.kind, ErrorCode::ExpectationFailed, "an expectation that is not known");
    else head.expects_continue = true;
  }
  headers.remove(own_fields);
  return {};
}

Result<void> remove_hop_by_hop(message::ResponseHead& head) {
  // RFC 9110 section 15.5.22: a 426 says which protocol is wanted; elsewhere Upgrade only advertises.
  if (remove_common(head, head.status == 101 || head.status == 426) > connection_options_max)
    return fault(head.kind, ErrorCode::BadRequest, "too many connection options");
  if (head.headers.has(Name::KeepAlive)) read_keep_alive(head);
  if (head.body.kind == BodyKind::UntilClose) head.keep_alive = false;
  if (head.status < 200 || head.status == 204 || head.body.kind == BodyKind::Tunnel)
    head.headers.remove(Name::ContentLength);
  head.headers.remove(own_fields);
  return {};
}

bool is_forbidden_trailer(std::string_view name) {
  const Name id = message::name_of(name);
  if (id != Name::Other) return id != Name::ETag;
  static constexpr std::array<std::string_view, 26> others{"age",
                                                           "authorization",
                                                           "cache-control",
                                                           "content-range",
                                                           "expires",
                                                           "forwarded",
                                                           "if-match",
                                                           "if-modified-since",
                                                           "if-none-match",
                                                           "if-range",
                                                           "location",
                                                           "if-unmodified-since",
                                                           "max-forwards",
                                                           "pragma",
                                                           "range",
                                                           "retry-after",
                                                           "www-authenticate",
                                                           "vary",
                                                           "warning",
                                                           "x-real-ip",
                                                           "x-forwarded-for",
                                                           "x-forwarded-host",
                                                           "x-forwarded-proto",
                                                           "x-forwarded-port",
                                                           "via",
                                                           "content-location"};
  return std::any_of(others.begin(), others.end(),
                     [&](auto other) { return equal_ignoring_case(other, name); });
}

}  // namespace perilune::http
