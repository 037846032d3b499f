#pragma once

#include <optional>
#include <vector>

#include "filter/open_exchanges.hpp"
#include "filter/registry.hpp"
#include "http/h1_parser.hpp"

/// HTTP/1 by hand: the four codecs of a byte stream. Answers belong to requests by their order alone, so the
/// codecs share what was asked (open_exchanges.hpp): each answer is read by the request that was sent for it
/// and written by the request that it came from.
///
///   client ->  decodeHTTPRequest   -> ... ->  encodeHTTPRequest   -> upstream
///   client <-  encodeHTTPResponse  <- ... <-  decodeHTTPResponse  <- upstream
namespace perilune::filter {

/// decodeHTTPRequest, decodeHTTPResponse.
Result<std::unique_ptr<flow::FilterPlan>> make_decode_plan(FilterCall& call);
/// encodeHTTPRequest, encodeHTTPResponse.
Result<std::unique_ptr<flow::FilterPlan>> make_encode_plan(FilterCall& call);

/// Bytes become requests, one after the other. Reads no further while limits::pipelined_requests_max answers
/// are open, behind a request that offers another protocol until its answer, and ever behind one that ends
/// the connection (RFC 9112 section 9.6). A session that is to leave ends behind the next request, where an
/// encodeHTTPResponse can tell so. Errors: the parser's. A malformed head is answered once all
/// requests before it are, where an encodeHTTPResponse stands; a malformed body cuts the stream.
class DecodeRequests final : public flow::Filter {
 public:
  explicit DecodeRequests(Services& services) : services_(services) {}

 private:
  void on_event(flow::Event&& event) override;
  void on_start() override;
  void on_stop() override;
  void on_reset() override;
  bool leave(flow::Leaving) override {
    is_leaving_ = true;
    return false;
  }
  void pump();
  void begin(message::RequestHead& head);
  bool may_begin() const;
  void become_tunnel();
  /// Ends the stream by an answer of our own, when its turn has come.
  void refuse();

  Services& services_;
  std::optional<http::H1Parser> parser_;
  Ref<OpenExchanges> exchanges_;
  flow::Hold hold_;
  bool awaits_upgrade_ = false;
  bool had_last_ = false;
  bool is_within_ = false;  // a message whose end has not come
  bool is_refusing_ = false;
  bool input_ended_ = false;
  bool is_tunnel_ = false;
  bool is_leaving_ = false;
  loop::MemberTask<DecodeRequests, &DecodeRequests::pump> pump_task_{*this};
};

/// Bytes become responses. Bytes behind the last answer end the stream. An early answer that passes waits
/// until all requests sent before it have theirs. Errors: the parser's; bytes that answer no request, and an
/// end before the answer (both Side::Upstream).
class DecodeResponses final : public flow::Filter {
 public:
  explicit DecodeResponses(Services&) {}

 private:
  void on_event(flow::Event&& event) override;
  void on_start() override;
  void on_stop() override { hold_.release(); }
  void on_reset() override;
  void pump();
  void expect();
  void begin(Ref<message::Head> head);
  void finish(Ref<message::Trailers> trailers);
  /// A message that somebody else made, event by event.
  void take_ready(flow::Event&& event);
  void give_ready();

  std::optional<http::H1Parser> parser_;
  Ref<OpenExchanges> exchanges_;
  /// Early answers whose turn has not come, and their bodies.
  std::vector<flow::Event> ready_;
  flow::Hold hold_;
  bool is_expecting_ = false;
  bool is_taking_ = false;   // an early answer whose end has not come
  bool is_passing_ = false;  // and it goes straight on
  bool input_ended_ = false;
};

/// Messages become bytes: what both directions have in common. Errors (Side::Script): a body that is not as
/// long as its head says.
class EncodeMessages : public flow::Filter {
 protected:
  void begin_body(const message::BodyFraming& framing);
  void write_body(buffer::Slice slice);
  /// Whether the body was as long as it had to be.
  bool finish_body(const message::Trailers* trailers);
  void send();
  void on_reset() override;

  buffer::Buffer scratch_;
  Ref<OpenExchanges> exchanges_;
  message::BodyKind body_ = message::BodyKind::None;
  uint64_t body_left_ = 0;
};

/// CONNECT is refused (MethodNotAllowed); what may travel no further is answered here (max_forwards.hpp).
class EncodeRequests final : public EncodeMessages {
 public:
  explicit EncodeRequests(Services&) {}

 private:
  void on_event(flow::Event&& event) override;
  void on_start() override;
  void write_head(message::RequestHead& head);
};

/// Ends the stream behind the answer to a request that asked for it. Errors (Side::Script): a response that
/// answers no request, a 101 that nobody offered.
class EncodeResponses final : public EncodeMessages {
 public:
  explicit EncodeResponses(Services&) {}

 private:
  void on_event(flow::Event&& event) override;
  void on_start() override;
  void on_reset() override;
  void write_head(message::ResponseHead& head);
  void write_end(flow::Event&& event);

  Asked asked_;
};

}  // namespace perilune::filter
