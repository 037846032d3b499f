#pragma once

#include <vector>

#include "algo/endpoint_picker.hpp"

namespace perilune::algo {

/// Draws endpoints by weight: in one step when weights are equal, else in a logarithm of their number, while
/// most are usable; looks at all of them when not. Which are usable does not change how often those come, one
/// compared with another.
class WeightedDraw {
 public:
  void assign(std::span<const PickerEndpoint> endpoints);

  /// None when no endpoint with a weight, other than `except`, is usable.
  std::optional<uint32_t> draw(const PickerView& view, uint64_t random,
                               std::optional<uint32_t> except = std::nullopt) const;

  /// Of an index that was drawn.
  uint32_t weight(uint32_t index) const { return weights_[index]; }

 private:
  uint32_t any(uint64_t random) const;

  std::vector<uint32_t> weights_;  // of all, by index
  std::vector<uint32_t> indexes_;  // of those with a weight
  std::vector<uint64_t> ends_;     // and what their weights add up to so far
  bool is_even_ = true;
};

/// By weight and chance alone.
class RandomPicker final : public EndpointPicker {
 public:
  void assign(std::span<const PickerEndpoint> endpoints) override { draw_.assign(endpoints); }
  std::optional<uint32_t> pick(const PickerView& view, std::optional<uint64_t> key, uint64_t random) override;

 private:
  WeightedDraw draw_;
};

/// The power of two choices: draws two different endpoints by weight and takes the one that would be less
/// busy for its weight. Two that are idle, and ties, go to the one drawn first, so that weights hold where
/// requests come one at a time too. (Mitzenmacher, "The power of two choices in randomized load balancing",
/// 2001.)
class LeastRequestsPicker final : public EndpointPicker {
 public:
  void assign(std::span<const PickerEndpoint> endpoints) override { draw_.assign(endpoints); }
  std::optional<uint32_t> pick(const PickerView& view, std::optional<uint64_t> key, uint64_t random) override;

 private:
  WeightedDraw draw_;
};

}  // namespace perilune::algo
