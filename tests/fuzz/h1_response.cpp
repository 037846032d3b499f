#include <array>

#include "h1_reading.hpp"

/// A seed, a byte that says what four requests asked (two bits each), then what an upstream sends.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace perilune;
  constexpr std::array<http::Asked, 4> kinds{http::Asked{"GET"}, http::Asked{"HEAD"}, http::Asked{"CONNECT"},
                                             http::Asked{"GET", http::UpgradeOffer::WebSocket}};
  fuzz::Decisions decisions(data, size);
  const uint32_t seed = decisions.byte();
  const uint8_t choice = decisions.byte();
  std::array<http::Asked, 4> asked;
  for (size_t i = 0; i < asked.size(); ++i) asked[i] = kinds[choice >> (2 * i) & 3];
  fuzz::read_in_all_cuts(http::Kind::Response, decisions.rest(), asked, seed);
  return 0;
}
