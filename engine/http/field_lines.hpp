#pragma once

#include <string_view>

#include "base/error.hpp"
#include "http/fault.hpp"
#include "message/headers.hpp"

namespace perilune::http {

/// Parses field lines (name ":" OWS value OWS CRLF) and appends them to `headers`, up to the empty line at the end
/// of `block`, as HeadScan found it: each line ends with CRLF.
/// Refused: an empty name, bytes in it that no token has, space before the colon, folded lines, CR, NUL and other
/// control bytes in values. Errors: BadRequest (Side::Client) or BadResponse (Side::Upstream).
/// Source: RFC 9112 section 5, RFC 9110 section 5.5.
Result<void> parse_field_lines(std::string_view block, Kind kind, message::Headers& headers);

}  // namespace perilune::http
