#include "algo/netmask.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace perilune::algo {
namespace {

constexpr unsigned v4_bits = 32;
constexpr unsigned v6_bits = 128;
constexpr unsigned mapped_bits = v6_bits - v4_bits;
constexpr std::array<uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

unsigned bits_of(const IpAddress& address) { return address.is_v4 ? v4_bits : v6_bits; }

/// Clears what is behind the first `prefix` bits.
IpAddress cut(IpAddress address, unsigned prefix) {
  for (unsigned i = 0; i < address.bytes.size(); ++i) {
    const unsigned begin = i * 8;
    if (begin >= prefix) address.bytes[i] = 0;
    else if (prefix - begin < 8) address.bytes[i] &= static_cast<uint8_t>(0xff00U >> (prefix - begin));
  }
  return address;
}

std::string to_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(address.is_v4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
}

Error wrong(std::string_view text, std::string_view why) {
  return {ErrorCode::ScriptError, Side::Script, in_quotes(text) + " is no network" + std::string(why)};
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated || text.find('\0') != std::string_view::npos) return std::nullopt;
  text.copy(terminated, text.size());
  terminated[text.size()] = '\0';
  IpAddress address;
  if (inet_pton(AF_INET, terminated, address.bytes.data()) == 1) {
    address.is_v4 = true;
    return address;
  }
  if (inet_pton(AF_INET6, terminated, address.bytes.data()) != 1) return std::nullopt;
  if (std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.bytes.begin())) {
    IpAddress v4;
    v4.is_v4 = true;
    std::copy(address.bytes.begin() + mapped_prefix.size(), address.bytes.end(), v4.bytes.begin());
    return v4;
  }
  return address;
}

Result<void> NetmaskSet::add(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto address = IpAddress::parse(host);
  if (!address) return wrong(text, "; write \"10.0.0.0/8\", \"fd00::/8\" or a single IP address");
  unsigned prefix = bits_of(*address);
  if (slash != std::string_view::npos) {
    // A mapped network counts its bits as IPv6 does.
    const bool is_mapped = address->is_v4 && host.find(':') != std::string_view::npos;
    const unsigned least = is_mapped ? mapped_bits : 0;
    const auto given = parse_decimal(text.substr(slash + 1));
    if (!given || *given < least || *given > prefix + least)
      return wrong(text, ": what is behind the slash is a number from " + std::to_string(least) + " to " +
                             std::to_string(prefix + least));
    prefix = static_cast<unsigned>(*given) - least;
  }
  const IpAddress first = cut(*address, prefix);
  if (first != *address)
    return wrong(text, ": bits behind the prefix are set; did you mean \"" + to_text(first) + "/" +
                           std::to_string(prefix) + "\"?");
  networks_.push_back({first, prefix});
  return {};
}

bool NetmaskSet::contains(const IpAddress& address) const {
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return network.first.is_v4 == address.is_v4 && cut(address, network.prefix) == network.first;
  });
}

}  // namespace perilune::algo
