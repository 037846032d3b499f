#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perilune::http {

/// The chunked transfer coding, up to the line of the last chunk; the trailer section behind it is lines of
/// fields and is read as such. Holds no bytes, so a chunk may be cut anywhere. Source: RFC 9112 section 7.1.
///
///     size [;name[=value]]... CRLF  data CRLF  ...  0 [;name[=value]]... CRLF  | trailer section
///
/// Strict: one to 16 hexadecimal digits, nothing around them; CRLF and never a bare LF or CR; extensions are
/// checked and dropped (values are tokens or quoted strings, blanks only behind the first ";").
class ChunkedDecoder {
 public:
  enum class Outcome : uint8_t {
    NeedMore,
    Data,       // data_left() bytes of the body are next
    LastChunk,  // the trailer section is next
    Malformed,
  };

  struct Step {
    Outcome outcome;
    size_t consumed;  // bytes of the text that were framing
  };

  /// Reads framing from the front of `text`. `line_bytes_max` bounds size and extensions, without CRLF.
  Step advance(std::string_view text, size_t line_bytes_max);

  uint64_t data_left() const { return data_left_; }
  /// Says that `count` bytes of data were taken, at most data_left().
  void take_data(uint64_t count);

 private:
  enum class State : uint8_t {
    SizeFirst,
    Size,
    ExtensionStart,
    ExtensionName,
    ExtensionAfterName,
    ExtensionValueStart,
    ExtensionToken,
    ExtensionQuoted,
    ExtensionEscaped,
    ExtensionEnd,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
  };
  bool put(char c);
  bool put_in_extension(char c);
  bool end_line();

  uint64_t data_left_ = 0;
  uint32_t line_bytes_ = 0;
  uint32_t excess_ = 0;
  uint8_t digits_ = 0;
  State state_ = State::SizeFirst;
};

}  // namespace perilune::http
