#include "sim/faults.hpp"

#include "net/random.hpp"

namespace perilune::sim {

SimFaults SimFaults::pieces() {
  SimFaults faults;
  faults.jitter = 2ms;
  faults.buffer_bytes = 4096;
  faults.segment_bytes_max = 700;
  faults.short_read = 0.5;
  faults.short_write = 0.5;
  faults.spurious = 0.05;
  faults.short_turn = 0.2;
  return faults;
}

SimFaults SimFaults::of_seed(uint64_t seed) {
  net::Random random(seed ^ 0x5eed'fa17'0000'0001);
  const auto strength = [&](double most) {
    return random.chance(0.5) ? most * static_cast<double>(random.below(1000)) / 1000 : 0.0;
  };
  SimFaults faults = pieces();
  faults.latency = std::chrono::microseconds(random.below(20'000));
  faults.jitter = std::chrono::microseconds(random.below(50'000));
  faults.bytes_per_second = random.chance(0.2) ? 10'000 + random.below(1'000'000) : 0;
  faults.buffer_bytes = 1 + random.below(random.chance(0.2) ? 16 : 100'000);
  faults.segment_bytes_max = 1 + random.below(random.chance(0.2) ? 4 : 20'000);
  faults.short_read = strength(1);
  faults.short_write = strength(1);
  faults.spurious = strength(0.2);
  faults.short_turn = strength(0.5);
  faults.refuse = strength(0.2);
  faults.black_hole = strength(0.1);
  faults.silent = strength(0.1);
  faults.reset = strength(0.3);
  faults.cut = strength(0.3);
  faults.fault_bytes_max = 1 + random.below(random.chance(0.5) ? 1000 : 100'000);
  faults.reset_loses_unread = strength(1);
  faults.resolve_failure = strength(0.2);
  return faults;
}

}  // namespace perilune::sim
