#include "base/error.hpp"

#include <array>
#include <stdexcept>

namespace perilune {
namespace {

struct CodeRow {
  ErrorCode code;
  std::string_view name;
  int status;
  std::string_view sentence;
};

// The one table of codes: RFC 9110 section 15 for the statuses, RFC 6585 for 431.
constexpr std::array<CodeRow, error_code_count> rows{{
    {ErrorCode::BadRequest, "bad-request", 400, "The request is malformed"},
    {ErrorCode::AmbiguousBody, "ambiguous-body", 400, "The length of the body is given in two ways"},
    {ErrorCode::BadLength, "bad-length", 400, "The length of the body cannot be read"},
    {ErrorCode::BadChunk, "bad-chunk", 400, "The chunked framing of the body is malformed"},
    {ErrorCode::HeadTooLarge, "head-too-large", 431, "The header section is too large"},
    {ErrorCode::UriTooLong, "uri-too-long", 414, "The request target is too long"},
    {ErrorCode::BodyTooLarge, "body-too-large", 413, "The body is larger than allowed here"},
    {ErrorCode::UnsupportedTransferCoding, "unsupported-transfer-coding", 501,
     "The transfer coding is not known"},
    {ErrorCode::UnsupportedVersion, "unsupported-version", 505, "The HTTP version is not supported"},
    {ErrorCode::MethodNotAllowed, "method-not-allowed", 405, "The method is not allowed here"},
    {ErrorCode::ExpectationFailed, "expectation-failed", 417, "The expectation cannot be met"},
    {ErrorCode::HeadTimeout, "head-timeout", 408, "The request head did not arrive in time"},
    {ErrorCode::BodyTimeout, "body-timeout", 408, "The request body did not arrive in time"},
    {ErrorCode::ConnectFailure, "connect-failure", 502, "The upstream cannot be connected"},
    {ErrorCode::ConnectTimeout, "connect-timeout", 502, "The upstream did not accept the connection in time"},
    {ErrorCode::ResolveFailure, "resolve-failure", 502, "The upstream's name cannot be resolved"},
    {ErrorCode::Reset, "reset", 502, "The connection was reset"},
    {ErrorCode::Closed, "closed", 502, "The connection was closed before the answer"},
    {ErrorCode::BadResponse, "bad-response", 502, "The upstream's response is malformed"},
    {ErrorCode::ResponseTooLarge, "response-too-large", 502, "The response is larger than allowed here"},
    {ErrorCode::ReadTimeout, "read-timeout", 504, "The upstream did not answer in time"},
    {ErrorCode::WriteTimeout, "write-timeout", 504, "What was sent was not taken in time"},
    {ErrorCode::RequestTimeout, "request-timeout", 504, "The answer did not begin in time"},
    {ErrorCode::TryTimeout, "try-timeout", 504, "A try's answer did not begin in time"},
    {ErrorCode::QueueFull, "queue-full", 503, "Too many are waiting already"},
    {ErrorCode::QueueTimeout, "queue-timeout", 503, "The wait for a free resource took too long"},
    {ErrorCode::Draining, "draining", 503, "It is being drained"},
    {ErrorCode::Overflow, "overflow", 503, "A limit is reached"},
    {ErrorCode::NoEndpoint, "no-endpoint", 503, "The upstream has no endpoint that may be used"},
    {ErrorCode::NoRoute, "no-route", 404, "No route leads there"},
    {ErrorCode::NoAnswer, "no-answer", 500, "The pipeline gave no answer"},
    {ErrorCode::ScriptError, "script-error", 500, "The script failed"},
    {ErrorCode::Cancelled, "cancelled", 503, "It was cancelled"},
    {ErrorCode::IdleTimeout, "idle-timeout", 408, "The connection was idle for too long"},
    {ErrorCode::ClientGone, "client-gone", 400, "The client went away"},
    {ErrorCode::Truncated, "truncated", 502, "The message was cut off"},
    {ErrorCode::Resources, "resources", 503, "The machine has no resources left"},
    {ErrorCode::Internal, "internal", 500, "The engine failed"},
}};

constexpr bool rows_are_in_order() {
  for (size_t i = 0; i < rows.size(); ++i)
    if (static_cast<size_t>(rows[i].code) != i) return false;
  return true;
}
static_assert(rows_are_in_order(), "one row a code, in the order of the enum");

const CodeRow& row(ErrorCode code) { return rows[static_cast<size_t>(code)]; }

}  // namespace

std::string_view code_name(ErrorCode code) { return row(code).name; }
int http_status(ErrorCode code) { return row(code).status; }
std::string_view code_sentence(ErrorCode code) { return row(code).sentence; }

std::string_view side_name(Side side) {
  switch (side) {
    case Side::Client: return "client";
    case Side::Upstream: return "upstream";
    case Side::Script: return "script";
    case Side::Engine: return "engine";
  }
  return "engine";
}

std::optional<ErrorCode> code_from_name(std::string_view name) {
  for (const auto& entry : rows)
    if (entry.name == name) return entry.code;
  return std::nullopt;
}

std::string Error::to_string() const {
  std::string text{side_name(side)};
  text.append(" ").append(code_name(code)).append(": ");
  text.append(detail.empty() ? code_sentence(code) : std::string_view(detail));
  return text;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(error.to_string());
}

}  // namespace perilune
