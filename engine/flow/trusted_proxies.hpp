#pragma once

#include <string>
#include <string_view>

#include "algo/netmask.hpp"
#include "message/headers.hpp"

namespace perilune::flow {

/// Whose word about the client a listener takes: the proxies in front of it, by network.
class TrustedProxies {
 public:
  /// "10.0.0.0/8", "::1", or "unix" for whoever connects to a unix socket. Errors: those of algo::NetmaskSet.
  Result<void> add(std::string_view text);
  /// Whether a connection from `ip` ("10.0.0.1"; anything else for a unix socket) is a proxy's.
  bool trusts(std::string_view ip) const;
  /// The client that a trusted proxy's request names in X-Forwarded-For: from the right, across all fields of
  /// that name, the first address that is not trusted itself. What is no address ends the search; so do
  /// limits::forwarded_hops_max. The last address that was looked at counts then, and an empty text means
  /// none.
  std::string client_of(const message::Headers& headers) const;

 private:
  algo::NetmaskSet networks_;
  bool trusts_unix_ = false;
};

}  // namespace perilune::flow
