#include "algo/availability.hpp"

#include <algorithm>

#include "algo/draw.hpp"

namespace perilune::algo {
namespace {

// What can take everything but for the rounding of sums, can.
constexpr double everything = 1 - 1e-9;

constexpr bool is_before(const Availability::Level& level, uint32_t priority) {
  return level.priority < priority;
}

}  // namespace

Availability::Level& Availability::level_of(uint32_t priority) {
  const auto place = std::lower_bound(levels_.begin(), levels_.end(), priority, is_before);
  if (place != levels_.end() && place->priority == priority) return *place;
  return *levels_.insert(place, Level{.priority = priority});
}

void Availability::assign(std::span<const AvailabilityEndpoint> endpoints) {
  levels_.clear();
  for (const auto& endpoint : endpoints) {
    auto& level = level_of(endpoint.priority);
    ++level.endpoints;
    if (endpoint.is_healthy) ++level.healthy;
  }
  share_by_health();
  const bool all_panic =
      std::all_of(levels_.begin(), levels_.end(), [](const Level& l) { return l.is_panicking; });
  if (all_panic) share_by_size();
}

void Availability::share_by_health() {
  const auto capacity_of = [&](const Level& level) {
    const double healthy = static_cast<double>(level.healthy) / level.endpoints;
    return std::min(1.0, healthy * rules_.overprovision_percent / 100);
  };
  double capacity = 0;
  for (const auto& level : levels_) capacity += capacity_of(level);
  const double stretch = capacity > 0 && capacity < everything ? 1 / capacity : 1;

  double left = 1;
  for (auto& level : levels_) {
    level.share = std::min(left, capacity_of(level) * stretch);
    left -= level.share;
    level.is_panicking = capacity < everything &&
                         uint64_t{level.healthy} * 100 < uint64_t{rules_.panic_percent} * level.endpoints;
  }
}

void Availability::share_by_size() {
  double endpoints = 0;
  for (const auto& level : levels_) endpoints += level.endpoints;
  for (auto& level : levels_) level.share = level.endpoints / endpoints;
}

std::optional<uint32_t> Availability::draw_priority(uint64_t random) const {
  std::optional<uint32_t> chosen;
  double left = draw_unit(random);
  for (const auto& level : levels_) {
    if (level.share <= 0) continue;
    chosen = level.priority;  // also when rounding leaves a little beyond the last one
    if (left < level.share) break;
    left -= level.share;
  }
  return chosen;
}

bool Availability::is_available(const AvailabilityEndpoint& endpoint) const {
  if (endpoint.is_healthy) return true;
  const auto level = std::lower_bound(levels_.begin(), levels_.end(), endpoint.priority, is_before);
  return level != levels_.end() && level->priority == endpoint.priority && level->is_panicking;
}

}  // namespace perilune::algo
