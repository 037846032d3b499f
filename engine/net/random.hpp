#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace perilune::net {

/// xoshiro256++: fast, good for jitter, balancing and request ids; not for secrets. Equal seeds give equal
/// sequences. Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021).
class Random {
 public:
  using State = std::array<uint64_t, 4>;

  explicit Random(const State& state) : state_(state) { state_[0] |= 1; }
  /// Spreads a small seed over the state with splitmix64, as the generator's authors advise.
  explicit Random(uint64_t seed) : state_() {
    for (uint64_t& word : state_) word = split(seed);
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// One of `count` numbers from 0; 0 when `count` is 0. The bias is below count / 2^64.
  uint64_t below(uint64_t count) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * count) >> 64);
  }
  /// True with the given probability.
  bool chance(double probability) { return static_cast<double>(next() >> 11) * 0x1.0p-53 < probability; }

 private:
  static uint64_t split(uint64_t& seed) {
    uint64_t word = seed += 0x9e3779b97f4a7c15;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
  }

  State state_;
};

}  // namespace perilune::net
