#include "base/expect.hpp"

#include <cstdio>
#include <cstdlib>

namespace perilune {

void fail_expectation(const char* sentence, const char* file, int line) {
  std::fprintf(stderr, "perilune: a bug in the engine: %s (%s:%d)\n", sentence, file, line);
  std::abort();
}

}  // namespace perilune
