#pragma once

#include <vector>

#include "algo/endpoint_picker.hpp"

namespace perilune::algo {

/// What the hashing pickers share: a table whose places belong to endpoints, the walk from a key's own place
/// on while an endpoint is not usable or has too much to do, and the bound of that. Without a key the random
/// bits are the key. Endpoints that have the same identities and weights get the same keys on every worker,
/// in whatever order they were declared, and only keys of unusable endpoints go elsewhere.
class HashPicker : public EndpointPicker {
 public:
  void assign(std::span<const PickerEndpoint> endpoints) final;
  std::optional<uint32_t> pick(const PickerView& view, std::optional<uint64_t> key, uint64_t random) final;

 protected:
  explicit HashPicker(const PickerOptions& options);

  /// One with a weight.
  struct Member {
    uint64_t identity;
    uint32_t index;
    uint32_t weight;
  };

  /// The index that owns each place of the table. `members` is sorted by identity and not empty.
  virtual std::vector<uint32_t> build(std::span<const Member> members) = 0;
  virtual size_t first_place(uint64_t key) const = 0;
  /// The place to try after `place`; `key` was changed from try to try.
  virtual size_t next_place(size_t place, uint64_t key) const = 0;

  size_t places() const { return owners_.size(); }

 private:
  class Bound;
  std::optional<uint32_t> best_bid(uint64_t key, Bound& bound) const;

  const double bounded_load_;
  std::vector<Member> members_;
  std::vector<uint32_t> weights_;  // of all, by index
  std::vector<uint32_t> owners_;
};

}  // namespace perilune::algo
