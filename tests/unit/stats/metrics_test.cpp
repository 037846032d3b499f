#include "stats/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/limits.hpp"
#include "stats/snapshot.hpp"

namespace perilune::stats {
namespace {

MetricSpec counter(std::string name, std::vector<std::string> labels = {}) {
  return {.name = std::move(name),
          .help = {},
          .kind = Kind::Counter,
          .labels = std::move(labels),
          .bounds = {},
          .place = {"proxy.lua", 3}};
}
MetricSpec histogram(std::string name, std::vector<double> bounds, std::vector<std::string> labels = {}) {
  return {.name = std::move(name),
          .help = {},
          .kind = Kind::Histogram,
          .labels = std::move(labels),
          .bounds = std::move(bounds),
          .place = {"proxy.lua", 4}};
}

Series& with(Metric& metric, std::vector<std::string_view> values) { return metric.with(values); }

std::string text_of(const Registry& registry) {
  Snapshot snapshot;
  snapshot.add(registry);
  return snapshot.text();
}

TEST(Metrics, ACounter) {
  Registry registry;
  Metric& metric = **registry.define(counter("requests_total"));
  EXPECT_EQ(text_of(registry),
            "# HELP requests_total Of the script, at proxy.lua:3.\n# TYPE requests_total "
            "counter\nrequests_total 0\n");
  with(metric, {}).value += 2;
  with(metric, {}).value += 0.5;
  EXPECT_EQ(text_of(registry),
            "# HELP requests_total Of the script, at proxy.lua:3.\n# TYPE requests_total "
            "counter\nrequests_total 2.5\n");
}

TEST(Metrics, LabelsAndTheirEscapes) {
  Registry registry;
  MetricSpec spec = counter("requests_total", {"route", "status"});
  spec.help = "All \\ of \"them\",\nby route";
  Metric& metric = **registry.define(spec);
  EXPECT_EQ(text_of(registry),
            "# HELP requests_total All \\\\ of \"them\",\\nby route\n# TYPE requests_total counter\n");
  with(metric, {"b\"\\\n", "200"}).value = 1;
  with(metric, {"a", "404"}).value = 1e15;
  with(metric, {"\xc3\xa4\xff", ""}).value = 3;
  with(metric, {"a", "404"}).value += 1;
  EXPECT_EQ(text_of(registry),
            "# HELP requests_total All \\\\ of \"them\",\\nby route\n"
            "# TYPE requests_total counter\n"
            "requests_total{route=\"a\",status=\"404\"} 1000000000000001\n"
            "requests_total{route=\"b\\\"\\\\\\n\",status=\"200\"} 1\n"
            "requests_total{route=\"\xc3\xa4\xc3\xbf\",status=\"\"} 3\n");
}

TEST(Metrics, WhatLooksTheSameIsTheSame) {
  Registry registry;
  Metric& metric = **registry.define(counter("n", {"a"}));
  with(metric, {"\xe9"}).value += 1;
  with(metric, {"\xc3\xa9"}).value += 2;
  EXPECT_EQ(text_of(registry).substr(text_of(registry).find("\nn{")), "\nn{a=\"\xc3\xa9\"} 3\n");
}

TEST(Metrics, ValuesAreNotMistakenForOthers) {
  Registry registry;
  Metric& metric = **registry.define(counter("n", {"a", "b"}));
  EXPECT_NE(&with(metric, {"xy", "z"}), &with(metric, {"x", "yz"}));
  EXPECT_NE(&with(metric, {"", "x"}), &with(metric, {"x", ""}));
  EXPECT_EQ(&with(metric, {"x", "y"}), &with(metric, {"x", "y"}));
}

TEST(Metrics, AHistogramCumulates) {
  Registry registry;
  Metric& metric = **registry.define(histogram("seconds", {0.1, 1, 2.5}, {"route"}));
  Series& series = with(metric, {"x"});
  for (const double value : {0.05, 0.1, 0.2, 1.0, 3.0, 100.0}) metric.observe(series, value);
  EXPECT_EQ(text_of(registry),
            "# HELP seconds Of the script, at proxy.lua:4.\n"
            "# TYPE seconds histogram\n"
            "seconds_bucket{route=\"x\",le=\"0.1\"} 2\n"
            "seconds_bucket{route=\"x\",le=\"1\"} 4\n"
            "seconds_bucket{route=\"x\",le=\"2.5\"} 4\n"
            "seconds_bucket{route=\"x\",le=\"+Inf\"} 6\n"
            "seconds_sum{route=\"x\"} 104.35\n"
            "seconds_count{route=\"x\"} 6\n");
}

TEST(Metrics, NumbersThatAreNone) {
  Registry registry;
  MetricSpec spec = counter("g", {"v"});
  spec.kind = Kind::Gauge;
  Metric& metric = **registry.define(spec);
  with(metric, {"1"}).value = HUGE_VAL;
  with(metric, {"2"}).value = -HUGE_VAL;
  with(metric, {"3"}).value = std::nan("");
  with(metric, {"4"}).value = -0.25;
  EXPECT_EQ(text_of(registry),
            "# HELP g Of the script, at proxy.lua:3.\n# TYPE g gauge\ng{v=\"1\"} +Inf\ng{v=\"2\"} "
            "-Inf\ng{v=\"3\"} NaN\ng{v=\"4\"} -0.25\n");
}

TEST(Metrics, WorkersAreSummed) {
  Registry one, two, older;
  (*one.define(counter("n", {"a"})))->with(std::vector<std::string_view>{"x"}).value = 1;
  (*two.define(counter("n", {"a"})))->with(std::vector<std::string_view>{"x"}).value = 2;
  (*two.define(counter("n", {"a"})))->with(std::vector<std::string_view>{"y"}).value = 4;
  (*older.define(counter("n", {"other"})))->with(std::vector<std::string_view>{"x"}).value = 100;
  for (auto [registry, value] : {std::pair<Registry*, double>{&one, 0.5}, {&two, 5.0}}) {
    Metric& metric = **registry->define(histogram("h", {1}));
    metric.observe(with(metric, {}), value);
  }
  Snapshot snapshot, second;
  snapshot.add(one);
  second.add(two);
  snapshot.add(second);
  snapshot.add(older);
  EXPECT_EQ(snapshot.text(),
            "# HELP h Of the script, at proxy.lua:4.\n"
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 5.5\nh_count 2\n"
            "# HELP n Of the script, at proxy.lua:3.\n"
            "# TYPE n counter\nn{a=\"x\"} 3\nn{a=\"y\"} 4\n");
}

TEST(Metrics, DefinedTwiceItIsTheSame) {
  Registry registry;
  Metric* metric = *registry.define(counter("n", {"a"}));
  EXPECT_EQ(*registry.define(counter("n", {"a"})), metric);
  EXPECT_EQ(registry.define(counter("n", {"b"})).error().detail,
            "\"n\" is defined otherwise at proxy.lua:3: kind, labels and buckets must be the same");
  EXPECT_TRUE(registry.define(histogram("n", {1})).has_error());
}

TEST(Metrics, SaysWhatIsWrong) {
  struct Case {
    MetricSpec spec;
    const char* sentence;
  };
  const char* bad_name = " is no name of a metric: letters, digits, _ and :, not beginning with a digit";
  const char* bad_label = " is no name of a label: letters, digits and _, not beginning with a digit or __";
  for (const Case& one : std::initializer_list<Case>{
           {counter(""), bad_name},
           {counter("a-b"), "\"a-b\" is no name of a metric"},
           {counter("1a"), bad_name},
           {counter("a{b"), bad_name},
           {counter("perilune_x"),
            "names that begin with \"perilune_\" are the engine's own, got \"perilune_x\""},
           {counter("n", {"a:b"}), bad_label},
           {counter("n", {"__a"}), bad_label},
           {counter("n", {""}), bad_label},
           {counter("n", {"a", "b", "a"}), "the label \"a\" is there twice"},
           {counter("n",
                    {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"}),
            "at most 16 labels, got 17"},
           {histogram("n", {1}, {"le"}), "the label \"le\" is the histogram's own"},
           {histogram("n", {}), "buckets are 1 to 100 upper bounds"},
           {histogram("n", std::vector<double>(101, 1)), "buckets are 1 to 100 upper bounds"},
           {histogram("n", {1, 1}), "buckets are finite upper bounds in ascending order; number 2 is not"},
           {histogram("n", {1, HUGE_VAL}),
            "buckets are finite upper bounds in ascending order; number 2 is not"},
       }) {
    Registry registry;
    const auto defined = registry.define(one.spec);
    ASSERT_TRUE(defined.has_error()) << one.sentence;
    EXPECT_NE(defined.error().detail.find(one.sentence), std::string::npos) << defined.error().detail;
  }
}

TEST(Metrics, WhatAHistogramPrintsIsNobodyElses) {
  Registry registry;
  EXPECT_TRUE(registry.define(histogram("h", {1})).has_value());
  EXPECT_EQ(registry.define(counter("h_sum")).error().detail,
            "\"h_sum\" is a part of the histogram \"h\" at proxy.lua:4");
  EXPECT_TRUE(registry.define(counter("g_count")).has_value());
  EXPECT_EQ(registry.define(histogram("g", {1})).error().detail,
            "\"g_count\" at proxy.lua:3 is in the way of the histogram \"g\"");
}

TEST(Metrics, TheirNumberIsBounded) {
  Registry registry;
  for (size_t i = 0; i < limits::metrics_max; ++i)
    ASSERT_TRUE(registry.define(counter("n" + std::to_string(i))).has_value());
  EXPECT_EQ(registry.define(counter("more")).error().detail, "there are 500 metrics already");
  EXPECT_TRUE(registry.define(counter("n7")).has_value());
}

TEST(Metrics, SeriesAreBoundedAndSumsStayRight) {
  Registry registry;
  Metric& metric = **registry.define(counter("n", {"a", "b"}));
  Metric& other = **registry.define(counter("o", {"a"}));
  double sum = 0;
  for (size_t i = 0; i < limits::metric_series_max + 5; ++i) {
    EXPECT_EQ(metric.has_overflown(), i > limits::metric_series_max);
    with(metric, {std::to_string(i), "x"}).value += 1;
  }
  with(other, {"x"}).value += 1;
  with(metric, {"0", "x"}).value += 1;
  EXPECT_EQ(with(metric, {"0", "x"}).value, 2);
  EXPECT_EQ(with(metric, {"new", "x"}).value, 5);
  EXPECT_TRUE(other.has_overflown());
  size_t count = 0;
  metric.each([&](const std::vector<std::string>& values, const Series& series) {
    ++count;
    sum += series.value;
    EXPECT_EQ(values[0] == "overflow", values[1] == "overflow");
  });
  EXPECT_EQ(count, limits::metric_series_max + 1);
  EXPECT_EQ(sum, static_cast<double>(limits::metric_series_max) + 6);
}

TEST(Metrics, LongValuesAreCut) {
  Registry registry;
  Metric& metric = **registry.define(counter("n", {"a"}));
  const std::string value(limits::metric_label_bytes_max, 'x');
  EXPECT_EQ(&with(metric, {value}), &with(metric, {value + "y"}));
  EXPECT_NE(text_of(registry).find("n{a=\"" + value + "\"} 0\n"), std::string::npos);
}

}  // namespace
}  // namespace perilune::stats
