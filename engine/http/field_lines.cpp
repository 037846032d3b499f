#include "http/field_lines.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#include "http/grammar.hpp"

namespace perilune::http {

using message::Name;

namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

constexpr uint64_t in_each_byte(uint8_t byte) { return uint64_t{0x0101010101010101} * byte; }

/// The high bit of each byte that is below a space or DEL. Borrows may mark bytes above such a one too, so
/// that the lowest mark counts.
uint64_t controls_of(uint64_t word) {
  const uint64_t below_space = (word - in_each_byte(0x20)) & ~word;
  const uint64_t without_del = word ^ in_each_byte(0x7f);
  return (below_space | ((without_del - in_each_byte(0x01)) & ~without_del)) & in_each_byte(0x80);
}

/// The first byte from `at` on that no field value has; one is before `end`.
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
  while (is_a(ValueChar, *at)) ++at;
  return at;
}

bool concerns_framing(Name id) {
  switch (id) {
    case Name::ContentLength:
    case Name::TransferEncoding:
    case Name::Connection:
    case Name::ProxyConnection:
    case Name::Upgrade: return true;
    default: return false;
  }
}

}  // namespace

Result<void> parse_field_lines(std::string_view block, Kind kind, message::Headers& headers,
                               FramingLines* framing_lines) {
  // The empty line ends every loop below: CR is neither a token character nor a value character.
  const char* const begin = block.data();
  const char* const end = begin + block.size();
  const uint32_t base = headers.store(block);
  for (const char* at = begin; at < end - 2; at += 2) {
    const char* const name = at;
    while (is_a(TokenChar, *at)) ++at;
    // RFC 9112 section 5.2 lets a proxy unfold lines; the next reader may have seen two fields.
    if (at == name && is_blank(*at)) return fault(kind, ErrorCode::BadRequest, "folded field line");
    if (*at != ':' || at == name) return fault(kind, ErrorCode::BadRequest, "malformed field name");
    const char* const name_end = at++;

    while (is_blank(*at)) ++at;
    const char* const value = at;
    at = skip_value(at, end);
    if (at[0] != '\r' || at[1] != '\n')
      return fault(kind, ErrorCode::BadRequest, "control byte in a field value");
    const char* value_end = at;
    while (value_end > value && is_blank(value_end[-1])) --value_end;

    const auto position = [&](const char* place) { return static_cast<uint32_t>(place - begin); };
    const Name id = headers.add_stored(base + position(name), position(name_end) - position(name),
                                       base + position(value), position(value_end) - position(value));
    if (framing_lines && concerns_framing(id) && framing_lines->count <= FramingLines::lines_max) {
      if (framing_lines->count < FramingLines::lines_max)
        framing_lines->lines[framing_lines->count] = {name, static_cast<size_t>(at + 2 - name)};
      ++framing_lines->count;
    }
  }
  return {};
}

}  // namespace perilune::http
