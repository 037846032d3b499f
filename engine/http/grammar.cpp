#include "http/grammar.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.hpp"

namespace perilune::http {
namespace {

bool is_ipv6(std::string_view text) {
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof copy) return false;
  std::copy(text.begin(), text.end(), copy);
  in6_addr address{};
  return text.find('\0') == std::string_view::npos && inet_pton(AF_INET6, copy, &address) == 1;
}

bool is_port(std::string_view text) {
  if (text.empty()) return true;
  const auto port = parse_decimal(text);
  return port && *port <= 65535;
}

std::string_view after_prefix(std::string_view text, std::string_view prefix) {
  return equal_ignoring_case(text.substr(0, prefix.size()), prefix) ? text.substr(prefix.size())
                                                                    : std::string_view();
}

}  // namespace

bool is_valid_host(std::string_view host) {
  if (host.empty()) return false;
  size_t end = 0;
  if (host.front() == '[') {
    end = host.find(']');
    if (end == std::string_view::npos || !is_ipv6(host.substr(1, end - 1))) return false;
    ++end;
  } else {
    while (end < host.size() && is_a(HostChar, host[end])) ++end;
    if (end == 0) return false;
  }
  return end == host.size() || (host[end] == ':' && is_port(host.substr(end + 1)));
}

std::optional<Target> parse_target(std::string_view method, std::string_view target) {
  if (target.empty() || !are_all(TargetChar, target)) return std::nullopt;
  if (method == "CONNECT") {
    // RFC 9110 section 9.3.6: host and port, both.
    const size_t colon = target.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == target.size() || !is_valid_host(target))
      return std::nullopt;
    if (target.back() == ']') return std::nullopt;
    return Target{.form = TargetForm::Authority, .authority = target, .path = target};
  }
  if (target.front() == '/') return Target{.form = TargetForm::Origin, .path = target};
  if (target == "*") {
    if (method != "OPTIONS") return std::nullopt;
    return Target{.form = TargetForm::Asterisk, .path = target};
  }

  Target parts{.form = TargetForm::Absolute};
  std::string_view rest = after_prefix(target, "http://");
  if (rest.empty()) {
    rest = after_prefix(target, "https://");
    parts.scheme = "https";
  }
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  parts.authority = rest.substr(0, end);
  parts.path = rest.substr(end);
  // RFC 9110 section 4.2.4: user information in a target hides where it leads; is_valid_host knows no '@'.
  if (!is_valid_host(parts.authority)) return std::nullopt;
  return parts;
}

bool is_valid_path(std::string_view path) {
  return !path.empty() && (path.front() == '/' || path == "*") && are_all(TargetChar, path);
}

}  // namespace perilune::http
