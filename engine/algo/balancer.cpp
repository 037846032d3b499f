#include "algo/balancer.hpp"

#include <algorithm>
#include <utility>

#include "algo/hash.hpp"
#include "algo/rendezvous.hpp"

namespace perilune::algo {

Balancer::Balancer(std::vector<BalancerTarget> targets) : targets_(std::move(targets)) {
  for (auto& target : targets_) target.weight = std::min(target.weight, weight_max);
}

std::optional<uint32_t> Balancer::find(std::string_view name) const {
  for (size_t i = 0; i < targets_.size(); ++i)
    if (targets_[i].name == name) return static_cast<uint32_t>(i);
  return std::nullopt;
}

void Balancer::set(std::string_view name, uint32_t weight) {
  const auto known = find(name);
  const auto index = known.value_or(static_cast<uint32_t>(targets_.size()));
  if (!known) targets_.push_back({std::string(name), 0});
  targets_[index].weight = std::min(weight, weight_max);
  on_weight(index);
}

RoundRobinBalancer::RoundRobinBalancer(std::vector<BalancerTarget> list)
    : Balancer(std::move(list)), credits_(targets().size(), 0) {}

void RoundRobinBalancer::on_weight(uint32_t index) {
  // A target that comes, or comes back, starts level: credit from an earlier life would be a burst.
  credits_.resize(targets().size(), 0);
  credits_[index] = 0;
}

std::optional<uint32_t> RoundRobinBalancer::next() {
  std::optional<uint32_t> best;
  int64_t total = 0;
  for (uint32_t i = 0; i < credits_.size(); ++i) {
    if (!has_weight(i)) continue;
    total += targets()[i].weight;
    credits_[i] += targets()[i].weight;
    if (!best || credits_[i] > credits_[*best]) best = i;
  }
  if (best) credits_[*best] -= total;
  return best;
}

std::optional<uint32_t> RoundRobinBalancer::select(std::optional<uint64_t> key) {
  if (!key) return next();
  if (const auto known = sticky_.find(*key); known && has_weight(*known)) return known;
  const auto chosen = next();
  if (chosen) sticky_.put(*key, *chosen);
  return chosen;
}

LeastWorkBalancer::LeastWorkBalancer(std::vector<BalancerTarget> list)
    : Balancer(std::move(list)), active_(targets().size(), 0) {}

void LeastWorkBalancer::on_weight(uint32_t) { active_.resize(targets().size(), 0); }

std::optional<uint32_t> LeastWorkBalancer::least() const {
  const auto count = static_cast<uint32_t>(active_.size());
  std::optional<uint32_t> best;
  for (uint32_t step = 0; step < count; ++step) {
    const uint32_t i = begin_ + step < count ? begin_ + step : begin_ + step - count;
    if (!has_weight(i)) continue;
    // active / weight compared without dividing
    if (!best ||
        uint64_t{active_[i]} * targets()[*best].weight < uint64_t{active_[*best]} * targets()[i].weight)
      best = i;
  }
  return best;
}

std::optional<uint32_t> LeastWorkBalancer::select(std::optional<uint64_t> key) {
  std::optional<uint32_t> chosen;
  if (key) chosen = sticky_.find(*key);
  if (!chosen || !has_weight(*chosen)) {
    chosen = least();
    if (!chosen) return chosen;
    begin_ = (*chosen + 1) % static_cast<uint32_t>(active_.size());
    if (key) sticky_.put(*key, *chosen);
  }
  ++active_[*chosen];
  return chosen;
}

void LeastWorkBalancer::deselect(uint32_t index) {
  if (index < active_.size() && active_[index] > 0) --active_[index];
}

HashingBalancer::HashingBalancer(std::vector<BalancerTarget> list) : Balancer(std::move(list)) {
  for (uint32_t i = 0; i < targets().size(); ++i) on_weight(i);
}

void HashingBalancer::on_weight(uint32_t index) {
  if (index >= seeds_.size()) seeds_.push_back(hash(targets()[index].name));
  std::optional<uint32_t> weight;
  has_equal_weights_ = true;
  for (const auto& target : targets()) {
    if (target.weight == 0) continue;
    if (weight && *weight != target.weight) has_equal_weights_ = false;
    weight = target.weight;
  }
}

std::optional<uint32_t> HashingBalancer::select(std::optional<uint64_t> key) {
  const uint64_t spot = key ? *key : hash(keyless_++);
  std::optional<uint32_t> best;
  uint64_t best_draw = 0;
  double best_score = 0;
  for (uint32_t i = 0; i < seeds_.size(); ++i) {
    if (!has_weight(i)) continue;
    const uint64_t draw = mix(spot ^ seeds_[i]);
    if (has_equal_weights_) {
      // Equal weights: the score only grows with the draw, so the logarithm can be left out.
      if (best && draw <= best_draw) continue;
    } else {
      const double score = rendezvous_bid(draw, targets()[i].weight);
      if (best && score <= best_score) continue;
      best_score = score;
    }
    best = i;
    best_draw = draw;
  }
  return best;
}

}  // namespace perilune::algo
