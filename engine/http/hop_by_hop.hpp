#pragma once

#include "base/error.hpp"
#include "message/head.hpp"

/// What concerns one connection only is read here once, kept as members of the head, and its fields removed,
/// so that nobody forwards them by accident. Runs after framing. Source: RFC 9110 section 7.6.1.
///
/// Removed always: Connection, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade, HTTP2-Settings,
/// and Proxy-Authenticate with Proxy-Authorization: credentials for a proxy are not for what is behind it
/// (RFC 9110 section 11.7 allows to pass them on, no gateway should). Removed where they mean nothing:
/// Trailer without a chunked body; Expect without a body or in HTTP/1.0; Content-Length in 1xx, 204 and
/// tunnels. Removed when Connection names them: all others, except those that are for every recipient (host,
/// lengths, types, cookies, credentials, caching, forwarding): `Connection: host` must not change where a
/// request goes, nor `Connection: authorization` as whom. Content-Length stays: it is end-to-end.
namespace perilune::http {

/// Connection options that one message may name, beyond what any client needs.
inline constexpr size_t connection_options_max = 64;

/// Derives keep_alive, upgrade, expects_continue and accepts_trailers, then removes. Only an offer of
/// "websocket" that Connection names too is kept as an upgrade.
/// Errors (Side::Client): BadRequest for too many connection options; ExpectationFailed for an Expect that is
/// not "100-continue" (RFC 9110 section 10.1.1).
Result<void> remove_hop_by_hop(message::RequestHead& head);

/// Derives keep_alive and upgrade (of 101 and 426), then removes.
/// Errors: BadResponse (Side::Upstream) for too many connection options.
Result<void> remove_hop_by_hop(message::ResponseHead& head);

/// A field of this name must not be in a trailer section and is dropped there: framing, routing, credentials,
/// request modifiers, response control and how to read the content (RFC 9110 section 6.5.1).
bool is_forbidden_trailer(std::string_view name);

}  // namespace perilune::http
