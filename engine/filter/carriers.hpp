#pragma once

#include "filter/program.hpp"

namespace perilune::filter {

/// Checks that bytes and messages meet the filters that take them: a listen pipeline and those of muxHTTP
/// carry bytes, the pipelines of demuxHTTP messages; decoders and encoders change one into the other. Without
/// it such a script loads, and its clients wait for ever. Tells each pipeline what it takes, so that a route
/// that chooses by a function can refuse at run time what this cannot see. Errors (Side::Script): file:line,
/// and what to write instead.
Result<void> check_carriers(const Program& program);

/// Checks that no route with a fixed target, and no chain of use, leads back to its own pipeline.
Result<void> check_circles(const Program& program);

}  // namespace perilune::filter
