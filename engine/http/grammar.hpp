#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

/// Which bytes may stand where in an HTTP/1 message, and what a host and a request target look like.
namespace perilune::http {

enum CharClass : uint8_t {
  TokenChar = 1,   // tchar, RFC 9110 section 5.6.2
  ValueChar = 2,   // a field value: tab, space, visible, obs-text; RFC 9110 section 5.5
  TargetChar = 4,  // a request target: visible ASCII but '#', which no target holds (RFC 9112 section 3.2)
  HostChar = 8,    // a registered name in use: letters, digits, "-._~"
};

inline constexpr std::array<uint8_t, 256> char_classes = [] {
  std::array<uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (alphanumeric) table[c] |= TokenChar | HostChar;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) table[c] |= ValueChar;
    if (c > 0x20 && c < 0x7f && c != '#') table[c] |= TargetChar;
  }
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] |= TokenChar;
  for (const char c : std::string_view("-._~")) table[static_cast<unsigned char>(c)] |= HostChar;
  return table;
}();

constexpr bool is_a(CharClass wanted, char c) {
  return (char_classes[static_cast<unsigned char>(c)] & wanted) != 0;
}
constexpr bool are_all(CharClass wanted, std::string_view text) {
  for (const char c : text)
    if (!is_a(wanted, c)) return false;
  return true;
}

/// Of optional whitespace: RFC 9110 section 5.6.3.
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

/// The value of a hexadecimal digit, -1 for anything else.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// What may stand in Host and as the authority of a target: host [":" port], not empty, without user
/// information. Narrower than RFC 3986 section 3.2.2 on purpose: a name is letters, digits and "-._~"
/// (neither
/// "%41" nor "a,b", which two servers may read differently), an address in brackets is IPv6, a port is at
/// most 65535. The port may be empty.
bool is_valid_host(std::string_view host);

/// The four forms of RFC 9112 section 3.2.
enum class TargetForm : uint8_t { Origin, Absolute, Authority, Asterisk };

/// A request target taken apart; the views point into what was given.
struct Target {
  TargetForm form = TargetForm::Origin;
  std::string_view scheme = "http";
  std::string_view authority = {};  // of absolute and authority form
  std::string_view path = {};       // with its query; may lack the leading "/" when the form is Absolute
};

/// Takes a target apart by the method it came with: authority form goes with CONNECT and nothing else does,
/// "*" only with OPTIONS, an absolute target is http or https. None when it is malformed.
std::optional<Target> parse_target(std::string_view method, std::string_view target);

/// A path that may be put into a request line as it is, for values from scripts: origin form or "*".
bool is_valid_path(std::string_view path);

}  // namespace perilune::http
