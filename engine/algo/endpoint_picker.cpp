#include "algo/endpoint_picker.hpp"

#include "algo/draw_picker.hpp"
#include "algo/maglev_picker.hpp"
#include "algo/ring_picker.hpp"
#include "algo/turn_picker.hpp"

namespace perilune::algo {

std::unique_ptr<EndpointPicker> make_picker(const PickerOptions& options) {
  switch (options.kind) {
    case PickerKind::RoundRobin: return std::make_unique<TurnPicker>(options);
    case PickerKind::LeastRequests: return std::make_unique<LeastRequestsPicker>();
    case PickerKind::Random: return std::make_unique<RandomPicker>();
    case PickerKind::RingHash: return std::make_unique<RingPicker>(options);
    case PickerKind::Maglev: return std::make_unique<MaglevPicker>(options);
  }
  return nullptr;
}

}  // namespace perilune::algo
