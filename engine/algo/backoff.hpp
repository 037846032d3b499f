#pragma once

#include <cstdint>
#include <optional>

#include "base/limits.hpp"

namespace perilune::algo {

struct Backoff {
  Duration base = limits::retry_backoff;
  Duration max = limits::retry_backoff_max;            ///< base or more
  Duration retry_after_max = limits::retry_after_max;  ///< the longest Retry-After that is waited for
};

/// How long to wait before retry number `retry` (1 is the first): anything from 0 to base * 2^(retry - 1), at
/// most max, evenly by 64 random bits. ("Full jitter": Brooker, "Exponential backoff and jitter", 2015.)
Duration backoff(uint32_t retry, uint64_t random, const Backoff& rules = {});

/// The same where the last answer had a Retry-After, which comes on top, so that those who were told the same
/// do not come back together. None: it asks for more than is waited for, and the answer is the client's.
/// A negative Retry-After is 0: RFC 9110 section 10.2.3 allows dates, and those may be past.
std::optional<Duration> backoff_after(Duration retry_after, uint32_t retry, uint64_t random,
                                      const Backoff& rules = {});

}  // namespace perilune::algo
