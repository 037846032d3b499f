#include "net/address.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include "base/text.hpp"

namespace perilune::net {

namespace {

constexpr std::string_view unix_prefix = "unix:";
constexpr size_t unix_path_bytes_max = sizeof(sockaddr_un{}.sun_path) - 1;
constexpr size_t name_bytes_max = 253;  // RFC 1035 section 2.3.4, without the final dot
constexpr size_t label_bytes_max = 63;

Error wrong(std::string_view text, std::string_view what) {
  return {ErrorCode::Internal, Side::Script, "address " + in_quotes(text, 255) + ": " + std::string(what)};
}

bool is_ip4(const std::string& host) {
  in_addr bytes;
  return inet_pton(AF_INET, host.c_str(), &bytes) == 1;
}

bool is_ip6(const std::string& host) {
  in6_addr bytes;
  return inet_pton(AF_INET6, host.c_str(), &bytes) == 1;
}

bool is_digits_and_dots(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_name_char(char c) {
  const char lower = to_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > name_bytes_max) return false;
  size_t label_bytes = 0;
  for (const char c : host) {
    if (c == '.') {
      if (label_bytes == 0) return false;
      label_bytes = 0;
      continue;
    }
    if (!is_name_char(c) || ++label_bytes > label_bytes_max) return false;
  }
  return label_bytes > 0;
}

Result<Address> parse_unix(std::string_view text) {
  const std::string_view path = text.substr(unix_prefix.size());
  if (path.empty()) return wrong(text, "no path after \"unix:\"");
  if (path.size() > unix_path_bytes_max) {
    return wrong(text,
                 "the path of a unix socket has at most " + std::to_string(unix_path_bytes_max) + " bytes");
  }
  if (path.find('\0') != std::string_view::npos) return wrong(text, "a path has no zero byte");
  return Address{Address::Kind::Unix, std::string(path), 0};
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  if (text.empty()) return wrong(text, "it is empty; expected \"ip:port\", \"name:port\" or \"unix:/path\"");
  if (text.starts_with(unix_prefix)) return parse_unix(text);

  if (text.find("://") != std::string_view::npos)
    return wrong(text, "an address has no scheme; write \"host:port\", such as \"example.com:80\"");
  const size_t colon = text.rfind(':');
  const size_t bracket = text.rfind(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && bracket > colon)) {
    return wrong(text, "no port; expected \"host:port\"");
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (digits.empty()) return wrong(text, "no port after \":\"");
  const auto port = parse_decimal(digits);
  if (!port || *port > 65535) {
    return wrong(text, "port " + in_quotes(digits) + " is not a number from 0 to 65535");
  }
  if (host.empty() || host == "*")
    return wrong(text, "no host before \":\"; all addresses of this machine are 0.0.0.0, or [::]");

  Address address;
  address.port = static_cast<uint16_t>(*port);
  if (host.front() == '[') {
    if (host.back() != ']') return wrong(text, "\"[\" without \"]\"");
    address.host = host.substr(1, host.size() - 2);
    if (!is_ip6(address.host)) return wrong(text, in_quotes(address.host, 255) + " is not an IPv6 address");
    address.kind = Kind::Ip6;
    return address;
  }
  if (host.find(':') != std::string_view::npos) return wrong(text, "an IPv6 address stands in [brackets]");
  address.host = host;
  if (is_ip4(address.host)) return address;
  if (is_digits_and_dots(host)) return wrong(text, in_quotes(address.host, 255) + " is not an IPv4 address");
  if (!is_name(host)) return wrong(text, in_quotes(address.host, 255) + " is not a host name");
  address.kind = Kind::Name;
  return address;
}

std::string Address::to_string() const {
  switch (kind) {
    case Kind::Unix: return "unix:" + host;
    case Kind::Ip6: return "[" + host + "]:" + std::to_string(port);
    case Kind::Ip4:
    case Kind::Name: break;
  }
  return host + ":" + std::to_string(port);
}

}  // namespace perilune::net
