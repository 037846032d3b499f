#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perilune::http {

inline constexpr size_t no_line_limit = SIZE_MAX - 1;

/// What a section of lines may measure.
struct ScanLimits {
  size_t first_line_bytes_max;  // without CRLF; no_line_limit where only the whole counts
  size_t bytes_max;             // all of it, the empty line included
  size_t lines_max;             // without the empty line
};

/// Finds the empty line that ends a head or a trailer section, in text that may come in pieces: give it the
/// same text again, longer, and it goes on where it stopped. Whatever is wrong is found at the same byte,
/// however the text was cut.
class HeadScan {
 public:
  enum class Outcome : uint8_t {
    NeedMore,
    FirstLine,  // the first line is complete: told once, so that a bad one is refused before the rest comes
    Complete,   // size() bytes are the section
    BareLineFeed,  // LF without CR (RFC 9112 section 2.2 lets one take it; then two parsers disagree)
    FirstLineTooLong,
    TooLarge,
    TooManyLines,
  };

  Outcome advance(std::string_view text, const ScanLimits& limits);
  /// Bytes of the first line without its CRLF, once FirstLine was told.
  size_t first_line_size() const { return first_line_size_; }
  /// Bytes of the whole section once Complete.
  size_t size() const { return position_; }

 private:
  uint32_t position_ = 0;  // everything before it was looked at
  uint32_t line_begin_ = 0;
  uint32_t lines_ = 0;
  uint32_t first_line_size_ = 0;
};

}  // namespace perilune::http
