#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/limits.hpp"

namespace perilune::algo {

struct AvailabilityEndpoint {
  uint32_t priority = 0;  ///< lower is preferred; any numbers, gaps are nothing
  bool is_healthy = true;
};

struct AvailabilityRules {
  uint32_t overprovision_percent = limits::overprovision_percent;  ///< at least 100
  uint32_t panic_percent = limits::panic_percent;                  ///< 0: never
};

/// Which endpoints of a cluster requests are for, by level of priority.
///
/// A level can take its healthy share times `overprovision_percent`, at most everything. The most preferred
/// level takes what it can, the next what is left of that, and so on. When all of them together cannot take
/// everything, each takes more than it can, in proportion.
///
/// Panic: then a level with less than `panic_percent` of its endpoints healthy distrusts its checks and has
/// all its endpoints used as if they were healthy. When every level does, health says nothing any more, and
/// each takes requests by the number of its endpoints.
/// Source: the rules of Envoy, "Priority levels" and "Panic threshold", with these defaults.
class Availability {
 public:
  struct Level {
    uint32_t priority = 0;
    uint32_t endpoints = 0;
    uint32_t healthy = 0;
    double share = 0;  ///< of the requests; over all levels 1, or 0 when nothing can be used
    bool is_panicking = false;
  };

  explicit Availability(const AvailabilityRules& rules = {}) : rules_(rules) {}

  void assign(std::span<const AvailabilityEndpoint> endpoints);

  /// The priority of the level that this request is for; none when nothing can be used. A request that has
  /// tried all endpoints of it draws again, or goes through `levels`.
  std::optional<uint32_t> draw_priority(uint64_t random) const;

  /// Whether the endpoint may be used by a request for its own level.
  bool is_available(const AvailabilityEndpoint& endpoint) const;

  /// By priority, the preferred first.
  const std::vector<Level>& levels() const { return levels_; }

 private:
  Level& level_of(uint32_t priority);
  void share_by_health();
  void share_by_size();

  AvailabilityRules rules_;
  std::vector<Level> levels_;
};

}  // namespace perilune::algo
