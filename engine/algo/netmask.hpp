#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace perilune::algo {

/// An IP address as bits. IPv4 and its mapped form ("::ffff:10.0.0.1", RFC 4291 section 2.5.5.2) are one and
/// the same.
struct IpAddress {
  /// Of IPv4 the first four count, the others are 0.
  std::array<uint8_t, 16> bytes{};
  bool is_v4 = false;

  /// "10.0.0.1" (four decimal numbers, no shorter forms), "::1"; no brackets, port, zone or white space.
  static std::optional<IpAddress> parse(std::string_view text);
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// A set of networks: "10.0.0.0/8", "fd00::/8", and single addresses. IPv4 addresses belong to IPv4 networks
/// only,
/// "::/0" has none of them.
class NetmaskSet {
 public:
  /// Errors (Side::Script): ScriptError with a sentence that quotes `text`: no network, a prefix that is too
  /// long, bits behind the prefix that are set.
  Result<void> add(std::string_view text);
  bool contains(const IpAddress& address) const;
  bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    IpAddress first;
    unsigned prefix;  // of 32 bits or 128
  };
  std::vector<Network> networks_;
};

}  // namespace perilune::algo
