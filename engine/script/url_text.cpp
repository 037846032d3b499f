#include "script/url_text.hpp"

namespace perilune::script {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that "%XX" at `position` stands for, -1 when it is broken.
int encoded_byte(std::string_view text, size_t position) {
  if (position + 2 >= text.size()) return -1;
  const int high = hex_digit(text[position + 1]);
  const int low = hex_digit(text[position + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

std::string_view percent_decode(std::string_view text, std::string& scratch, Plus plus) {
  const char* special = plus == Plus::IsSpace ? "%+" : "%";
  if (text.find_first_of(special) == std::string_view::npos) return text;
  scratch.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? encoded_byte(text, i) : -1;
    if (byte >= 0) {
      scratch += static_cast<char>(byte);
      i += 2;
    } else {
      scratch += text[i] == '+' && plus == Plus::IsSpace ? ' ' : text[i];
    }
  }
  return scratch;
}

bool is_well_encoded(std::string_view text) {
  for (size_t i = text.find('%'); i != std::string_view::npos; i = text.find('%', i + 1)) {
    if (encoded_byte(text, i) < 0) return false;
  }
  return true;
}

void percent_encode(std::string_view text, bool (*keeps)(char), std::string& result) {
  constexpr char digits[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (keeps(c)) {
      result += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    result += '%';
    result += digits[byte >> 4];
    result += digits[byte & 15];
  }
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace perilune::script
