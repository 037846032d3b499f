#pragma once

#include "algo/hash_picker.hpp"

namespace perilune::algo {

/// A table that every endpoint fills in an order of its own, in turns by weight: each has its share of the
/// slots to within one, and at least one slot while there are as many. A change of one endpoint moves its own
/// keys and, with a table a hundred times the number of endpoints, a few in a hundred of the others'. A key
/// whose endpoint cannot take it tries other slots, at random by the key.
/// Source: Eisenbud and others, "Maglev: a fast and reliable software network load balancer", 2016.
class MaglevPicker final : public HashPicker {
 public:
  explicit MaglevPicker(const PickerOptions& options);

 private:
  std::vector<uint32_t> build(std::span<const Member> members) override;
  size_t first_place(uint64_t key) const override { return key % places(); }
  size_t next_place(size_t, uint64_t key) const override { return key % places(); }

  const uint32_t slots_;
};

}  // namespace perilune::algo
