#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.hpp"
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
  };
  Kind kind = Kind::NeedMore;
  Ref<message::Head> head = {};
  buffer::Slice body = {};
  Ref<message::Trailers> trailers = {};
};

/// What the request offered, and so a 101 may accept.
enum class UpgradeOffer : uint8_t { None, WebSocket };

/// The HTTP/1 messages of one direction of a connection. Sans-I/O: bytes go in by feed(), items are pulled by
/// next(), and nothing else happens; so the next message is begun only by whoever asks for it.
///
/// Head, Body..., End for each message; an interim response is a Head alone, and so is one that opens a
/// tunnel (then is_tunnel(), and take_rest() gives what is behind it). After a request that wants a tunnel,
/// call next() no more before its answer is known. Heads come with `body` set by framing.hpp, without
/// hop-by-hop fields (hop_by_hop.hpp), with the path of an absolute target in `path` and its authority in
/// Host (RFC 9112 section 3.2.2); CONNECT has its authority in both.
///
/// Strict: CRLF alone ends lines; one empty line before a request is skipped (RFC 9112 section 2.2), a second
/// is refused; an HTTP/1.1 request has exactly one Host, HTTP/1.0 at most one; see start_line.hpp,
/// field_lines.hpp, grammar.hpp and chunked_decoder.hpp. llhttp is shown each head afterwards and may only
/// object.
///
/// Errors of requests (Side::Client): BadRequest, UnsupportedVersion, HeadTooLarge, UriTooLong, BadChunk,
/// ExpectationFailed, and those of request_framing. Of responses (Side::Upstream): BadResponse,
/// ResponseTooLarge. After an error the parser is done: it gives the same error for ever.
///
/// Body bytes are references to what was fed. Nothing is allocated for a message whose head lies in one slice
/// and that has no trailers; between messages nothing is held.
class H1Parser {
 public:
  explicit H1Parser(Kind kind, const ParserLimits& limits = default_parser_limits)
      : limits_(&limits), kind_(kind) {}

  void feed(buffer::Slice bytes) { input_.feed(std::move(bytes)); }
  void feed(buffer::Buffer&& bytes);

  /// For responses: what the next final response answers. Needed before each; interim ones do not use it up.
  /// Bytes that come when nothing is expected are an error: they answer nobody.
  void expect_response_to(std::string_view request_method, UpgradeOffer offer = UpgradeOffer::None);

  Result<Item> next();
  /// The sender has ended its direction. Gives what next() still has, then an End when that completes the
  /// message, and NeedMore at a boundary, where no message is missing, and in a tunnel. Errors: Truncated in
  /// the middle of a message; Closed (Side::Upstream) when a response was expected and none began.
  Result<Item> finish();

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
  enum class State : uint8_t {
    Start,
    Head,
    FixedBody,
    Chunked,
    Trailers,
    UntilClose,
    MessageEnd,
    Tunnel,
    Failed
  };
  enum class Expected : uint8_t { Nothing, Any, Head, Connect };
  enum class EmptyLine : uint8_t { None, Return, Skipped };

  Result<Item> read();
  Result<Item> read_start();
  Result<Item> read_head();
  Result<Item> read_body();
  Result<Item> read_chunked();
  Result<Item> read_trailers();
  Result<Item> end_message(Ref<message::Trailers> trailers);
  Result<Item> make_request(const StartLine& line);
  Result<Item> make_response(const StartLine& line);
  Result<Item> give(Ref<message::Head> head, bool is_interim);
  std::string_view fields() const;
  ParsedSection parsed_section(const FramingLines& lines) const;
  std::string_view expected_method() const;
  Error fail(Error error);
  Error fault_of(HeadScan::Outcome outcome) const;
  Error refuse(ErrorCode code, const char* detail) const { return fault(kind_, code, detail); }

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
