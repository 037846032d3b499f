#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace perilune::net {

/// Where to listen or connect: an IP address with a port, a host name with a port, or a unix socket's path.
struct Address {
  enum class Kind : uint8_t { Ip4, Ip6, Name, Unix };

  Kind kind = Kind::Ip4;
  /// "127.0.0.1", "::1" (no brackets), "example.org" or "/run/app.sock".
  std::string host;
  uint16_t port = 0;

  /// "127.0.0.1:80", "[::1]:80", "example.org:80", "unix:/run/app.sock". Errors: Internal (Side::Script) with
  /// a sentence that says what is wrong.
  static Result<Address> parse(std::string_view text);
  /// The form that parse takes.
  std::string to_string() const;
  bool needs_resolving() const { return kind == Kind::Name; }
  friend bool operator==(const Address&, const Address&) = default;
};

}  // namespace perilune::net
