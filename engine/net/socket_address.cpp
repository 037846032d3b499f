#include "net/socket_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <system_error>

namespace perilune::net {

namespace {

std::string ip4_text(const void* bytes) {
  char text[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, bytes, text, sizeof text);
}

std::string ip6_text(const void* bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET6, bytes, text, sizeof text);
}

}  // namespace

std::optional<SocketAddress> to_socket_address(const Address& address) {
  SocketAddress result;
  switch (address.kind) {
    case Address::Kind::Ip4:
      result.ip4.sin_family = AF_INET;
      result.ip4.sin_port = htons(address.port);
      result.size = sizeof result.ip4;
      if (inet_pton(AF_INET, address.host.c_str(), &result.ip4.sin_addr) != 1) return std::nullopt;
      return result;
    case Address::Kind::Ip6:
      result.ip6.sin6_family = AF_INET6;
      result.ip6.sin6_port = htons(address.port);
      result.size = sizeof result.ip6;
      if (inet_pton(AF_INET6, address.host.c_str(), &result.ip6.sin6_addr) != 1) return std::nullopt;
      return result;
    case Address::Kind::Unix:
      if (address.host.empty() || address.host.size() >= sizeof result.path.sun_path) return std::nullopt;
      result.path.sun_family = AF_UNIX;
      std::copy(address.host.begin(), address.host.end(), result.path.sun_path);
      result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.host.size() + 1);
      return result;
    case Address::Kind::Name: break;
  }
  return std::nullopt;
}

Address to_address(const SocketAddress& address) {
  if (address.family() != AF_UNIX) return PackedEndpoint::of(address).unpack();
  constexpr size_t path_offset = offsetof(sockaddr_un, sun_path);
  const char* path = address.path.sun_path;
  const size_t bytes = address.size > path_offset ? strnlen(path, address.size - path_offset) : 0;
  return {Address::Kind::Unix, std::string(path, bytes), 0};
}

PackedEndpoint PackedEndpoint::of(const SocketAddress& address) {
  PackedEndpoint endpoint;
  if (address.family() == AF_INET) {
    endpoint.kind = Address::Kind::Ip4;
    endpoint.port = ntohs(address.ip4.sin_port);
    std::memcpy(endpoint.bytes.data(), &address.ip4.sin_addr, sizeof address.ip4.sin_addr);
  } else if (address.family() == AF_INET6) {
    endpoint.kind = Address::Kind::Ip6;
    endpoint.port = ntohs(address.ip6.sin6_port);
    std::memcpy(endpoint.bytes.data(), &address.ip6.sin6_addr, sizeof address.ip6.sin6_addr);
  }
  return endpoint;
}

Address PackedEndpoint::unpack() const {
  if (kind == Address::Kind::Ip4) return {kind, ip4_text(bytes.data()), port};
  if (kind == Address::Kind::Ip6) return {kind, ip6_text(bytes.data()), port};
  return {Address::Kind::Unix, {}, 0};
}

std::string describe_failure(const Address& address, int error_number) {
  return address.to_string() + ": " + std::generic_category().message(error_number);
}

}  // namespace perilune::net
