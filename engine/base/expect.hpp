#pragma once

namespace perilune {

/// Ends the process with `sentence` and the place it stands at. For bugs of ours only, never for bad input.
[[noreturn]] void fail_expectation(const char* sentence, const char* file, int line);

}  // namespace perilune

/// States what must hold at this point, in release builds too.
#define PERILUNE_EXPECT(condition, sentence) \
  (static_cast<bool>(condition) ? void(0) : ::perilune::fail_expectation(sentence, __FILE__, __LINE__))
