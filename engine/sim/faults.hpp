#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace perilune::sim {

/// How the simulated network treats everybody; each chance is drawn from the world's seed. The defaults are a
/// good network: 100 µs away, nothing lost, no short reads or writes.
struct SimFaults {
  Duration latency = 100us;          // one way
  Duration jitter = 0ns;             // added to it, from 0 to this, for each segment
  uint64_t bytes_per_second = 0;     // of one direction of a connection; 0: no limit
  size_t buffer_bytes = 128 * 1024;  // what one direction holds before its writer is blocked
  size_t segment_bytes_max = 0;      // writes arrive in pieces from 1 byte to this; 0: whole

  double short_read = 0;   // chance of a read that brings less than there is, down to 1 byte
  double short_write = 0;  // chance of a write that takes less than there is room for
  double spurious = 0;     // chance of a second on_readable that finds nothing
  double short_turn = 0;   // chance of a turn that hands out one event only

  double refuse = 0;      // of a connect
  double black_hole = 0;  // of a connect that is never answered
  double silent = 0;      // of a connection that is made and that nobody serves
  double reset = 0;       // of a connection that is reset on both sides after some bytes
  double cut = 0;         // of a connection of which one direction ends (FIN) after some bytes
  uint64_t fault_bytes_max =
      64 * 1024;                  // where reset and cut strike: after 0 to this many bytes of a direction
  double reset_loses_unread = 0;  // of a reset that destroys bytes which have arrived and are not read
  double resolve_failure = 0;
  Duration resolve_time_max = 5ms;  // a lookup takes from 0 to this

  /// Nothing fails, but everything comes in pieces and at odd times.
  static SimFaults pieces();
  /// A little of everything that can go wrong, with strengths drawn from `seed`.
  static SimFaults of_seed(uint64_t seed);
};

/// What happens at one address, for exact tests; it goes before the faults.
struct SimBehaviour {
  enum class Connect : uint8_t {
    Normal,
    Refuse,
    BlackHole,  // no answer at all
    Silent,     // connected, and nobody reads or writes
  };
  Connect connect = Connect::Normal;
  std::optional<uint64_t> reset_after_bytes = {};  // of what the server sends: then both sides are reset
  std::optional<uint64_t> cut_after_bytes = {};    // of what the server sends: then the client sees an end
  std::optional<Duration> latency = {};
  std::optional<uint64_t> bytes_per_second = {};
};

}  // namespace perilune::sim
