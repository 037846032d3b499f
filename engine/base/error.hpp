#pragma once

#include <boost/system/result.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perilune {

/// Who is at fault. It decides log level, metric label, HTTP status and whether a retry can help.
enum class Side : uint8_t { Client, Upstream, Script, Engine };

/// Everything that can go wrong, by name. `code_name` gives the kebab-case form that scripts, retry lists,
/// logs and metric labels use; `http_status` the status a client sees.
enum class ErrorCode : uint8_t {
  // a request that cannot be understood
  BadRequest,
  AmbiguousBody,
  BadLength,
  BadChunk,
  HeadTooLarge,
  UriTooLong,
  BodyTooLarge,
  UnsupportedTransferCoding,
  UnsupportedVersion,
  MethodNotAllowed,
  ExpectationFailed,
  HeadTimeout,
  BodyTimeout,
  // an upstream that fails
  ConnectFailure,
  ConnectTimeout,
  ResolveFailure,
  Reset,
  Closed,
  BadResponse,
  ResponseTooLarge,
  ReadTimeout,
  WriteTimeout,
  RequestTimeout,
  TryTimeout,
  // places to wait that are full or closed
  QueueFull,
  QueueTimeout,
  Draining,
  Overflow,
  NoEndpoint,
  // the script
  NoRoute,
  NoAnswer,
  ScriptError,
  // ends that are nobody's fault
  Cancelled,
  IdleTimeout,
  ClientGone,
  Truncated,
  // the machine
  Resources,
  Internal,
};
inline constexpr int error_code_count = static_cast<int>(ErrorCode::Internal) + 1;

std::string_view code_name(ErrorCode code);
std::string_view side_name(Side side);
/// The status of the response that tells a client of this error (RFC 9110 section 15).
int http_status(ErrorCode code);
/// A sentence for people, without the detail.
std::string_view code_sentence(ErrorCode code);
std::optional<ErrorCode> code_from_name(std::string_view name);

/// One failure: what, whose, and the particulars.
struct Error {
  ErrorCode code = ErrorCode::Internal;
  Side side = Side::Engine;
  std::string detail = {};

  /// "upstream connect-failure: 127.0.0.1:8080: Connection refused"
  std::string to_string() const;
};

template <typename T>
using Result = boost::system::result<T, Error>;

/// Thrown by Result::value() on an error: only start-up code calls it.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& place);

}  // namespace perilune
