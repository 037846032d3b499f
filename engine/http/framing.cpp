#include "http/framing.hpp"

#include <cstdint>
#include <limits>

#include "base/text.hpp"
#include "http/fault.hpp"

namespace perilune::http {

using message::BodyFraming;
using message::BodyKind;
using message::Head;
using message::Name;
using message::Version;
using namespace std::literals;

namespace {

constexpr BodyFraming no_body{BodyKind::None, 0};

/// What Content-Length and Transfer-Encoding say; UntilClose when neither is there.
Result<BodyFraming> stated_framing(const Head& head) {
  const bool has_length = head.headers.has(Name::ContentLength);
  const bool has_coding = head.headers.has(Name::TransferEncoding);
  if (!has_length && !has_coding) return BodyFraming{BodyKind::UntilClose, 0};

  // Two answers to "how long" is how messages are smuggled: refuse, do not choose. RFC 9112 section 6.1 lets
  // a proxy prefer Transfer-Encoding; whoever is in front of us may have preferred the other.
  if (has_length && has_coding)
    return fault(head.kind, ErrorCode::AmbiguousBody, "Content-Length comes together with Transfer-Encoding");

  size_t fields = 0;
  std::string_view value;
  const auto count = [&](std::string_view field) {
    ++fields;
    value = field;
  };

  if (has_coding) {
    // An HTTP/1.0 sender does not know chunks, so one hop misread what it forwards (RFC 9112 section 6.1).
    if (head.version == Version::Http10)
      return fault(head.kind, ErrorCode::BadRequest, "Transfer-Encoding in HTTP/1.0");
    head.headers.each_of(Name::TransferEncoding, count);
    if (fields != 1 || !equal_ignoring_case(value, "chunked"))
      return fault(head.kind, ErrorCode::UnsupportedTransferCoding, "Transfer-Encoding is not chunked");
    return BodyFraming{BodyKind::Chunked, 0};
  }

  head.headers.each_of(Name::ContentLength, count);
  // Repeated equal values may be folded into one by RFC 9110 section 8.6; no sane sender needs it.
  if (fields != 1) return fault(head.kind, ErrorCode::BadLength, "Content-Length comes more than once");
  const auto length = parse_decimal(value);
  if (!length || *length > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    return fault(head.kind, ErrorCode::BadLength, "Content-Length is not a number");
  return BodyFraming{BodyKind::Length, *length};
}

bool opens_tunnel(int status, std::string_view request_method) {
  return status == 101 || (request_method == "CONNECT" && status >= 200 && status < 300);
}

}  // namespace

Result<BodyFraming> request_framing(const message::RequestHead& head) {
  const auto stated = stated_framing(head);
  if (!stated) return stated;
  // Nothing said means nothing there: a request never ends with its connection.
  if (stated->kind == BodyKind::UntilClose) return no_body;
  if (head.method == "CONNECT"sv) {
    if (stated->kind != BodyKind::Length || stated->length != 0)
      return fault(head.kind, ErrorCode::BadRequest, "CONNECT with a body");
    return no_body;
  }
  return stated;
}

Result<BodyFraming> response_framing(const message::ResponseHead& head, std::string_view request_method) {
  if (opens_tunnel(head.status, request_method)) return BodyFraming{BodyKind::Tunnel, 0};
  const auto stated = stated_framing(head);
  if (!stated) return stated;
  if (is_bodiless(head.status) || request_method == "HEAD") return no_body;
  return stated;
}

BodyFraming outgoing_request_framing(const message::RequestHead& head) {
  switch (head.body.kind) {
    case BodyKind::Length: return head.body;
    case BodyKind::Chunked:
    case BodyKind::Unknown: return {BodyKind::Chunked, 0};
    case BodyKind::None:
    case BodyKind::UntilClose:
    case BodyKind::Tunnel: break;
  }
  return no_body;
}

BodyFraming outgoing_response_framing(const message::ResponseHead& head, Version client,
                                      std::string_view request_method) {
  if (opens_tunnel(head.status, request_method)) return {BodyKind::Tunnel, 0};
  if (is_bodiless(head.status) || request_method == "HEAD") return no_body;
  switch (head.body.kind) {
    case BodyKind::Length: return head.body;
    case BodyKind::Chunked:
    case BodyKind::Unknown:
    case BodyKind::UntilClose:
      return {client == Version::Http10 ? BodyKind::UntilClose : BodyKind::Chunked, 0};
    // To this client the answer has a body by its status and method, if an empty one.
    case BodyKind::None:
    case BodyKind::Tunnel: break;
  }
  return {BodyKind::Length, 0};
}

}  // namespace perilune::http
