#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "algo/balancer.hpp"
#include "algo/url_router.hpp"
#include "unit/algo/pool_world.hpp"

// What every request passes takes no memory once it is warm. The whole test program counts.

namespace {
std::atomic<uint64_t> allocations = 0;  // other tests have threads
}

// Not inlined: the compiler would see malloc and delete side by side and take it for a mistake.
__attribute__((noinline)) void* operator new(size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace perilune::algo {
namespace {

template <typename Work>
uint64_t allocations_of(Work&& work) {
  work();  // warms up
  const uint64_t before = allocations;
  for (int i = 0; i < 100; ++i) work();
  return allocations - before;
}

// Called by name: a new-expression may be optimised away.
TEST(Allocation, TheCounterCounts) {
  EXPECT_EQ(allocations_of([] { ::operator delete(::operator new(8)); }), 100u);
}

TEST(Allocation, RouterFindTakesNone) {
  UrlRouter router;
  ASSERT_TRUE(router.add("*.example.com/a/path/that/is/longer/than/any/small/string/*", 1));
  EXPECT_EQ(allocations_of([&] {
              EXPECT_TRUE(router.find("A-Rather-Long-Name.Example.COM:8000",
                                      "/x/%2e%2E//a/path/that/is/longer/than/any/small/string/1?q"));
            }),
            0u);
}

TEST(Allocation, LeaseReleaseWaitAndTimeoutTakeNone) {
  PoolPolicy pool({.key = {.max = 1, .idle_timeout = 10s}, .total_max = 2});
  PoolKey key;
  PoolKey other;
  PoolEntry entry;
  PoolWaiter waiter;
  PoolWaiter second;
  Instant now{};
  pool.commit(pool.lease(key, waiter, now).ticket, entry, now);
  pool.release(entry, Verdict::Keep, now);
  EXPECT_EQ(allocations_of([&] {
              pool.lease(key, waiter, now);
              pool.lease(key, second, now);
              pool.release(entry, Verdict::Keep, now);
              EXPECT_EQ(pool.pop_ready(), &second);
              pool.lease(key, waiter, now);
              pool.advance(now += 5s);
              EXPECT_EQ(pool.pop_ready(), &waiter);
              pool.release(entry, Verdict::Keep, now);
              pool.abort(pool.lease(other, waiter, now).ticket, ErrorCode::Reset, now);
              EXPECT_EQ(pool.pop_vacant(), &other);
            }),
            0u);
  pool.shut_down(now);
}

TEST(Allocation, BalancersTakeNone) {
  RoundRobinBalancer round({{"a"}, {"b"}});
  LeastWorkBalancer least({{"a"}, {"b"}});
  HashingBalancer hashing({{"a"}, {"b", 2}});
  EXPECT_EQ(allocations_of([&] {
              for (Balancer* balancer : std::initializer_list<Balancer*>{&round, &least, &hashing}) {
                balancer->select();
                balancer->deselect(*balancer->select(7));
              }
            }),
            0u);
}

}  // namespace
}  // namespace perilune::algo
