#include "base/limits.hpp"
#include "base/log.hpp"
#include "stats/snapshot.hpp"
#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

class StatsTest : public testing::Test {
 protected:
  std::string text() {
    stats::Snapshot snapshot;
    snapshot.add(lua.host.registry);
    return snapshot.text();
  }
  LuaLibrary lua;
};

TEST_F(StatsTest, CountsByLabelsOrWithout) {
  EXPECT_EQ(lua.run(R"(
    local all = stats.Counter("all_total")
    all:inc(); all:inc(2.5); all:inc(0)
    local requests = stats.Counter("requests_total", { "route", "status" }, { help = "By route." })
    requests:withLabels("a", 200):inc()
    local a = requests:withLabels("a", "200")
    a:inc(4)
    requests:withLabels(true, 0.5):inc()
    return rawequal(a, requests:withLabels("a", 200)), tostring(getmetatable(a)))"),
            "true | Counter");
  EXPECT_EQ(text(),
            "# HELP all_total Of the script, at script.lua:2.\n# TYPE all_total counter\nall_total 3.5\n"
            "# HELP requests_total By route.\n# TYPE requests_total counter\n"
            "requests_total{route=\"a\",status=\"200\"} 5\n"
            "requests_total{route=\"true\",status=\"0.5\"} 1\n");
}

TEST_F(StatsTest, GaugesGoUpAndDown) {
  lua.run("local g = stats.Gauge('g') g:set(5) g:inc() g:inc(2) g:dec() g:dec(0.5) g:inc(-1)");
  EXPECT_EQ(text(), "# HELP g Of the script, at script.lua:1.\n# TYPE g gauge\ng 5.5\n");
}

TEST_F(StatsTest, HistogramsHaveBuckets) {
  lua.run(
      "local h = stats.Histogram('h', { 'x' }, { buckets = { 1, 2 } }):withLabels('y') "
      "h:observe(0.5) h:observe(2) h:observe(9)");
  EXPECT_EQ(text(),
            "# HELP h Of the script, at script.lua:1.\n# TYPE h histogram\nh_bucket{x=\"y\",le=\"1\"} "
            "1\nh_bucket{x=\"y\",le=\"2\"} 2\n"
            "h_bucket{x=\"y\",le=\"+Inf\"} 3\nh_sum{x=\"y\"} 11.5\nh_count{x=\"y\"} 3\n");
  EXPECT_EQ(lua.run("stats.Histogram('seconds')"), "");
  EXPECT_NE(text().find("seconds_bucket{le=\"0.005\"} 0\n"), std::string::npos);
  EXPECT_NE(text().find("seconds_bucket{le=\"10\"} 0\n"), std::string::npos);
}

TEST_F(StatsTest, OfOneNameThereIsOne) {
  lua.run("stats.Counter('n', { 'a' }):withLabels(1):inc() stats.Counter('n', { 'a' }):withLabels(1):inc()");
  EXPECT_EQ(text(), "# HELP n Of the script, at script.lua:1.\n# TYPE n counter\nn{a=\"1\"} 2\n");
}

TEST_F(StatsTest, SaysWhatIsWrong) {
  expect_all(
      lua,
      {
          {"stats.Counter()",
           "error: script.lua:1: stats.Counter: name (argument 1) expects the name of a metric, got nil"},
          {"stats.Counter('a-b')",
           "error: script.lua:1: stats.Counter: \"a-b\" is no name of a metric: letters, digits, _ and :, "
           "not beginning "
           "with a digit"},
          {"stats.Gauge('n', 'a')",
           "error: script.lua:1: stats.Gauge: labels (argument 2) expects a list of names of labels, got "
           "\"a\""},
          {"stats.Gauge('n', { help = 'x' })",
           "error: script.lua:1: stats.Gauge: labels (argument 2) are a list of names, got the key \"help\"; "
           "options are "
           "argument 3"},
          {"stats.Gauge('n', { 5 })", "error: script.lua:1: stats.Gauge: label 1 expects a string, got 5"},
          {"stats.Gauge('n', nil, 5)",
           "error: script.lua:1: stats.Gauge: options (argument 3) expects a table of options, got 5"},
          {"stats.Gauge('n', nil, { hlep = 'x' })",
           "error: script.lua:1: stats.Gauge: unknown option \"hlep\"; did you mean \"help\"?"},
          {"stats.Gauge('n', nil, { buckets = {} })",
           "error: script.lua:1: stats.Gauge: unknown option \"buckets\""},
          {"stats.Gauge('n', nil, { help = 5 })",
           "error: script.lua:1: stats.Gauge: option \"help\" expects a string, got 5"},
          {"stats.Histogram('n', nil, { bucket = {} })",
           "error: script.lua:1: stats.Histogram: unknown option \"bucket\"; did you mean \"buckets\"?"},
          {"stats.Histogram('n', nil, { buckets = { 1, 'x' } })",
           "error: script.lua:1: stats.Histogram: bucket 2 expects a number, got \"x\""},
          {"stats.Histogram('n', nil, { buckets = { 2, 1 } })",
           "error: script.lua:1: stats.Histogram: buckets are finite upper bounds in ascending order; number "
           "2 is not"},
          {"local c = stats.Counter('c')\nc:inc(-1)",
           "error: script.lua:2: counter:inc: amount (argument 1) expects a number of at least 0, got -1"},
          {"stats.Counter('c'):inc(0/0)",
           "error: script.lua:1: counter:inc: amount (argument 1) expects a number of at least 0, got nan"},
          {"stats.Counter('c').inc(5)",
           "error: script.lua:1: counter:inc: called with '.'? Use ':'; the receiver expects a Counter, got "
           "5"},
          {"stats.Counter('c'):incr()",
           "error: script.lua:1: a Counter has no \"incr\"; did you mean \"inc\"?"},
          {"stats.Counter('c'):withLabels('x')", "error: script.lua:1: withLabels: c has no labels"},
          {"stats.Counter('l', { 'a', 'b' }):inc()",
           "error: script.lua:1: counter:inc: l has labels (a, b): call it on withLabels(a, b)"},
          {"stats.Counter('l', { 'a', 'b' }):withLabels('x')",
           "error: script.lua:1: withLabels: l has 2 labels, got 1 value"},
          {"stats.Counter('l', { 'a', 'b' }):withLabels('x', nil)",
           "error: script.lua:1: withLabels: the label b of l expects a string, a number or a boolean, got "
           "nil"},
          {"stats.Counter('l', { 'a', 'b' }):withLabels('x', 'y'):withLabels('x', 'z'):inc(2)", ""},
          {"stats.Gauge('l', { 'a', 'b' })",
           "error: script.lua:1: stats.Gauge: \"l\" is defined otherwise at script.lua:1: kind, labels and "
           "buckets must be "
           "the same"},
          {"stats.Gauge('g'):set('5')",
           "error: script.lua:1: gauge:set: value (argument 1) expects a number, got \"5\""},
          {"stats.Histogram('h'):observe(1/0)",
           "error: script.lua:1: histogram:observe: value (argument 1) expects a finite number, got inf"},
      });
  lua.host.loading = false;
  EXPECT_EQ(lua.run("stats.Counter('late')"),
            "error: script.lua:1: stats.Counter: metrics are made at the top of a file");
}

TEST_F(StatsTest, TooManySeriesAreToldOnce) {
  std::vector<std::string> lines;
  log::capture([&](std::string_view line) { lines.emplace_back(line); });
  lua.run("local c = stats.Counter('c', { 'a' })\nfor i = 1, 10050 do c:withLabels(i):inc() end");
  log::capture(nullptr);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0],
            "warn  script.lua:1: c: there are too many series; further values of labels are counted as "
            "\"overflow\"");
  EXPECT_NE(text().find("c{a=\"overflow\"} 50\n"), std::string::npos);
}

}  // namespace
}  // namespace perilune::script
