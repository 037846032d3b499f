#include <deque>

#include "algo/pool_policy.hpp"
#include "base/expect.hpp"
#include "measure.hpp"

namespace perilune::bench {
namespace {

using algo::LeaseResult;

/// A pool with `keys` keys, each with `idle_each` idle entries.
class FullPool {
 public:
  FullPool(size_t keys, size_t idle_each) : keys_(keys), entries_(keys * idle_each) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      const LeaseResult result = pool_.lease(keys_[i / idle_each], waiter_, now_);
      PERILUNE_EXPECT(result.kind == LeaseResult::Kind::Allocate, "nothing is idle yet");
      pool_.commit(result.ticket, entries_[i], now_);
    }
    for (auto& entry : entries_) pool_.release(entry, algo::Verdict::Keep, now_);
  }
  FullPool(const FullPool&) = delete;
  FullPool& operator=(const FullPool&) = delete;
  ~FullPool() {
    pool_.shut_down(now_);
    take_lists();
  }

  void lease_and_release(size_t key) {
    now_ += std::chrono::nanoseconds(100);
    const LeaseResult result = pool_.lease(keys_[key], waiter_, now_);
    PERILUNE_EXPECT(result.kind == LeaseResult::Kind::Leased, "an entry is idle");
    take_lists();
    pool_.release(*result.entry, algo::Verdict::Keep, now_);
    take_lists();
  }

 private:
  /// As every caller has to.
  void take_lists() {
    while (pool_.pop_closed()) continue;
    while (pool_.pop_ready()) continue;
    while (pool_.pop_granted()) continue;
    while (pool_.pop_vacant()) continue;
  }

  Instant now_{};
  algo::PoolPolicy pool_{{.key = {.idle_timeout = 60s}}};
  std::deque<algo::PoolKey> keys_;
  algo::PoolWaiter waiter_;
  std::deque<algo::PoolEntry> entries_;
};

/// Lease and release of what is idle; `used` of the keys take turns. Where all of many keys do, the time is
/// that of memory which the processor does not have at hand.
void pool_lease_release(benchmark::State& state) {
  FullPool pool(static_cast<size_t>(state.range(0)), static_cast<size_t>(state.range(1)));
  const auto used = static_cast<size_t>(state.range(2));
  constexpr size_t stride = 7919;  // a prime: every key has its turn, and none lies beside the one before
  size_t key = 0;
  measure(state, [&] {
    pool.lease_and_release(key);
    key = (key + stride) % used;
  });
}
BENCHMARK(pool_lease_release)
    ->ArgNames({"keys", "idle_each", "used"})
    ->Args({1, 1, 1})
    ->Args({1, 100, 1})
    ->Args({1, 10000, 1})
    ->Args({100, 1, 1})
    ->Args({10000, 1, 1})
    ->Args({100, 1, 100})
    ->Args({10000, 1, 10000});

}  // namespace
}  // namespace perilune::bench
