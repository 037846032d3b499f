#include <vector>

#include "algo/url_router.hpp"
#include "base/expect.hpp"
#include "measure.hpp"

namespace perilune::bench {
namespace {

/// `count` texts made of `before`, a number and `after`.
std::vector<std::string> numbered(int64_t count, const std::string& before, const std::string& after) {
  std::vector<std::string> texts;
  for (int64_t i = 0; i < count; ++i) texts.push_back(before + std::to_string(i) + after);
  return texts;
}

algo::UrlRouter router_of(const std::vector<std::string>& patterns) {
  algo::UrlRouter router;
  for (const std::string& pattern : patterns)
    PERILUNE_EXPECT(router.add(pattern, static_cast<uint32_t>(router.size())), "the patterns are valid");
  return router;
}

/// Another request with each repetition, over all of the routes.
void router_find_path(benchmark::State& state) {
  auto router = router_of(numbered(state.range(0), "/api/service-", "/*"));
  const auto targets = numbered(state.range(0), "/api/service-", "/items/7?page=2");
  size_t at = 0;
  measure(state, [&] {
    const auto match = router.find("www.example.com", targets[at]);
    PERILUNE_EXPECT(match && match->value == at, "each target has its route");
    at = at + 1 < targets.size() ? at + 1 : 0;
  });
}
BENCHMARK(router_find_path)->ArgName("routes")->RangeMultiplier(10)->Range(10, 10000);

void router_find_host(benchmark::State& state) {
  auto router = router_of(numbered(state.range(0), "site-", ".example.com/*"));
  const auto hosts = numbered(state.range(0), "site-", ".example.com");
  size_t at = 0;
  measure(state, [&] {
    const auto match = router.find(hosts[at], "/items/7?page=2");
    PERILUNE_EXPECT(match && match->value == at, "each host has its route");
    at = at + 1 < hosts.size() ? at + 1 : 0;
  });
}
BENCHMARK(router_find_host)->ArgName("routes")->RangeMultiplier(10)->Range(10, 10000);

void router_find_nothing(benchmark::State& state) {
  auto router = router_of(numbered(state.range(0), "/api/service-", "/*"));
  measure(state, [&] { benchmark::DoNotOptimize(router.find("www.example.com", "/favicon.ico")); });
}
BENCHMARK(router_find_nothing)->ArgName("routes")->RangeMultiplier(10)->Range(10, 10000);

}  // namespace
}  // namespace perilune::bench
