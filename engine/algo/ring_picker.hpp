#pragma once

#include "algo/hash_picker.hpp"

namespace perilune::algo {

/// A consistent ring: each endpoint has points on a circle of 2^64, and a key belongs to the next point. The
/// heaviest endpoint has `ring_points_min` points and the others in proportion, so what an endpoint has does
/// not depend on who else is there: one that goes, comes or changes its weight moves only its own keys. That
/// holds while all points together are no more than `ring_points_max` (64 endpoints of equal weight by
/// default) and the heaviest weight stays; beyond, all have fewer points, and a change moves about as many
/// keys of others too. An endpoint has at least one point. Spread: 1,024 points are even to about 3 %.
class RingPicker final : public HashPicker {
 public:
  explicit RingPicker(const PickerOptions& options);

 private:
  std::vector<uint32_t> build(std::span<const Member> members) override;
  size_t first_place(uint64_t key) const override;
  size_t next_place(size_t place, uint64_t) const override { return place + 1 < places() ? place + 1 : 0; }

  const uint32_t points_min_;
  const uint32_t points_max_;
  std::vector<uint64_t> points_;  // sorted
};

}  // namespace perilune::algo
