#pragma once

#include <vector>

#include "algo/endpoint_picker.hpp"

namespace perilune::algo {

/// Smooth weighted round-robin: in every run of as many picks as the weights add up to, each endpoint comes
/// as often as its weight, spread as evenly as can be (3:1 gives a a b a). Ties go to the one declared first.
///
/// For one that is not usable time stands still: it neither owes turns when it returns nor has saved any up.
/// With equal weights a pick costs a step for each unusable endpoint that it passes; else it looks at all of
/// them: made for clusters of up to a few hundred.
class TurnPicker final : public EndpointPicker {
 public:
  explicit TurnPicker(const PickerOptions& options) : start_(options.start) {}

  /// An endpoint that comes begins level with those that are there. Where the turn was is kept in proportion
  /// when the weights change, so that weights of another magnitude cannot make a burst.
  void assign(std::span<const PickerEndpoint> endpoints) override;
  std::optional<uint32_t> pick(const PickerView& view, std::optional<uint64_t> key, uint64_t random) override;

 private:
  struct Turn {
    uint64_t identity;
    uint32_t index;
    int64_t weight;
    int64_t credit;  // up to date only while weights are unequal
  };
  void write_credits();
  void take_over(const std::vector<Turn>& before, int64_t total_before);
  void begin_at_start();
  std::optional<uint32_t> pick_even(const PickerView& view);
  std::optional<uint32_t> pick_weighted(const PickerView& view);

  const uint32_t start_;
  std::vector<Turn> turns_;  // those with a weight, in the order of declaration
  int64_t total_ = 0;        // of the weights
  bool is_even_ = true;
  size_t next_ = 0;  // while weights are equal: whose turn it is
};

}  // namespace perilune::algo
