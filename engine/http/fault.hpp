#pragma once

#include "base/error.hpp"
#include "message/head.hpp"

namespace perilune::http {

using Kind = message::Head::Kind;

/// The error for a malformed message: a request is the client's fault by its own code, a response is the
/// upstream's, and there a client is only told that it was bad or too large.
inline Error fault(Kind kind, ErrorCode request_code, const char* detail) {
  if (kind == Kind::Request) return {request_code, Side::Client, detail};
  const bool too_large = request_code == ErrorCode::HeadTooLarge || request_code == ErrorCode::UriTooLong;
  return {too_large ? ErrorCode::ResponseTooLarge : ErrorCode::BadResponse, Side::Upstream, detail};
}

}  // namespace perilune::http
