#include "algo/draw_picker.hpp"

#include <algorithm>

#include "algo/draw.hpp"

namespace perilune::algo {
namespace {

// Three of four usable: 996 of 1,000 draws find one in as many tries. Beyond that a look at all is as cheap.
constexpr int tries_max = 4;

}  // namespace

void WeightedDraw::assign(std::span<const PickerEndpoint> endpoints) {
  weights_.clear();
  indexes_.clear();
  ends_.clear();
  is_even_ = true;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < endpoints.size(); ++i) {
    weights_.push_back(std::min(endpoints[i].weight, picker_weight_max));
    if (weights_[i] == 0) continue;
    sum += weights_[i];
    indexes_.push_back(i);
    ends_.push_back(sum);
    is_even_ = is_even_ && weights_[i] == weights_[indexes_.front()];
  }
}

uint32_t WeightedDraw::any(uint64_t random) const {
  if (is_even_) return indexes_[draw_below(random, indexes_.size())];
  const auto end = std::upper_bound(ends_.begin(), ends_.end(), draw_below(random, ends_.back()));
  return indexes_[static_cast<size_t>(end - ends_.begin())];
}

std::optional<uint32_t> WeightedDraw::draw(const PickerView& view, uint64_t random,
                                           std::optional<uint32_t> except) const {
  if (indexes_.empty()) return std::nullopt;
  const auto fits = [&](uint32_t index) { return index != except && view.is_usable(index); };
  for (int tries = 0; tries < tries_max; ++tries) {
    const uint32_t index = any(random);
    if (fits(index)) return index;
    random = draw_next(random);
  }

  uint64_t total = 0;
  for (const uint32_t index : indexes_)
    if (fits(index)) total += weights_[index];
  uint64_t left = draw_below(random, total);
  for (const uint32_t index : indexes_) {
    if (!fits(index)) continue;
    if (left < weights_[index]) return index;
    left -= weights_[index];
  }
  return std::nullopt;
}

std::optional<uint32_t> RandomPicker::pick(const PickerView& view, std::optional<uint64_t>, uint64_t random) {
  return draw_.draw(view, random);
}

std::optional<uint32_t> LeastRequestsPicker::pick(const PickerView& view, std::optional<uint64_t>,
                                                  uint64_t random) {
  const auto first = draw_.draw(view, random);
  if (!first) return first;
  const auto second = draw_.draw(view, mix(~random), first);
  if (!second) return first;

  const uint64_t busy_first = view.active(*first);
  const uint64_t busy_second = view.active(*second);
  if (busy_first == 0 && busy_second == 0) return first;
  // (busy + 1/2) / weight, without dividing. A half is what keeps shares true where few requests are in
  // progress: with 1 the heavier ones get too much, with 0 the lighter ones, as when seats are given out by
  // D'Hondt or Adams instead of Webster.
  const uint64_t load_first = (2 * busy_first + 1) * draw_.weight(*second);
  const uint64_t load_second = (2 * busy_second + 1) * draw_.weight(*first);
  return load_second < load_first ? second : first;
}

}  // namespace perilune::algo
