#pragma once

#include <string_view>

#include "base/error.hpp"
#include "http/fault.hpp"
#include "message/headers.hpp"

namespace perilune::http {

/// Parses field lines (name ":" OWS value OWS CRLF) and appends them to `headers`, up to the empty line at
/// the end of `block`, as HeadScan found it: each line ends with CRLF. Refused: an empty name, bytes in it
/// that no token has, space before the colon, folded lines, CR, NUL and other control bytes in values.
/// Errors: BadRequest (Side::Client) or BadResponse (Side::Upstream). Source: RFC 9112 section 5, RFC 9110
/// section 5.5.
Result<void> parse_field_lines(std::string_view block, Kind kind, message::Headers& headers);

/// The same in one pass over text whose end was not looked for: parses the lines at the front of `text` into
/// `headers`, which are empty, and returns the bytes up to and with the empty line. Zero, and what is in
/// `headers` to be cleared, when the empty line is not there, when there are more than `fields_max`, or when
/// anything is wrong: HeadScan and parse_field_lines then say what.
size_t take_field_lines(std::string_view text, size_t fields_max, message::Headers& headers);

}  // namespace perilune::http
