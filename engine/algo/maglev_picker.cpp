#include "algo/maglev_picker.hpp"

#include <algorithm>

#include "algo/hash.hpp"
#include "base/expect.hpp"

namespace perilune::algo {
namespace {

constexpr uint64_t offset_salt = hash("offset");
constexpr uint64_t stride_salt = hash("stride");
constexpr uint32_t nobody = UINT32_MAX;

constexpr bool is_prime(uint64_t number) {
  for (uint64_t divisor = 2; divisor * divisor <= number; ++divisor)
    if (number % divisor == 0) return false;
  return number > 1;
}

/// The order in which one endpoint wants the slots: a stride that has no divisor in common with their number
/// comes to each of them.
struct Wishes {
  uint64_t slot;
  uint64_t stride;
  uint64_t credit;  // takes a slot when it reaches the heaviest weight
};

}  // namespace

MaglevPicker::MaglevPicker(const PickerOptions& options) : HashPicker(options), slots_(options.maglev_slots) {
  PERILUNE_EXPECT(is_prime(slots_), "the number of slots is a prime: else a stride misses some of them");
}

std::vector<uint32_t> MaglevPicker::build(std::span<const Member> members) {
  uint64_t heaviest = 0;
  for (const auto& member : members) heaviest = std::max<uint64_t>(heaviest, member.weight);

  std::vector<Wishes> wishes;
  for (const auto& member : members)
    wishes.push_back({.slot = mix(member.identity ^ offset_salt) % slots_,
                      .stride = 1 + mix(member.identity ^ stride_salt) % (slots_ - 1),
                      // Enough to take a slot in the first round, so that the lightest have one too.
                      .credit = heaviest - member.weight});

  std::vector<uint32_t> owners(slots_, nobody);
  for (uint32_t left = slots_; left > 0;) {
    for (size_t i = 0; i < members.size() && left > 0; ++i) {
      auto& wish = wishes[i];
      wish.credit += members[i].weight;
      if (wish.credit < heaviest) continue;
      wish.credit -= heaviest;
      while (owners[wish.slot] != nobody) {
        // Both are below the number of slots, and a division here is most of the time.
        wish.slot += wish.stride;
        if (wish.slot >= slots_) wish.slot -= slots_;
      }
      owners[wish.slot] = members[i].index;
      --left;
    }
  }
  return owners;
}

}  // namespace perilune::algo
