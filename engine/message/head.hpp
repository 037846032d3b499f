#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/object.hpp"
#include "message/headers.hpp"

namespace perilune::message {

/// How a body is delimited on the wire it came from, or is to be sent (RFC 9112 section 6).
enum class BodyKind : uint8_t {
  None,        // no body, and none may follow
  Length,      // exactly `length` bytes
  Chunked,     // chunked transfer coding
  UntilClose,  // a response that ends with its connection
  Unknown,     // made by a script or collected later: the encoder chooses
  Tunnel,      // after a 101, or a 2xx to CONNECT: bytes of another protocol
};

struct BodyFraming {
  BodyKind kind = BodyKind::None;
  uint64_t length = 0;
};

/// HTTP minor version of an HTTP/1 message; other protocols add their own values.
enum class Version : uint8_t { Http10, Http11 };

/// The head of a request or response: what `http` parses, `flow` carries and scripts hold. Pooled per thread;
/// text members keep their capacity. Hop-by-hop fields are not among the headers: what they said is in the
/// members here, and encoders write their own.
class Head : public Object {
 public:
  enum class Kind : uint8_t { Request, Response };

  const Kind kind;
  Version version = Version::Http11;
  BodyFraming body;
  /// The connection may be used for another message after this one, as far as its sender says.
  bool keep_alive = true;
  Headers headers;
  /// The protocol that Upgrade offers or accepts ("websocket"), empty without.
  std::string upgrade;
  /// Somebody keeps this head, and sends it again and again (a Message of the script): who changes it makes
  /// it his own first (make_own).
  bool is_shared = false;

  bool is_request() const { return kind == Kind::Request; }

 protected:
  explicit Head(Kind k) : kind(k) {}
  void reset();
};

class RequestHead final : public Head {
 public:
  /// An empty head from this thread's pool.
  static Ref<RequestHead> make();

  std::string method;
  /// The request target with its query, byte for byte as received.
  std::string path;
  /// "http" or "https".
  std::string_view scheme = "http";
  /// The sender waits for a 100 before it sends the body (RFC 9110 section 10.1.1).
  bool expects_continue = false;
  /// `TE: trailers` was said: trailers may be sent back.
  bool accepts_trailers = false;

  /// The host without its port, from an absolute target or the Host field; not lower-cased.
  std::string_view host() const;
  /// Safe to send again without asking (RFC 9110 section 9.2.2).
  bool is_idempotent() const;
  /// A copy with everything that the original says.
  Ref<RequestHead> copy() const;

 private:
  RequestHead() : Head(Kind::Request) {}
  void on_unreferenced() noexcept override;
};

class ResponseHead final : public Head {
 public:
  static Ref<ResponseHead> make();
  /// The response that tells of `error`: its status, no fields; the body is the caller's.
  static Ref<ResponseHead> of_error(const Error& error);

  int status = 200;
  /// As received; when empty, encoders write the usual phrase for the status.
  std::string reason;
  /// How long its sender keeps an idle connection, as its Keep-Alive field says; 0 when it does not say.
  uint32_t keep_alive_seconds = 0;
  /// Set when the engine made this response because something failed; null for an answer that came by wire.
  std::unique_ptr<Error> error;

  /// 1xx but not 101: more heads follow (RFC 9110 section 15.2).
  bool is_interim() const { return status < 200 && status != 101; }
  Ref<ResponseHead> copy() const;

 private:
  ResponseHead() : Head(Kind::Response) {}
  void on_unreferenced() noexcept override;
};

/// Before a head is changed: one that is shared is replaced by a copy.
void make_own(Ref<Head>& head);

/// The trailer section of a chunked body.
class Trailers final : public Object {
 public:
  Headers headers;
};

/// The usual reason phrase of a status ("Not Found"), "Unknown" for one without.
std::string_view reason_phrase(int status);

}  // namespace perilune::message
