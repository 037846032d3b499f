#pragma once

#include <cstddef>
#include <string>

#include "flow/event.hpp"

namespace perilune::flow {

class Pipeline;

/// Sees what passes through the pipelines of a worker, for tests. A runtime that has none builds its
/// pipelines as if there were no such thing.
class Tracer {
 public:
  /// A sink in front of filter number `filter` of `pipeline` (as many as it has: in front of its end) that
  /// shows the tracer each event and gives it to `next`. Asked for once for an instance, which may run many
  /// times. It lasts as long as the tracer.
  virtual Sink& tap(const Pipeline& pipeline, size_t filter, Sink& next) = 0;

 protected:
  ~Tracer() = default;
};

/// An event in words: `request GET /x | host: a`, `data 12 bytes`, `message end: …`.
std::string describe(const Event& event);

}  // namespace perilune::flow
