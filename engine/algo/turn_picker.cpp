#include "algo/turn_picker.hpp"

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cmath>
#include <utility>

namespace perilune::algo {
namespace {

class AllUsable final : public PickerView {
 public:
  bool is_usable(uint32_t) const override { return true; }
  uint32_t active(uint32_t) const override { return 0; }
};

}  // namespace

// While weights are equal the place in the round says it all. These are the credits that the weighted form
// has at the same place: each of the `next_` turns gave every endpoint its weight and took the total from
// one.
void TurnPicker::write_credits() {
  if (!is_even_) return;
  const auto gone = static_cast<int64_t>(next_);
  const auto count = static_cast<int64_t>(turns_.size());
  for (size_t i = 0; i < turns_.size(); ++i)
    turns_[i].credit = turns_[i].weight * (i < next_ ? gone - count : gone);
}

void TurnPicker::take_over(const std::vector<Turn>& before, int64_t total_before) {
  boost::unordered_flat_map<uint64_t, int64_t> credits;
  for (const auto& turn : before) credits.emplace(turn.identity, turn.credit);

  const double scale = total_before > 0 ? static_cast<double>(total_) / static_cast<double>(total_before) : 0;
  for (auto& turn : turns_) {
    const auto known = credits.find(turn.identity);
    if (known == credits.end()) continue;
    // Never more than a whole round, whatever the weights were and whoever left with credits of their own.
    const auto scaled = static_cast<int64_t>(std::llround(static_cast<double>(known->second) * scale));
    turn.credit = std::clamp(scaled, -total_, total_);
  }
}

void TurnPicker::begin_at_start() {
  const AllUsable all;
  for (size_t turns = start_ % turns_.size(); turns > 0; --turns) pick(all, std::nullopt, 0);
}

void TurnPicker::assign(std::span<const PickerEndpoint> endpoints) {
  write_credits();
  const std::vector<Turn> before = std::exchange(turns_, {});
  const int64_t total_before = std::exchange(total_, 0);
  next_ = 0;
  is_even_ = true;
  for (uint32_t i = 0; i < endpoints.size(); ++i) {
    const int64_t weight = std::min(endpoints[i].weight, picker_weight_max);
    if (weight == 0) continue;
    turns_.push_back({.identity = endpoints[i].identity, .index = i, .weight = weight, .credit = 0});
    total_ += weight;
    is_even_ = is_even_ && weight == turns_.front().weight;
  }
  if (turns_.empty()) return;
  if (before.empty()) return begin_at_start();

  take_over(before, total_before);
  const auto most = std::max_element(turns_.begin(), turns_.end(),
                                     [](const Turn& a, const Turn& b) { return a.credit < b.credit; });
  if (is_even_) next_ = static_cast<size_t>(most - turns_.begin());
}

std::optional<uint32_t> TurnPicker::pick(const PickerView& view, std::optional<uint64_t>, uint64_t) {
  return is_even_ ? pick_even(view) : pick_weighted(view);
}

std::optional<uint32_t> TurnPicker::pick_even(const PickerView& view) {
  const size_t count = turns_.size();
  for (size_t step = 0; step < count; ++step) {
    const size_t i = next_ + step < count ? next_ + step : next_ + step - count;
    if (!view.is_usable(turns_[i].index)) continue;
    next_ = i + 1 < count ? i + 1 : 0;
    return turns_[i].index;
  }
  return std::nullopt;
}

std::optional<uint32_t> TurnPicker::pick_weighted(const PickerView& view) {
  Turn* best = nullptr;
  int64_t total = 0;  // of the usable ones: what is given out now is taken back now, so credits stay bounded
  for (auto& turn : turns_) {
    if (!view.is_usable(turn.index)) continue;
    total += turn.weight;
    turn.credit += turn.weight;
    if (!best || turn.credit > best->credit) best = &turn;
  }
  if (!best) return std::nullopt;
  best->credit -= total;
  return best->index;
}

}  // namespace perilune::algo
