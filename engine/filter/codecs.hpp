#pragma once

#include <optional>

#include "filter/registry.hpp"
#include "http/h1_parser.hpp"

namespace perilune::filter {

/// decodeHTTPRequest, decodeHTTPResponse: bytes become messages, one after the other. What is malformed cuts the
/// stream with the parser's error.
Result<std::unique_ptr<flow::FilterPlan>> make_decode_plan(FilterCall& call);
/// encodeHTTPRequest, encodeHTTPResponse: messages become bytes.
Result<std::unique_ptr<flow::FilterPlan>> make_encode_plan(FilterCall& call);

class DecodeHttp final : public flow::Filter {
 public:
  explicit DecodeHttp(http::Kind kind) : kind_(kind) {}

 private:
  void on_event(flow::Event&& event) override;
  void on_start() override { parser_.emplace(kind_); }
  void on_reset() override;
  void pump(bool has_ended);
  void expect_response();

  const http::Kind kind_;
  std::optional<http::H1Parser> parser_;
  bool is_expecting_ = false;
};

class EncodeHttp final : public flow::Filter {
 public:
  explicit EncodeHttp(http::Kind kind) : kind_(kind) {}

 private:
  void on_event(flow::Event&& event) override;
  void on_reset() override { body_ = message::BodyKind::None; }
  void encode_head(message::Head& head);
  void send_scratch();

  const http::Kind kind_;
  message::BodyKind body_ = message::BodyKind::None;
  buffer::Buffer scratch_;
};

}  // namespace perilune::filter
