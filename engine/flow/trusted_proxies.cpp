#include "flow/trusted_proxies.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"

namespace perilune::flow {
namespace {

/// The address of one entry; some proxies write a port behind it: "10.0.0.1:80", "[::1]:80", "[::1]".
std::string_view without_port(std::string_view entry) {
  if (entry.starts_with('[')) {
    const size_t close = entry.find(']');
    if (close == std::string_view::npos) return {};
    const std::string_view rest = entry.substr(close + 1);
    if (!rest.empty() && (rest[0] != ':' || !parse_decimal(rest.substr(1)))) return {};
    return entry.substr(1, close - 1);
  }
  const size_t colon = entry.find(':');
  if (colon == std::string_view::npos || colon != entry.rfind(':')) return entry;
  return parse_decimal(entry.substr(colon + 1)) ? entry.substr(0, colon) : std::string_view();
}

}  // namespace

Result<void> TrustedProxies::add(std::string_view text) {
  if (text == "unix") {
    trusts_unix_ = true;
    return {};
  }
  return networks_.add(text);
}

bool TrustedProxies::trusts(std::string_view ip) const {
  const auto address = algo::IpAddress::parse(ip);
  return address ? networks_.contains(*address) : trusts_unix_;
}

std::string TrustedProxies::client_of(const message::Headers& headers) const {
  std::string_view client;
  size_t hops = 0;
  const auto fields = headers.all("x-forwarded-for");
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    for (std::string_view rest = *field;;) {
      if (++hops > limits::forwarded_hops_max) return std::string(client);
      const size_t comma = rest.rfind(',');
      const std::string_view entry =
          without_port(trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1)));
      const auto address = algo::IpAddress::parse(entry);
      if (!address) return std::string(client);
      client = entry;
      if (!networks_.contains(*address)) return std::string(client);
      if (comma == std::string_view::npos) break;
      rest = rest.substr(0, comma);
    }
  }
  return std::string(client);
}

}  // namespace perilune::flow
