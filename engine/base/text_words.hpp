#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/text.hpp"

/// Text compared eight bytes at a time, ASCII letters in any case.
namespace perilune {

/// The eight bytes from `position` on.
inline uint64_t word_at(std::string_view text, size_t position) {
  uint64_t word = 0;
  std::memcpy(&word, text.data() + position, 8);
  return word;
}

/// The first and the last four of four to eight bytes.
inline uint64_t ends_of(std::string_view text) {
  uint32_t front = 0, back = 0;
  std::memcpy(&front, text.data(), 4);
  std::memcpy(&back, text.data() + text.size() - 4, 4);
  return uint64_t{front} << 32 | back;
}

/// to_lower for eight bytes at once.
constexpr uint64_t lower_word(uint64_t word) {
  constexpr uint64_t each = 0x0101010101010101;
  const uint64_t low_bits = word & (each * 0x7f);
  // Adding carries into the top bit of a byte, and no further, when it is at least 'A', or above 'Z'.
  const uint64_t at_least_a = low_bits + each * (0x80 - 'A');
  const uint64_t above_z = low_bits + each * (0x7f - 'Z');
  const uint64_t is_capital = (at_least_a & ~above_z) & ~word & (each * 0x80);
  return word | (is_capital >> 2);
}

/// `text` is `lower` in any case. `lower` is a literal without capitals: the compiler turns it into words.
template <size_t Size>
inline bool equals_lower(std::string_view text, const char (&lower)[Size]) {
  constexpr size_t size = Size - 1;
  const std::string_view expected(lower, size);
  if (text.size() != size) return false;
  if constexpr (size < 4) {
    for (size_t i = 0; i < size; ++i)
      if (to_lower(text[i]) != lower[i]) return false;
    return true;
  } else if constexpr (size < 8) {
    return lower_word(ends_of(text)) == ends_of(expected);
  } else {
    uint64_t difference = lower_word(word_at(text, size - 8)) ^ word_at(expected, size - 8);
    for (size_t i = 0; i + 8 < size; i += 8)
      difference |= lower_word(word_at(text, i)) ^ word_at(expected, i);
    return difference == 0;
  }
}

}  // namespace perilune
