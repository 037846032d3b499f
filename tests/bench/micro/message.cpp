#include "base/expect.hpp"
#include "http/field_lines.hpp"
#include "measure.hpp"
#include "message/headers.hpp"
#include "samples.hpp"

namespace perilune::bench {
namespace {

using message::Headers;
using message::Name;

Headers browser_headers() {
  Headers headers;
  PERILUNE_EXPECT(http::take_field_lines(browser_fields, 100, headers) == browser_fields.size(),
                  "the fields are read");
  PERILUNE_EXPECT(headers.size() == 20, "a browser sends twenty fields");
  return headers;
}

void name_of(benchmark::State& state, std::string_view name) {
  measure(state, [&] {
    benchmark::DoNotOptimize(name);
    benchmark::DoNotOptimize(message::name_of(name));
  });
}
BENCHMARK_CAPTURE(name_of, known, "Content-Length");
BENCHMARK_CAPTURE(name_of, other, "Accept-Language");

void headers_parse(benchmark::State& state) {
  Headers headers;
  measure(state, [&] {
    headers.clear();
    benchmark::DoNotOptimize(http::take_field_lines(browser_fields, 100, headers));
  });
  show_bytes(state, browser_fields.size());
}
BENCHMARK(headers_parse);

void headers_find(benchmark::State& state, std::string_view name) {
  const Headers headers = browser_headers();
  measure(state, [&] {
    benchmark::DoNotOptimize(name);
    benchmark::DoNotOptimize(headers.find(name));
  });
}
BENCHMARK_CAPTURE(headers_find, known, "cookie");
BENCHMARK_CAPTURE(headers_find, known_absent, "content-type");
BENCHMARK_CAPTURE(headers_find, other, "if-modified-since");
BENCHMARK_CAPTURE(headers_find, other_absent, "x-forwarded-for");

void headers_find_id(benchmark::State& state, Name name) {
  const Headers headers = browser_headers();
  measure(state, [&] {
    benchmark::DoNotOptimize(name);
    benchmark::DoNotOptimize(headers.find(name));
  });
}
BENCHMARK_CAPTURE(headers_find_id, present, Name::Cookie);
BENCHMARK_CAPTURE(headers_find_id, absent, Name::ContentType);

// What is set or removed leaves its text behind until the section is cleared, so each repetition begins with
// a copy: the cost of setting and removing is what is above that of the copy alone.

template <typename Change>
void measure_change(benchmark::State& state, Change&& change) {
  const Headers original = browser_headers();
  Headers headers;
  measure(state, [&] {
    headers = original;
    change(headers);
    benchmark::DoNotOptimize(headers.size());
  });
}

void headers_copy(benchmark::State& state) {
  measure_change(state, [](Headers&) {});
}
BENCHMARK(headers_copy);

void headers_copy_set(benchmark::State& state, std::string_view name) {
  measure_change(state, [&](Headers& headers) { headers.set(name, "127.0.0.1:8080"); });
}
BENCHMARK_CAPTURE(headers_copy_set, present, "host");
BENCHMARK_CAPTURE(headers_copy_set, absent, "x-forwarded-for");

void headers_copy_remove(benchmark::State& state, std::string_view name) {
  measure_change(state, [&](Headers& headers) { headers.remove(name); });
}
BENCHMARK_CAPTURE(headers_copy_remove, present, "if-none-match");
BENCHMARK_CAPTURE(headers_copy_remove, absent, "x-forwarded-for");

}  // namespace
}  // namespace perilune::bench
