#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "algo/sticky_map.hpp"

namespace perilune::algo {

/// One of those among whom a balancer chooses. A weight of 0 is never chosen. Names are unique: the caller
/// sees to it.
struct BalancerTarget {
  std::string name;
  uint32_t weight = 1;
};

/// Chooses one of a list of targets. A target is known by its index, which never changes: the order of
/// declaration, then of `set`. Choosing looks at every target once: made for lists of up to a few hundred.
class Balancer {
 public:
  /// How many keys a balancer that is not `Hashing` remembers; the least recently used is forgotten.
  static constexpr uint32_t sticky_keys_max = 65'536;

  /// Weights above this are taken as this, so that sums and products cannot overflow.
  static constexpr uint32_t weight_max = 1'000'000;

  virtual ~Balancer() = default;

  /// The index of the chosen target; none when every weight is 0. An equal `key` (a `hash`) gets an equal
  /// target for as long as that has a weight: see the classes for how long that is remembered.
  virtual std::optional<uint32_t> select(std::optional<uint64_t> key = std::nullopt) = 0;

  /// The work that an earlier select gave to `index` is done. One more than was selected, or an index that is
  /// not there, changes nothing.
  virtual void deselect(uint32_t index) = 0;

  /// Changes the weight of the target called `name`, or adds it at the end.
  void set(std::string_view name, uint32_t weight);

  std::optional<uint32_t> find(std::string_view name) const;
  const std::vector<BalancerTarget>& targets() const { return targets_; }

 protected:
  explicit Balancer(std::vector<BalancerTarget> targets);
  virtual void on_weight(uint32_t index) = 0;

  bool has_weight(uint32_t index) const { return targets_[index].weight > 0; }

 private:
  std::vector<BalancerTarget> targets_;
};

/// Smooth weighted round-robin: in every run of as many choices as the weights add up to, each target comes
/// as often as its weight, spread as evenly as can be (3:1 gives a a b a). Ties go to the one declared first.
/// Remembers the target of the last 65,536 keys.
class RoundRobinBalancer final : public Balancer {
 public:
  explicit RoundRobinBalancer(std::vector<BalancerTarget> targets);
  std::optional<uint32_t> select(std::optional<uint64_t> key = std::nullopt) override;
  void deselect(uint32_t) override {}

 private:
  void on_weight(uint32_t index) override;
  std::optional<uint32_t> next();

  std::vector<int64_t> credits_;
  StickyMap sticky_{sticky_keys_max};
};

/// Chooses the target with the least work in progress for its weight. Ties go round, beginning with the one
/// declared first, so that work that comes one piece at a time is spread too.
/// Remembers the target of the last 65,536 keys.
class LeastWorkBalancer final : public Balancer {
 public:
  explicit LeastWorkBalancer(std::vector<BalancerTarget> targets);
  std::optional<uint32_t> select(std::optional<uint64_t> key = std::nullopt) override;
  void deselect(uint32_t index) override;

  uint32_t active(uint32_t index) const { return active_[index]; }

 private:
  void on_weight(uint32_t index) override;
  std::optional<uint32_t> least() const;

  std::vector<uint32_t> active_;
  uint32_t begin_ = 0;  // where the search begins: behind the last one chosen
  StickyMap sticky_{sticky_keys_max};
};

/// Consistent hashing by rendezvous: each target draws a number from the key and its own name, and the
/// highest, weighted, wins. It keeps no memory of keys, every balancer with the same targets chooses alike,
/// in whatever order they were declared, and a change of one target moves only keys to it or away from it, as
/// few as its weight asks for. Without a key the choices are spread by weight.
class HashingBalancer final : public Balancer {
 public:
  explicit HashingBalancer(std::vector<BalancerTarget> targets);
  std::optional<uint32_t> select(std::optional<uint64_t> key = std::nullopt) override;
  void deselect(uint32_t) override {}

 private:
  void on_weight(uint32_t index) override;

  std::vector<uint64_t> seeds_;  // of the names
  bool has_equal_weights_ = true;
  uint64_t keyless_ = 0;
};

}  // namespace perilune::algo
