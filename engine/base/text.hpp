#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace perilune {

/// ASCII only: field names, hosts and tokens are compared without a locale (RFC 9110 section 5.1).
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool equal_ignoring_case(std::string_view a, std::string_view b);
std::string to_lower(std::string_view text);

/// Cuts spaces and tabs at both ends (optional white space, RFC 9110 section 5.6.3).
std::string_view trim(std::string_view text);

/// A whole decimal number with no sign and nothing around it; none when it does not fit.
std::optional<uint64_t> parse_decimal(std::string_view text);

/// "250ms", "5s", "1m", "1h", or plain seconds such as "0.5". None when it is something else.
std::optional<Duration> parse_duration(std::string_view text);
/// "16k", "1m", "2g" (powers of 1,024) or plain bytes. None when it is something else.
std::optional<uint64_t> parse_size(std::string_view text);

/// Bytes of the UTF-8 sequence that `text` begins with (RFC 3629), 0 when it begins with none.
size_t utf8_size(std::string_view text);
/// Bytes that are no UTF-8 become the characters of Latin-1.
std::string as_utf8(std::string_view text);
/// Bytes of the character that `text` begins with when a terminal only shows it, else 0: for a control
/// character, of which U+0080 to U+009F are some, and for what is not UTF-8.
size_t shown_size(std::string_view text);

/// Somebody's text within a sentence: what a terminal would not only show as "\x0a", cut off where it gets
/// long.
std::string shown(std::string_view text, size_t bytes_max = 80);
/// The same between quotes.
std::string in_quotes(std::string_view text, size_t bytes_max = 80);

/// Adds a JSON string (RFC 8259), quotes and all. Bytes that are no UTF-8 are taken for Latin-1.
void append_json_text(std::string& line, std::string_view text);

/// The candidate nearest to `word` by edit distance, or one that begins so; empty when none may be meant.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace perilune
