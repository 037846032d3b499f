#include "algo/sticky_map.hpp"

namespace perilune::algo {

void StickyMap::unlink(uint32_t slot) {
  const Slot& here = slots_[slot];
  (here.newer == none ? newest_ : slots_[here.newer].older) = here.older;
  (here.older == none ? oldest_ : slots_[here.older].newer) = here.newer;
}

void StickyMap::link_newest(uint32_t slot) {
  slots_[slot].newer = none;
  slots_[slot].older = newest_;
  (newest_ == none ? oldest_ : slots_[newest_].newer) = slot;
  newest_ = slot;
}

std::optional<uint32_t> StickyMap::find(uint64_t key) {
  const auto place = places_.find(key);
  if (place == places_.end()) return std::nullopt;
  const uint32_t slot = place->second;
  if (slot != newest_) {
    unlink(slot);
    link_newest(slot);
  }
  return slots_[slot].value;
}

void StickyMap::put(uint64_t key, uint32_t value) {
  if (find(key)) {
    slots_[newest_].value = value;
    return;
  }
  uint32_t slot = oldest_;
  if (slots_.size() < keys_max_) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    unlink(slot);
    places_.erase(slots_[slot].key);
  }
  slots_[slot].key = key;
  slots_[slot].value = value;
  link_newest(slot);
  places_[key] = slot;
}

}  // namespace perilune::algo
