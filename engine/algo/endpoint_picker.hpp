#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "base/limits.hpp"

namespace perilune::algo {

/// One of those among whom a picker picks.
struct PickerEndpoint {
  uint64_t identity = 0;  ///< hash of its name; unique in a cluster, the caller sees to it
  uint32_t weight = 1;  ///< 0: never picked. Scaled for slow start already; above picker_weight_max: as that
};

/// Weights above this are taken as this, so that sums and products cannot overflow.
inline constexpr uint32_t picker_weight_max = 1'000'000;

/// What a pick asks about the moment. `index` is a place in what was assigned last.
class PickerView {
 public:
  virtual bool is_usable(uint32_t index) const = 0;   ///< healthy, and not tried yet by this request
  virtual uint32_t active(uint32_t index) const = 0;  ///< requests in progress

 protected:
  ~PickerView() = default;
};

/// Picks one endpoint of a cluster for a request. It keeps no count of requests, no time and no dice: a view,
/// a key and random bits come with each pick. An endpoint that is not usable is never picked, and one that is
/// usable and has a weight is always found.
class EndpointPicker {
 public:
  virtual ~EndpointPicker() = default;

  /// The set or weights changed. Keeps what it can of its state by identity: turns go on where they were.
  virtual void assign(std::span<const PickerEndpoint> endpoints) = 0;

  /// The index of the endpoint; none when no endpoint with a weight is usable. `key` is a hash of what the
  /// script gave, which only the hashing kinds heed; `random`: 64 fresh random bits.
  virtual std::optional<uint32_t> pick(const PickerView& view, std::optional<uint64_t> key,
                                       uint64_t random) = 0;
};

/// RoundRobin     in turns, smooth and weighted, in the order of declaration (turn_picker.hpp)
/// LeastRequests  the less busy of two that were drawn by weight (draw_picker.hpp)
/// Random         drawn by weight (draw_picker.hpp)
/// RingHash       a key's endpoint by a consistent ring: a change moves only keys of the endpoint that
/// changed,
///                the spread is even to about 3 % (ring_picker.hpp)
/// Maglev         a key's endpoint by a table: the spread is even to a slot, one step to look up, but a
/// change
///                moves a few other keys too (maglev_picker.hpp)
enum class PickerKind : uint8_t { RoundRobin, LeastRequests, Random, RingHash, Maglev };
constexpr bool goes_by_key(PickerKind kind) {
  return kind == PickerKind::RingHash || kind == PickerKind::Maglev;
}

struct PickerOptions {
  PickerKind kind = PickerKind::RoundRobin;
  /// RingHash and Maglev: an endpoint takes a request only while it has less than so many times its share of
  /// the requests in progress, this one counted in; what it does not take goes on to others. At least 1,
  /// which is least requests almost; infinity: no bound.
  double bounded_load = std::numeric_limits<double>::infinity();
  /// RoundRobin: how many turns are taken as gone at the start, so that the workers of a process do not all
  /// begin with the same endpoint.
  uint32_t start = 0;
  uint32_t ring_points_min = limits::ring_points_min;  ///< RingHash: at least 1, at most ring_points_max
  uint32_t ring_points_max = limits::ring_points_max;
  uint32_t maglev_slots = limits::maglev_slots;  ///< Maglev: a prime
};

/// Options outside of what is said there are a bug of the caller's.
std::unique_ptr<EndpointPicker> make_picker(const PickerOptions& options);

}  // namespace perilune::algo
