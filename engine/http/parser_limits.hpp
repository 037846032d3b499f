#pragma once

#include "base/limits.hpp"

namespace perilune::http {

/// What a parser takes before it refuses. Borrowed by parsers: it must outlive them.
struct ParserLimits {
  size_t head_bytes_max = limits::head_bytes_max;                  // start line, fields and all line ends
  size_t head_fields_max = limits::head_fields_max;                // of a head or of a trailer section
  size_t request_line_bytes_max = limits::request_line_bytes_max;  // without its CRLF
  size_t chunk_line_bytes_max = limits::chunk_line_bytes_max;      // size and extensions, without CRLF
  size_t interim_responses_max = limits::interim_responses_max;    // before one final response
};

inline constexpr ParserLimits default_parser_limits{};

}  // namespace perilune::http
