#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "base/pooled.hpp"
#include "buffer/buffer.hpp"
#include "http/chunked_decoder.hpp"
#include "http/fault.hpp"
#include "http/input.hpp"
#include "http/parser_limits.hpp"
#include "http/second_opinion.hpp"
#include "http/section.hpp"
#include "http/start_line.hpp"
#include "message/head.hpp"

namespace perilune::http {

/// What a parser has found.
struct Item {
  enum class Kind : uint8_t {
    NeedMore,  // feed() more, or finish()
    Head,      // `head`: a request, or an interim or final response
    Body,      // `body`: some bytes of the body, never empty
    End,       // the message is complete; `trailers` when there were any
    Failed,    // H1Parser::failure() says why; nothing else will come
  };
  Kind kind = Kind::NeedMore;
  /// A Head or Body with which the message is complete: no End comes after it.
  bool ends = false;
  Ref<message::Head> head = {};
  buffer::Slice body = {};
  Ref<message::Trailers> trailers = {};
};

/// What the request offered, and so a 101 may accept.
enum class UpgradeOffer : uint8_t { None, WebSocket };

/// The HTTP/1 messages of one direction of a connection. Sans-I/O: bytes go in by feed(), items are pulled by
/// next(), and nothing else happens; so the next message is begun only by whoever asks for it.
///
/// Head, Body..., End for each message, where the last Head or Body may say `ends` instead of an End that
/// follows; an interim response is a Head alone, and so is one that opens a tunnel (then is_tunnel(), and
/// take_rest() gives what is behind it). After a request that wants a tunnel, call next() no more before its
/// answer is known. Heads come with `body` set by framing.hpp, without hop-by-hop fields (hop_by_hop.hpp),
/// with the path of an absolute target in `path` and its authority in Host (RFC 9112 section 3.2.2); CONNECT
/// has its authority in both.
///
/// Strict: CRLF alone ends lines; one empty line before a request is skipped (RFC 9112 section 2.2), a second
/// is refused; an HTTP/1.1 request has exactly one Host, HTTP/1.0 at most one; see start_line.hpp,
/// field_lines.hpp, grammar.hpp and chunked_decoder.hpp. Where something could be read in two ways, llhttp is
/// shown the head afterwards and may only object.
///
/// Errors of requests (Side::Client): BadRequest, UnsupportedVersion, HeadTooLarge, UriTooLong, BadChunk,
/// ExpectationFailed, and those of request_framing. Of responses (Side::Upstream): BadResponse,
/// ResponseTooLarge. After an error the parser is done: it gives Failed for ever.
///
/// Body bytes are references to what was fed. Nothing is allocated for a message whose head lies in one slice
/// and that has no trailers; between messages nothing is held.
class H1Parser final : public Pooled<H1Parser> {
 public:
  explicit H1Parser(Kind kind, const ParserLimits& limits = default_parser_limits)
      : limits_(&limits), kind_(kind) {}

  void feed(buffer::Slice bytes) { input_.feed(std::move(bytes)); }
  void feed(buffer::Buffer&& bytes);

  /// For responses: what the next final response answers. Needed before each; interim ones do not use it up.
  /// Bytes that come when nothing is expected are an error: they answer nobody.
  void expect_response_to(std::string_view request_method, UpgradeOffer offer = UpgradeOffer::None);

  Item next();
  /// The sender has ended its direction. Gives what next() still has, then an End when that completes the
  /// message, and NeedMore at a boundary, where no message is missing, and in a tunnel. Errors: Truncated in
  /// the middle of a message; Closed (Side::Upstream) when a response was expected and none began.
  Item finish();
  /// Why next() or finish() gave Failed.
  const Error& failure() const { return *failure_; }

  /// No message is begun. Bytes of the next one may be buffered, untouched.
  bool at_boundary() const { return state_ == State::Start && !section_.is_begun(); }
  /// The last head opened a tunnel: what follows is not HTTP.
  bool is_tunnel() const { return state_ == State::Tunnel; }
  /// Bytes that were fed and not yet given out.
  size_t buffered() const { return input_.size() + section_.copied_bytes(); }
  /// All bytes not yet parsed, for what takes over: a tunnel, or another parser. At a boundary or in a tunnel
  /// only.
  buffer::Buffer take_rest();
  /// Gives back what an idle parser does not need; does nothing while bytes are buffered.
  void release_memory() { input_.release_memory(); }

 private:
  enum class State : uint8_t { Start, Head, FixedBody, Chunked, Trailers, UntilClose, Tunnel, Failed };
  enum class Expected : uint8_t { Nothing, Any, Head, Connect };
  enum class EmptyLine : uint8_t { None, Return, Skipped };

  Item read_start();
  Item read_head();
  Item read_body();
  Item read_chunked();
  Item read_trailers();
  void begin_next();
  Item end_message(Ref<message::Trailers> trailers);
  Item read_plain_head();
  Item read_scanned_head();
  Ref<message::Head> head_of(const StartLine& line) const;
  Item complete(Ref<message::Head> head, const StartLine& line, std::string_view section);
  Item complete_request(Ref<message::Head> shared, const StartLine& line, std::string_view section);
  Item complete_response(Ref<message::Head> shared, std::string_view section);
  Item give(Ref<message::Head> head, bool is_interim);
  std::string_view expected_method() const;
  Item fail(Error error);
  Item refuse(HeadScan::Outcome outcome);
  Item refuse(ErrorCode code, const char* detail) { return fail(fault(kind_, code, detail)); }

  Input input_;
  Section section_;
  std::unique_ptr<Error> failure_;
  const ParserLimits* limits_;
  uint64_t body_left_ = 0;
  ChunkedDecoder chunked_;
  const Kind kind_;
  State state_ = State::Start;
  Expected expected_ = Expected::Nothing;
  UpgradeOffer offer_ = UpgradeOffer::None;
  EmptyLine empty_line_ = EmptyLine::None;
  uint16_t interims_ = 0;
};

}  // namespace perilune::http
