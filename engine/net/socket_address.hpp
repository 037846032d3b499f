#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdint>
#include <optional>

#include "net/address.hpp"

namespace perilune::net {

/// An Address in the form that system calls take.
struct SocketAddress {
  union {
    sockaddr any;
    sockaddr_in ip4;
    sockaddr_in6 ip6;
    sockaddr_un path;
  };
  socklen_t size = 0;

  SocketAddress() : path{} {}
  int family() const { return any.sa_family; }
};

/// None for a name, for a path that is too long and for a host that is not an address.
std::optional<SocketAddress> to_socket_address(const Address& address);
/// An unnamed unix socket has an empty host.
Address to_address(const SocketAddress& address);

/// The address of an IP endpoint in 20 bytes: every connection keeps one, so that a log line about a peer
/// that is gone still names it. Unix endpoints keep their kind only.
struct PackedEndpoint {
  std::array<uint8_t, 16> bytes{};
  uint16_t port = 0;
  Address::Kind kind = Address::Kind::Unix;

  static PackedEndpoint of(const SocketAddress& address);
  Address unpack() const;
};

/// "127.0.0.1:80: Connection refused", with the system's words for `error_number`.
std::string describe_failure(const Address& address, int error_number);

}  // namespace perilune::net
