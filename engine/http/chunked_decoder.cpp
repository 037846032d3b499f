#include "http/chunked_decoder.hpp"

#include <algorithm>

#include "http/grammar.hpp"

namespace perilune::http {
namespace {

constexpr uint8_t size_digits_max = 16;  // 64 bits

// Framing that carries nothing costs the sender little and us much: one may spend this much in all beyond
// what the data itself pays for.
constexpr uint32_t excess_max = 64 * 1024;
constexpr uint64_t paid_per_chunk = 16;

}  // namespace

ChunkedDecoder::Step ChunkedDecoder::advance(std::string_view text, size_t line_bytes_max) {
  if (state_ == State::Data) return {Outcome::Data, 0};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r' && text[i] != '\n' && ++line_bytes_ > line_bytes_max) return {Outcome::Malformed, i};
    const bool ends_size_line = state_ == State::SizeLineFeed;
    if (!put(text[i])) return {Outcome::Malformed, i};
    if (!ends_size_line) continue;
    if (!end_line()) return {Outcome::Malformed, i};
    return {state_ == State::Data ? Outcome::Data : Outcome::LastChunk, i + 1};
  }
  return {Outcome::NeedMore, text.size()};
}

void ChunkedDecoder::take_data(uint64_t count) {
  data_left_ -= count;
  if (data_left_ == 0) state_ = State::DataReturn;
}

bool ChunkedDecoder::put(char c) {
  switch (state_) {
    case State::SizeFirst:
    case State::Size: {
      const int digit = hex_digit(c);
      if (digit >= 0) {
        if (++digits_ > size_digits_max) return false;
        data_left_ = data_left_ << 4 | static_cast<uint64_t>(digit);
        state_ = State::Size;
        return true;
      }
      if (state_ == State::SizeFirst) return false;
      state_ = c == '\r' ? State::SizeLineFeed : State::ExtensionStart;
      return c == '\r' || c == ';';
    }
    case State::SizeLineFeed: return c == '\n';
    case State::DataReturn: state_ = State::DataLineFeed; return c == '\r';
    case State::DataLineFeed: state_ = State::SizeFirst; return c == '\n';
    case State::Data: return false;
    default: return put_in_extension(c);
  }
}

bool ChunkedDecoder::put_in_extension(char c) {
  switch (state_) {
    case State::ExtensionStart:
      if (is_blank(c)) return true;
      state_ = State::ExtensionName;
      return is_a(TokenChar, c);
    case State::ExtensionName:
      if (is_a(TokenChar, c)) return true;
      if (is_blank(c)) {
        state_ = State::ExtensionAfterName;
        return true;
      }
      [[fallthrough]];
    case State::ExtensionAfterName:
      if (is_blank(c)) return true;
      if (c == '=') {
        state_ = State::ExtensionValueStart;
        return true;
      }
      break;
    case State::ExtensionValueStart:
      if (is_blank(c)) return true;
      state_ = c == '"' ? State::ExtensionQuoted : State::ExtensionToken;
      return c == '"' || is_a(TokenChar, c);
    case State::ExtensionToken:
      if (is_a(TokenChar, c)) return true;
      break;
    case State::ExtensionQuoted:
      if (c == '"') state_ = State::ExtensionEnd;
      else if (c == '\\') state_ = State::ExtensionEscaped;
      return is_a(ValueChar, c);
    case State::ExtensionEscaped: state_ = State::ExtensionQuoted; return is_a(ValueChar, c);
    default: break;
  }
  // Behind a name or a value: the next extension or the end of the line.
  if (c == ';') state_ = State::ExtensionStart;
  else if (c == '\r') state_ = State::SizeLineFeed;
  else if (is_blank(c)) state_ = State::ExtensionEnd;
  else return false;
  return true;
}

bool ChunkedDecoder::end_line() {
  const uint64_t paid = paid_per_chunk + std::min<uint64_t>(data_left_, excess_max) * 2;
  const uint64_t spent = uint64_t{excess_} + line_bytes_ + 4;
  excess_ = spent > paid ? static_cast<uint32_t>(std::min<uint64_t>(spent - paid, excess_max + 1)) : 0;
  line_bytes_ = 0;
  digits_ = 0;
  state_ = data_left_ > 0 ? State::Data : State::SizeFirst;
  return excess_ <= excess_max;
}

}  // namespace perilune::http
