#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <vector>

namespace perilune::algo {

/// Remembers which number was given to a key, for the `keys_max` most recently used keys. Keys are hashes:
/// two keys with the same 64 bits share their number, which is harmless where it only means "the same
/// target". Memory is bounded by `keys_max` (about 40 bytes a key); the table is rehashed now and then.
class StickyMap {
 public:
  explicit StickyMap(uint32_t keys_max) : keys_max_(keys_max) {}

  std::optional<uint32_t> find(uint64_t key);
  void put(uint64_t key, uint32_t value);
  size_t size() const { return places_.size(); }

 private:
  static constexpr uint32_t none = UINT32_MAX;
  struct Slot {
    uint64_t key;
    uint32_t value;
    uint32_t newer;
    uint32_t older;
  };

  void unlink(uint32_t slot);
  void link_newest(uint32_t slot);

  const uint32_t keys_max_;
  std::vector<Slot> slots_;
  boost::unordered_flat_map<uint64_t, uint32_t> places_;  // key to slot
  uint32_t newest_ = none;
  uint32_t oldest_ = none;
};

}  // namespace perilune::algo
