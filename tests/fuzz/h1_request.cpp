#include "h1_reading.hpp"

/// A seed, then what a client sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  fuzz::Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  fuzz::read_in_all_cuts(http::Kind::Request, decisions.rest(), {}, seed);
  return 0;
}
