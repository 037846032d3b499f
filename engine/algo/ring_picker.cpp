#include "algo/ring_picker.hpp"

#include <algorithm>
#include <cmath>

#include "algo/hash.hpp"
#include "base/expect.hpp"

namespace perilune::algo {

RingPicker::RingPicker(const PickerOptions& options)
    : HashPicker(options), points_min_(options.ring_points_min), points_max_(options.ring_points_max) {
  PERILUNE_EXPECT(points_min_ > 0 && points_min_ <= points_max_,
                  "a ring needs points, the least below the most");
}

std::vector<uint32_t> RingPicker::build(std::span<const Member> members) {
  double total = 0;
  double heaviest = 0;
  for (const auto& member : members) {
    total += member.weight;
    heaviest = std::max(heaviest, static_cast<double>(member.weight));
  }
  const double per_weight = std::min(points_min_ / heaviest, points_max_ / total);

  struct Point {
    uint64_t place;
    uint32_t member;  // by identity: where two points fall together every worker decides alike
    bool operator<(const Point& other) const {
      return place != other.place ? place < other.place : member < other.member;
    }
  };
  std::vector<Point> ring;
  for (uint32_t i = 0; i < members.size(); ++i) {
    const auto count = static_cast<uint64_t>(std::max(1.0, std::round(members[i].weight * per_weight)));
    for (uint64_t n = 0; n < count; ++n) ring.push_back({mix(members[i].identity ^ hash(n)), i});
  }
  std::sort(ring.begin(), ring.end());

  points_.clear();
  std::vector<uint32_t> owners;
  for (const auto& point : ring) {
    points_.push_back(point.place);
    owners.push_back(members[point.member].index);
  }
  return owners;
}

size_t RingPicker::first_place(uint64_t key) const {
  const auto next = std::lower_bound(points_.begin(), points_.end(), key);
  return next == points_.end() ? 0 : static_cast<size_t>(next - points_.begin());
}

}  // namespace perilune::algo
