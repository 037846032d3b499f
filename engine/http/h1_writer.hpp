#pragma once

#include <cstdint>
#include <string_view>

#include "buffer/buffer.hpp"
#include "message/head.hpp"

/// HTTP/1 messages to bytes. Heads are written as HTTP/1.1 (RFC 9112 section 2.3: every hop speaks its own
/// version), fields in their order and case. What concerns this connection is written here and nowhere else:
/// Connection, Upgrade, Transfer-Encoding and the like among a head's fields are not sent, nor is a
/// Content-Length that does not agree with the framing.
/// The texts of a head are valid: parsers and script bindings saw to that (grammar.hpp,
/// message::is_valid_value).
namespace perilune::http {

/// What the connection is for after this exchange.
enum class Persistence : uint8_t { KeepAlive, Close };

struct RequestForm {
  message::BodyFraming body;  // outgoing_request_framing
  Persistence connection = Persistence::KeepAlive;
};

/// `form.body` is None, Length or Chunked. A Host that is missing is sent empty (RFC 9112 section 3.2):
/// callers set it. `upgrade` is offered when not empty. TE is never sent.
void write_request_head(const message::RequestHead& head, const RequestForm& form, buffer::Buffer& out,
                        buffer::ChunkPool& pool);

struct ResponseForm {
  message::BodyFraming body;  // outgoing_response_framing
  message::Version client = message::Version::Http11;
  Persistence connection = Persistence::KeepAlive;
  std::string_view date = {};  // DateText of now, for a head without a Date; empty: none is added
};

/// `form.body` is not Unknown. None is an answer to HEAD or a status without a body; there, and in 304, a
/// Content-Length field is sent as it is, as it tells of another answer; in 1xx and 204 it is dropped (RFC
/// 9110 section 8.6). UntilClose always says Connection: close. 1xx heads get neither Date nor Connection,
/// but a 101 its upgrade.
void write_response_head(const message::ResponseHead& head, const ResponseForm& form, buffer::Buffer& out,
                         buffer::ChunkPool& pool);

/// Writes `data` as one chunk (RFC 9112 section 7.1), its bytes by reference. No data, no chunk.
void write_chunk(buffer::Slice data, buffer::Buffer& out, buffer::ChunkPool& pool);
void write_chunk(buffer::Buffer&& data, buffer::Buffer& out, buffer::ChunkPool& pool);

/// Ends a chunked body. `trailers` may be null: none came, or the recipient did not say that it takes them
/// (RFC 9110 section 6.5.1). Names that may not be in trailers are left out.
void write_last_chunk(const message::Trailers* trailers, buffer::Buffer& out, buffer::ChunkPool& pool);

}  // namespace perilune::http
