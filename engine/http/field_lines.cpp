#include "http/field_lines.hpp"

#include "http/grammar.hpp"

namespace perilune::http {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Result<void> parse_field_lines(std::string_view block, Kind kind, message::Headers& headers) {
  // The empty line ends every loop below: CR is neither a token character nor a value character.
  const char* at = block.data();
  const char* const end = at + block.size() - 2;
  while (at < end) {
    const char* const name = at;
    while (is_a(TokenChar, *at)) ++at;
    // RFC 9112 section 5.2 lets a proxy unfold lines; the next reader may have seen two fields.
    if (at == name && is_blank(*at)) return fault(kind, ErrorCode::BadRequest, "folded field line");
    if (*at != ':' || at == name) return fault(kind, ErrorCode::BadRequest, "malformed field name");
    const std::string_view name_text(name, static_cast<size_t>(at - name));

    ++at;
    while (is_blank(*at)) ++at;
    const char* const value = at;
    while (is_a(ValueChar, *at)) ++at;
    if (at[0] != '\r' || at[1] != '\n') return fault(kind, ErrorCode::BadRequest, "control byte in a field value");
    const char* value_end = at;
    while (value_end > value && is_blank(value_end[-1])) --value_end;
    headers.add(name_text, {value, static_cast<size_t>(value_end - value)});
    at += 2;
  }
  return {};
}

}  // namespace perilune::http
