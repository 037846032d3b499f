#pragma once

#include <cstdint>
#include <string_view>

namespace perilune::algo {

/// The finaliser of `hash`, also good on its own to spread numbers that are close together: every bit of
/// the input changes about half of the output's. The multipliers are those of MurmurHash3's 64-bit finaliser.
constexpr uint64_t mix(uint64_t bits) {
  bits ^= bits >> 33;
  bits *= 0xff51afd7ed558ccdULL;
  bits ^= bits >> 33;
  bits *= 0xc4ceb9fe1a85ec53ULL;
  return bits ^ (bits >> 33);
}

/// 64-bit hash of a string: FNV-1a (offset basis 0xcbf29ce484222325, prime 0x100000001b3, one byte at a
/// time), then `mix`. It is part of the interface: equal on every machine, in every version and every worker,
/// so that several proxies agree on where a key lives. It is not a defence against chosen keys.
constexpr uint64_t hash(std::string_view text) {
  uint64_t bits = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    bits ^= static_cast<unsigned char>(c);
    bits *= 0x100000001b3ULL;
  }
  return mix(bits);
}

/// The same for a number, byte order not involved.
constexpr uint64_t hash(uint64_t number) { return mix(number ^ 0xcbf29ce484222325ULL); }

/// The upper 53 bits: what a script gets, since a double holds no more without rounding.
constexpr double hash_as_number(uint64_t bits) { return static_cast<double>(bits >> 11); }

}  // namespace perilune::algo
