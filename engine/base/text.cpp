#include "base/text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/text_words.hpp"

namespace perilune {
namespace {

std::optional<double> parse_number(std::string_view text, std::string_view& rest) {
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !(number >= 0) || !std::isfinite(number)) return std::nullopt;
  rest = text.substr(static_cast<size_t>(end - text.data()));
  return number;
}

/// Letters put in, left out or changed, and neighbours that changed places, one each.
size_t edit_distance(std::string_view a, std::string_view b) {
  const auto same = [&](size_t i, size_t j) { return to_lower(a[i]) == to_lower(b[j]); };
  std::vector<size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before_last = last;
    last = row;
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same(i - 1, j - 1) ? 0 : 1)});
      const bool is_swapped = i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1);
      if (is_swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const size_t size = a.size();
  // Most that differ do so at once.
  if (size == 0) return true;
  if (to_lower(a[0]) != to_lower(b[0])) return false;
  if (size < 4) {
    for (size_t i = 1; i < size; ++i)
      if (to_lower(a[i]) != to_lower(b[i])) return false;
    return true;
  }
  if (size < 8) return lower_word(ends_of(a)) == lower_word(ends_of(b));
  for (size_t i = 0; i + 8 < size; i += 8)
    if (lower_word(word_at(a, i)) != lower_word(word_at(b, i))) return false;
  return lower_word(word_at(a, size - 8)) == lower_word(word_at(b, size - 8));
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = to_lower(c);
  return lower;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> parse_decimal(std::string_view text) {
  uint64_t number = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<Duration> parse_duration(std::string_view text) {
  std::string_view unit;
  const auto number = parse_number(text, unit);
  if (!number) return std::nullopt;
  if (unit.empty() || unit == "s") return from_seconds(*number);
  if (unit == "ms") return from_seconds(*number / 1000);
  if (unit == "m") return from_seconds(*number * 60);
  if (unit == "h") return from_seconds(*number * 3600);
  return std::nullopt;
}

std::optional<uint64_t> parse_size(std::string_view text) {
  std::string_view unit;
  auto number = parse_number(text, unit);
  if (!number) return std::nullopt;
  if (unit == "k" || unit == "K") *number *= 1024;
  else if (unit == "m" || unit == "M") *number *= 1024.0 * 1024;
  else if (unit == "g" || unit == "G") *number *= 1024.0 * 1024 * 1024;
  else if (!unit.empty()) return std::nullopt;
  if (*number > 9e15) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

size_t utf8_size(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  // Longer forms than needed, surrogates, and what is beyond U+10FFFF.
  const bool is_wrong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
                        (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90);
  return is_wrong ? 0 : size;
}

std::string as_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t size = utf8_size(text.substr(i));
    if (size > 0) {
      valid.append(text, i, size);
    } else {
      const auto byte = static_cast<unsigned char>(text[i]);
      valid += static_cast<char>(0xc0 | byte >> 6);
      valid += static_cast<char>(0x80 | (byte & 0x3f));
    }
    i += std::max<size_t>(size, 1);
  }
  return valid;
}

size_t shown_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (text.empty()) return 0;
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f ? 1 : 0;
  const size_t size = utf8_size(text);
  return size == 2 && byte(0) == 0xc2 && byte(1) < 0xa0 ? 0 : size;
}

std::string shown(std::string_view text, size_t bytes_max) {
  std::string result;
  size_t at = 0;
  while (at < text.size()) {
    const size_t size = shown_size(text.substr(at));
    if (at + std::max<size_t>(size, 1) > bytes_max) break;
    if (size == 0) {
      char escape[5];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[at++]));
      result += escape;
    } else {
      result.append(text, at, size);
      at += size;
    }
  }
  return at < text.size() ? result + "…" : result;
}

std::string in_quotes(std::string_view text, size_t bytes_max) { return '"' + shown(text, bytes_max) + '"'; }

void append_json_text(std::string& line, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  line += '"';
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t size = shown_size(text.substr(i));
    if (c == '"' || c == '\\') {
      line.append({'\\', c});
      ++i;
    } else if (size > 0) {
      line.append(text, i, size);
      i += size;
    } else if (c == '\n') {
      line += "\\n";
      ++i;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      line.append("\\u00").append({digits[byte >> 4], digits[byte & 15]});
      ++i;
    }
  }
  line += '"';
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t best_distance = word.size() / 2 + 1;
  for (const auto candidate : candidates) {
    size_t distance = edit_distance(word, candidate);
    // The begin of a longer name is that name, cut short.
    const bool is_begin =
        candidate.size() > word.size() && equal_ignoring_case(candidate.substr(0, word.size()), word);
    if (is_begin) distance = std::min<size_t>(distance, 2);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace perilune
