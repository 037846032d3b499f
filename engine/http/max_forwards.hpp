#pragma once

#include <cstdint>

#include "base/object.hpp"
#include "message/head.hpp"

/// How far TRACE and OPTIONS may travel (RFC 9110 section 7.6.2). Max-Forwards of other methods means
/// nothing.
namespace perilune::http {

/// More hops than any request takes: a larger number counts as this one.
inline constexpr uint64_t hops_max = 255;

enum class Hop : uint8_t {
  Next,  // send it on
  Last,  // it ends here: answer_at_last_hop
};

/// To be called with a request before it is sent to an upstream, once: a TRACE or OPTIONS that may travel no
/// further is not to be sent, of one that may the field counts this hop. Fields that are no number stay as
/// they are; of several the least counts.
Hop count_hop(message::RequestHead& head);

/// What a request is answered that ends at this hop, a head without a body: OPTIONS 204 with Allow. TRACE
/// 405, since what came is not shown to whoever asks: it holds credentials.
Ref<message::ResponseHead> answer_at_last_hop(const message::RequestHead& head);

}  // namespace perilune::http
