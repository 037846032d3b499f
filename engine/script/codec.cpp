#include "script/codec.hpp"

#include <array>
#include <cstdint>

namespace perilune::script {
namespace {

constexpr std::string_view standard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view for_urls = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr uint8_t none = 0xff;

constexpr std::array<uint8_t, 256> values_of(std::string_view first, std::string_view second) {
  std::array<uint8_t, 256> values{};
  values.fill(none);
  for (uint8_t i = 0; i < first.size(); ++i) values[static_cast<unsigned char>(first[i])] = i;
  for (uint8_t i = 0; i < second.size(); ++i) values[static_cast<unsigned char>(second[i])] = i;
  return values;
}
constexpr auto base64_values = values_of(standard, for_urls);

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string encode(std::string_view bytes, std::string_view alphabet, bool pads) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(bytes.size() - i, 3);
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k <= count; ++k) text += alphabet[bits >> (18 - 6 * k) & 63];
    if (pads) text.append(3 - count, '=');
  }
  return text;
}

Error broken(const std::string& what) { return {ErrorCode::ScriptError, Side::Script, what}; }

}  // namespace

std::string base64_encode(std::string_view bytes) { return encode(bytes, standard, true); }
std::string base64_url_encode(std::string_view bytes) { return encode(bytes, for_urls, false); }

Result<std::string> base64_decode(std::string_view text) {
  const size_t size = text.size();
  if (size % 4 == 0 && text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
  if (text.size() % 4 == 1)
    return broken("base64 of " + std::to_string(size) + " characters cannot be whole");
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int held = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t value = base64_values[static_cast<unsigned char>(text[i])];
    if (value == none) return broken("not base64 at character " + std::to_string(i + 1));
    bits = bits << 6 | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes += static_cast<char>(bits >> held & 0xff);
  }
  // Bits left over must be 0, or two texts would mean the same bytes (RFC 4648 section 3.5).
  if ((bits & ((1u << held) - 1)) != 0) return broken("not base64: bits are left over at the end");
  return bytes;
}

std::string hex_encode(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4];
    text += digits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

Result<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0)
    return broken("hex of " + std::to_string(text.size()) + " digits cannot be whole");
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return broken("not hex at digit " + std::to_string(high < 0 ? i + 1 : i + 2));
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace perilune::script
