#pragma once

#include <string_view>

#include "base/error.hpp"
#include "http/fault.hpp"

namespace perilune::http {

/// A request line or status line taken apart; the views point into what was given.
struct StartLine {
  message::Version version = message::Version::Http11;
  int status = 0;                // responses
  std::string_view method = {};  // requests
  std::string_view target = {};  // requests
  std::string_view reason = {};  // responses; may be empty
};

/// method SP target SP "HTTP/1." ("0" / "1"), without the CRLF. The method is any token; single spaces only;
/// the target's bytes are checked by parse_target. Errors (Side::Client): BadRequest; UnsupportedVersion for
/// any other HTTP/digit.digit. Version 1.2 to 1.9 could be read as 1.1 (RFC 9110 section 2.5); nobody sends
/// them but probes, so they are refused. Source: RFC 9112 section 3.
Result<StartLine> parse_request_line(std::string_view line);

/// "HTTP/1." ("0" / "1") SP 3DIGIT [SP reason], without the CRLF; the status is 100 to 599. The space before
/// a missing reason may be missing too, as many servers have it. Errors: BadResponse (Side::Upstream).
/// Source: RFC 9112 section 4.
Result<StartLine> parse_status_line(std::string_view line);

}  // namespace perilune::http
