#pragma once

#include <string_view>

#include "base/error.hpp"
#include "message/head.hpp"

/// How long is this body? Every rule against request smuggling and response desync that concerns lengths is
/// in this file. It looks at heads as they were parsed, hop-by-hop fields included.
namespace perilune::http {

/// How the body of a request is delimited: None, Length or Chunked.
/// Errors (Side::Client): AmbiguousBody for Content-Length with Transfer-Encoding; BadLength for a
/// Content-Length that is repeated (even with equal values), a list, signed, not decimal, empty, or above
/// 2^63-1; UnsupportedTransferCoding for any Transfer-Encoding but a single "chunked"; BadRequest for
/// Transfer-Encoding in HTTP/1.0 and for a CONNECT with a body.
/// Source: RFC 9112 sections 6.1 to 6.3, RFC 9110 sections 8.6 and 9.3.6.
Result<message::BodyFraming> request_framing(const message::RequestHead& head);

/// How the body of a response to a request of `request_method` is delimited: None for 1xx, 204, 304 and
/// answers to HEAD; Tunnel for 101 and 2xx to CONNECT; Chunked, Length or UntilClose else. Errors:
/// BadResponse (Side::Upstream) for what request_framing refuses, also where there is no body, save that a
/// tunnel's fields are ignored as RFC 9110 section 9.3.6 has it.
Result<message::BodyFraming> response_framing(const message::ResponseHead& head,
                                              std::string_view request_method);

/// How to send this request's body to an HTTP/1.1 server: as it came, and chunked where nobody said its
/// length.
message::BodyFraming outgoing_request_framing(const message::RequestHead& head);

/// How to send this response's body to a client that spoke `client` and asked by `request_method`: as it came
/// where the client can take it; a body of unknown length is chunked for HTTP/1.1 and ends with the
/// connection for HTTP/1.0, which knows no chunks.
message::BodyFraming outgoing_response_framing(const message::ResponseHead& head, message::Version client,
                                               std::string_view request_method);

/// A status that never has a body, whatever its fields say: 1xx, 204, 304 (RFC 9112 section 6.3, item 1).
constexpr bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace perilune::http
