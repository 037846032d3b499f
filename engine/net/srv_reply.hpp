#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace perilune::net {

/// One place where a service is offered (RFC 2782).
struct SrvRecord {
  uint16_t priority = 0;
  std::string host;  // in lower case, without a final dot; empty for ".": the service is not offered
  uint16_t port = 0;
  uint16_t weight = 0;
  friend auto operator<=>(const SrvRecord&, const SrvRecord&) = default;
};

struct SrvReply {
  /// In ascending order, each once: an answer in another order is the same answer.
  std::vector<SrvRecord> records;
  /// The smallest of the answer section, aliases on the way included; 0 without records.
  Duration ttl = Duration::zero();
};

/// Reads the answer section of a DNS message; other kinds of records in it are passed over. c-ares has a
/// parser too, but 1.18 drops the TTL. Errors (Side::Upstream): ResolveFailure for a message that is cut or
/// malformed.
Result<SrvReply> parse_srv_reply(std::span<const unsigned char> message);

}  // namespace perilune::net
