#include "http/field_lines.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#include "http/grammar.hpp"

namespace perilune::http {

using message::Name;

namespace {

constexpr uint64_t in_each_byte(uint8_t byte) { return uint64_t{0x0101010101010101} * byte; }

/// The high bit of each byte that is below a space or DEL. Borrows may mark bytes above such a one too, so
/// that the lowest mark counts.
uint64_t controls_of(uint64_t word) {
  const uint64_t below_space = (word - in_each_byte(0x20)) & ~word;
  const uint64_t without_del = word ^ in_each_byte(0x7f);
  return (below_space | ((without_del - in_each_byte(0x01)) & ~without_del)) & in_each_byte(0x80);
}

/// The first byte from `at` on that no field value has, or `end`.
const char* skip_value(const char* at, const char* end) {
  if constexpr (std::endian::native == std::endian::little) {
    while (end - at >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, at, 8);
      const uint64_t controls = controls_of(word);
      if (controls == 0) {
        at += 8;
        continue;
      }
      at += std::countr_zero(controls) / 8;
      if (*at != '\t') return at;
      ++at;
    }
  }
  while (at != end && is_a(ValueChar, *at)) ++at;
  return at;
}

/// The first byte from `at` on that is a colon or in no text, or `end`.
const char* skip_to_colon(const char* at, const char* end) {
  if constexpr (std::endian::native == std::endian::little) {
    while (end - at >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, at, 8);
      const uint64_t without_colon = word ^ in_each_byte(':');
      const uint64_t found =
          ((without_colon - in_each_byte(0x01)) & ~without_colon & in_each_byte(0x80)) | controls_of(word);
      if (found != 0) return at + std::countr_zero(found) / 8;
      at += 8;
    }
  }
  while (at != end && *at != ':' && is_a(ValueChar, *at)) ++at;
  return at;
}

enum class Line : uint8_t { Field, Empty, Incomplete, Folded, BadName, BadValue };

/// Reads the line at `at`, which is then behind it. Positions in `headers` count from `begin`.
Line read_line(const char*& at, const char* begin, const char* end, message::Headers& headers) {
  const char* const name = at;
  const char* const name_end = skip_to_colon(name, end);
  if (name_end == end) return Line::Incomplete;
  if (*name_end != ':') {
    if (name_end == name && end - name >= 2 && name[0] == '\r' && name[1] == '\n') {
      at += 2;
      return Line::Empty;
    }
    return is_blank(*name) ? Line::Folded : Line::BadName;
  }
  const std::string_view name_text(name, static_cast<size_t>(name_end - name));
  const Name id = message::name_of(name_text);
  if (id == Name::Other && (name_text.empty() || !are_all(TokenChar, name_text)))
    // RFC 9112 section 5.2 lets a proxy unfold lines; the next reader may have seen two fields.
    return is_blank(*name) ? Line::Folded : Line::BadName;

  const char* value = name_end + 1;
  while (value != end && is_blank(*value)) ++value;
  const char* const line_end = skip_value(value, end);
  if (end - line_end < 2) return Line::Incomplete;
  if (line_end[0] != '\r' || line_end[1] != '\n') return Line::BadValue;
  const char* value_end = line_end;
  while (value_end > value && is_blank(value_end[-1])) --value_end;

  const auto position = [&](const char* place) { return static_cast<uint32_t>(place - begin); };
  headers.add_stored(id, position(name), position(name_end), position(value), position(value_end));
  at = line_end + 2;
  return Line::Field;
}

}  // namespace

Result<void> parse_field_lines(std::string_view block, Kind kind, message::Headers& headers) {
  const char* const begin = block.data() - headers.store(block);
  const char* const end = block.data() + block.size();
  const char* at = block.data();
  for (;;) {
    switch (read_line(at, begin, end, headers)) {
      case Line::Field: break;
      case Line::Empty:
        if (at == end) return {};
        return fault(kind, ErrorCode::BadRequest, "empty line within the fields");
      case Line::Folded: return fault(kind, ErrorCode::BadRequest, "folded field line");
      case Line::BadName: return fault(kind, ErrorCode::BadRequest, "malformed field name");
      case Line::BadValue:
      case Line::Incomplete: return fault(kind, ErrorCode::BadRequest, "control byte in a field value");
    }
  }
}

size_t take_field_lines(std::string_view text, size_t fields_max, message::Headers& headers) {
  const char* const begin = text.data();
  const char* at = begin;
  for (size_t fields = 0;; ++fields) {
    const Line line = read_line(at, begin, begin + text.size(), headers);
    if (line == Line::Empty) break;
    if (line != Line::Field || fields == fields_max) return 0;
  }
  const auto size = static_cast<size_t>(at - begin);
  headers.store(text.substr(0, size));
  return size;
}

}  // namespace perilune::http
