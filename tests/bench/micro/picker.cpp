#include <string>
#include <vector>

#include "algo/draw.hpp"
#include "algo/endpoint_picker.hpp"
#include "base/expect.hpp"
#include "measure.hpp"

namespace perilune::bench {
namespace {

using algo::PickerKind;

/// All are usable and have something to do.
class BusyCluster final : public algo::PickerView {
 public:
  bool is_usable(uint32_t) const override { return true; }
  uint32_t active(uint32_t index) const override { return index % 7; }
};

/// Equal weights, or weights of 1 to 4.
std::vector<algo::PickerEndpoint> endpoints(int64_t count, bool is_weighted) {
  std::vector<algo::PickerEndpoint> list;
  for (int64_t i = 0; i < count; ++i)
    list.push_back(
        {algo::hash("host-" + std::to_string(i)), is_weighted ? static_cast<uint32_t>(1 + i % 4) : 1});
  return list;
}

/// A pick without a key. A smooth turn among unequal weights looks at all endpoints.
void picker_pick(benchmark::State& state, PickerKind kind) {
  const auto picker = algo::make_picker({.kind = kind});
  picker->assign(endpoints(state.range(0), state.range(1) != 0));
  const BusyCluster cluster;
  uint64_t random = 1;
  measure(state, [&] {
    random = algo::draw_next(random);
    const auto index = picker->pick(cluster, std::nullopt, random);
    PERILUNE_EXPECT(index, "all are usable");
    benchmark::DoNotOptimize(*index);
  });
}
#define PERILUNE_PICKER_BENCHMARK(kind)                  \
  BENCHMARK_CAPTURE(picker_pick, kind, PickerKind::kind) \
      ->ArgNames({"endpoints", "weighted"})              \
      ->Args({10, 0})                                    \
      ->Args({1000, 0})                                  \
      ->Args({1000, 1})
PERILUNE_PICKER_BENCHMARK(RoundRobin);
PERILUNE_PICKER_BENCHMARK(LeastRequests);
PERILUNE_PICKER_BENCHMARK(Random);
PERILUNE_PICKER_BENCHMARK(RingHash);
PERILUNE_PICKER_BENCHMARK(Maglev);

/// What a change of a cluster costs; for the hashing kinds that is a table made anew.
void picker_assign(benchmark::State& state, PickerKind kind) {
  const auto picker = algo::make_picker({.kind = kind});
  const auto list = endpoints(state.range(0), true);
  for (auto _ : state) picker->assign(list);
}
BENCHMARK_CAPTURE(picker_assign, RoundRobin, PickerKind::RoundRobin)
    ->ArgName("endpoints")
    ->Arg(10)
    ->Arg(1000);
BENCHMARK_CAPTURE(picker_assign, RingHash, PickerKind::RingHash)->ArgName("endpoints")->Arg(10)->Arg(1000);
BENCHMARK_CAPTURE(picker_assign, Maglev, PickerKind::Maglev)->ArgName("endpoints")->Arg(10)->Arg(1000);

}  // namespace
}  // namespace perilune::bench
