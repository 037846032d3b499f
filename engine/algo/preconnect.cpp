#include "algo/preconnect.hpp"

#include <algorithm>
#include <cmath>

namespace perilune::algo {
namespace {

// The comparison is exact in whole thousandths: doubles make 1.1 times 3 more than 3.3.
constexpr uint64_t precision = 1000;

uint64_t thousandths(double ratio) {
  return static_cast<uint64_t>(std::llround(std::max(0.0, ratio) * precision));
}

template <typename Should>
uint32_t count_connects(ConnectDemand demand, uint64_t streams, Should should) {
  uint32_t count = 0;
  for (; count < limits::preconnects_max && should(demand); ++count)
    demand.capacity += std::max<uint64_t>(1, streams);
  return count;
}

}  // namespace

bool should_connect(const ConnectDemand& demand, double ratio, Anticipate anticipate) {
  const uint64_t expected = demand.pending + demand.active + (anticipate == Anticipate::Yes ? 1 : 0);
  return expected * thousandths(ratio) > (demand.capacity + demand.active) * precision;
}

uint32_t connects_wanted(const ConnectDemand& demand, double ratio, uint64_t streams) {
  return count_connects(demand, streams, [&](const ConnectDemand& d) { return should_connect(d, ratio); });
}

uint32_t connects_wanted_unhealthy(const ConnectDemand& demand, uint64_t streams) {
  return count_connects(demand, streams, [](const ConnectDemand& d) { return d.pending > d.capacity; });
}

bool is_excess(const ConnectDemand& demand, uint64_t streams, double ratio) {
  ConnectDemand without = demand;
  without.capacity -= std::min(streams, without.capacity);
  return !should_connect(without, ratio);
}

PreconnectFloor::Wanted PreconnectFloor::wanted(const FloorView& view) const {
  if (!view.is_healthy || view.is_closing || is_paused() || view.open >= rules_.connections) return {};
  const uint32_t missing = std::min(rules_.connections - view.open, limits::preconnects_max);
  const uint32_t open = std::min(missing, view.room);
  return {.open = open, .blocked = missing - open};
}

}  // namespace perilune::algo
