#include "algo/hash_picker.hpp"

#include <algorithm>
#include <cmath>

#include "algo/draw.hpp"
#include "algo/rendezvous.hpp"
#include "base/expect.hpp"

namespace perilune::algo {
namespace {

// Half of the endpoints unusable: one key in a million needs more. From there on all are compared, which also
// finds the one of very many that is usable.
constexpr int spots_max = 20;

}  // namespace

/// Whether an endpoint may take this request. The sums are made only when an endpoint is asked that has
/// something to do already: an idle one is always within the bound.
class HashPicker::Bound {
 public:
  Bound(const HashPicker& picker, const PickerView& view) : picker_(picker), view_(view) {}

  bool allows(uint32_t index) {
    if (!view_.is_usable(index)) return false;
    if (std::isinf(picker_.bounded_load_)) return true;
    const uint32_t active = view_.active(index);
    if (active == 0) return true;
    if (!per_weight_) per_weight_ = requests_per_weight();
    // Active requests are whole, so this is "below the bound rounded up". The bounds of all usable ones add
    // up to more requests than they have, hence one of them is below its own.
    return active < *per_weight_ * picker_.weights_[index];
  }

 private:
  double requests_per_weight() const {
    double requests = 1;  // the one to be given away
    double weight = 0;
    for (const auto& member : picker_.members_) {
      if (!view_.is_usable(member.index)) continue;
      requests += view_.active(member.index);
      weight += member.weight;
    }
    return picker_.bounded_load_ * requests / weight;
  }

  const HashPicker& picker_;
  const PickerView& view_;
  std::optional<double> per_weight_;
};

HashPicker::HashPicker(const PickerOptions& options) : bounded_load_(options.bounded_load) {
  PERILUNE_EXPECT(bounded_load_ >= 1, "a bound of load below 1 leaves requests without an endpoint");
}

void HashPicker::assign(std::span<const PickerEndpoint> endpoints) {
  members_.clear();
  weights_.clear();
  owners_.clear();
  for (uint32_t i = 0; i < endpoints.size(); ++i) {
    weights_.push_back(std::min(endpoints[i].weight, picker_weight_max));
    if (weights_[i] > 0)
      members_.push_back({.identity = endpoints[i].identity, .index = i, .weight = weights_[i]});
  }
  if (members_.empty()) return;
  // The order of declaration must not matter.
  std::sort(members_.begin(), members_.end(),
            [](const Member& a, const Member& b) { return a.identity < b.identity; });
  owners_ = build(members_);
}

std::optional<uint32_t> HashPicker::pick(const PickerView& view, std::optional<uint64_t> key,
                                         uint64_t random) {
  if (owners_.empty()) return std::nullopt;
  uint64_t spot = key.value_or(random);
  Bound bound(*this, view);
  size_t place = first_place(spot);
  for (int tries = 0; tries < spots_max; ++tries) {
    if (bound.allows(owners_[place])) return owners_[place];
    spot = draw_next(spot);
    place = next_place(place, spot);
  }
  return best_bid(spot, bound);
}

std::optional<uint32_t> HashPicker::best_bid(uint64_t key, Bound& bound) const {
  std::optional<uint32_t> best;
  double most = 0;
  for (const auto& member : members_) {
    const double bid = rendezvous_bid(mix(key ^ member.identity), member.weight);
    if ((best && bid <= most) || !bound.allows(member.index)) continue;
    best = member.index;
    most = bid;
  }
  return best;
}

}  // namespace perilune::algo
