#pragma once

#include <array>
#include <string_view>

#include "base/error.hpp"
#include "http/fault.hpp"
#include "message/headers.hpp"

namespace perilune::http {

/// The lines of those fields that another parser could take for framing (lengths, codings, Connection,
/// Upgrade), with their CRLF: what second_opinion.hpp shows to llhttp.
struct FramingLines {
  static constexpr size_t lines_max = 8;
  std::array<std::string_view, lines_max> lines;
  size_t count = 0;  // lines_max + 1: there are more, look at the whole head
};

/// Parses field lines (name ":" OWS value OWS CRLF) and appends them to `headers`, up to the empty line at
/// the end of `block`, as HeadScan found it: each line ends with CRLF. Refused: an empty name, bytes in it
/// that no token has, space before the colon, folded lines, CR, NUL and other control bytes in values.
/// Errors: BadRequest (Side::Client) or BadResponse (Side::Upstream). Source: RFC 9112 section 5, RFC 9110
/// section 5.5.
Result<void> parse_field_lines(std::string_view block, Kind kind, message::Headers& headers,
                               FramingLines* framing_lines = nullptr);

}  // namespace perilune::http
