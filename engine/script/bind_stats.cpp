#include <array>
#include <cmath>

#include "base/limits.hpp"
#include "base/log.hpp"
#include "script/bind_algo.hpp"
#include "script/place.hpp"
#include "stats/metrics.hpp"

namespace perilune::script {
namespace {

using stats::Kind;

constexpr std::array<const char*, 3> metatables{"Counter", "Gauge", "Histogram"};
constexpr std::array<std::string_view, 1> metric_options{"help"};
constexpr std::array<std::string_view, 2> histogram_options{"buckets", "help"};
// Answers of services, in seconds: from 5 ms to 10 s.
constexpr std::array<double, 11> default_buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

/// A metric, or one of its series. The environment of a metric with labels keeps the userdata of its series,
/// by address.
struct MetricBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  stats::Metric* metric;
  stats::Series* series;  // null for a metric with labels

  MetricBox(stats::Metric& shown, stats::Series* its_series) : metric(&shown), series(its_series) {}
};

const char* metatable_of(Kind kind) { return metatables[static_cast<size_t>(kind)]; }

/// The labels of a metric that a call left out.
Outcome wants_labels(lua_State* L) {
  const stats::MetricSpec& spec = test_userdata<MetricBox>(L, 1)->metric->spec;
  const std::string_view signature = signature_of(L);
  std::string names;
  for (const std::string& label : spec.labels) names.append(names.empty() ? "" : ", ").append(label);
  return Outcome::error(std::string(signature.substr(0, signature.find('('))) + ": " + spec.name +
                        " has labels (" + names + "): call it on withLabels(" + names + ")");
}

MetricBox& self(lua_State* L, Kind kind) {
  auto* box = test_userdata<MetricBox>(L, 1);
  constexpr std::array<const char*, 3> expectations{"a Counter", "a Gauge", "a Histogram"};
  if (!box || box->metric->spec.kind != kind) raise_argument(L, 1, expectations[static_cast<size_t>(kind)]);
  return *box;
}

stats::Series& series_of(lua_State* L, Kind kind) {
  const MetricBox& box = self(L, kind);
  if (!box.series) outcome_function<wants_labels>(L);
  return *box.series;
}

double number_or_one(lua_State* L, const char* expectation, double least) {
  if (lua_isnoneornil(L, 2)) return 1;
  const double number = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : std::nan("");
  if (!(number >= least) || std::isinf(number)) raise_argument(L, 2, expectation);
  return number;
}

constexpr double any_number = -HUGE_VAL;

int counter_inc(lua_State* L) {
  stats::Series& series = series_of(L, Kind::Counter);
  series.value += number_or_one(L, "a number of at least 0", 0);
  return 0;
}

int gauge_inc(lua_State* L) {
  stats::Series& series = series_of(L, Kind::Gauge);
  series.value += number_or_one(L, "a number", any_number);
  return 0;
}

int gauge_dec(lua_State* L) {
  stats::Series& series = series_of(L, Kind::Gauge);
  series.value -= number_or_one(L, "a number", any_number);
  return 0;
}

int gauge_set(lua_State* L) {
  stats::Series& series = series_of(L, Kind::Gauge);
  if (lua_type(L, 2) != LUA_TNUMBER) raise_argument(L, 2, "a number");
  series.value = lua_tonumber(L, 2);
  return 0;
}

int histogram_observe(lua_State* L) {
  stats::Series& series = series_of(L, Kind::Histogram);
  const double value = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : std::nan("");
  if (!std::isfinite(value)) raise_argument(L, 2, "a finite number");
  test_userdata<MetricBox>(L, 1)->metric->observe(series, value);
  return 0;
}

/// What withLabels was given, when it is not what it should be.
Outcome wrong_labels(lua_State* L) {
  const stats::MetricSpec& spec = test_userdata<MetricBox>(L, 1)->metric->spec;
  const int given = lua_gettop(L) - 1;
  const auto count = static_cast<int>(spec.labels.size());
  if (count == 0) return Outcome::error("withLabels: " + spec.name + " has no labels");
  if (given != count)
    return Outcome::error("withLabels: " + spec.name + " has " + std::to_string(count) +
                          (count == 1 ? " label, got " : " labels, got ") + std::to_string(given) +
                          (given == 1 ? " value" : " values"));
  for (int i = 2; i <= count + 1; ++i)
    if (const int type = lua_type(L, i); type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN)
      return Outcome::error("withLabels: the label " + spec.labels[static_cast<size_t>(i - 2)] + " of " +
                            spec.name + " expects a string, a number or a boolean, got " +
                            describe_value(L, i));
  return 0;
}

template <Kind kind>
int with_labels(lua_State* L) {
  stats::Metric& metric = *self(L, kind).metric;
  const auto count = static_cast<int>(metric.spec.labels.size());
  std::array<std::string_view, limits::metric_labels_max> values;
  bool is_right = count > 0 && lua_gettop(L) == count + 1;
  for (int i = 0; is_right && i < count; ++i) {
    const int index = i + 2;
    const int type = lua_type(L, index);
    if (type == LUA_TBOOLEAN) {
      values[static_cast<size_t>(i)] = lua_toboolean(L, index) ? "true" : "false";
    } else if (type == LUA_TSTRING || type == LUA_TNUMBER) {
      size_t size = 0;
      const char* text = lua_tolstring(L, index, &size);
      values[static_cast<size_t>(i)] = {text, size};
    } else {
      is_right = false;
    }
  }
  if (!is_right) return outcome_function<wrong_labels>(L);
  const bool had_overflown = metric.has_overflown();
  stats::Series& series = metric.with(std::span(values.data(), static_cast<size_t>(count)));
  if (metric.has_overflown() && !had_overflown)
    log::warn(metric.spec.place.to_string() + ": " + metric.spec.name +
              ": there are too many series; further values of labels are counted as \"overflow\"");
  lua_getfenv(L, 1);
  lua_pushlightuserdata(L, &series);
  lua_rawget(L, -2);
  if (!lua_isnil(L, -1)) return 1;
  lua_pop(L, 1);
  lua_pushlightuserdata(L, &series);
  new_userdata<MetricBox>(L, metatable_of(kind), metric, &series);
  lua_pushvalue(L, -1);
  lua_insert(L, -4);
  lua_rawset(L, -3);
  lua_pop(L, 1);
  return 1;
}

/// Reads `stats.Counter(name, labels, options)` and its like.
class Definition {
 public:
  Definition(lua_State* state, Kind kind) : L(state), function_("stats." + std::string(metatable_of(kind))) {
    spec.kind = kind;
  }
  stats::MetricSpec spec;

  std::optional<std::string> read() {
    const auto name = string_at(L, 1);
    if (!name) return argument_message(L, 1, "the name of a metric");
    spec.name = *name;
    if (auto wrong = read_labels()) return wrong;
    if (spec.kind == Kind::Histogram) spec.bounds.assign(default_buckets.begin(), default_buckets.end());
    return read_options();
  }
  std::string wrong(const std::string& what) const { return function_ + ": " + what; }

 private:
  std::optional<std::string> read_labels() {
    if (lua_isnoneornil(L, 2)) return std::nullopt;
    if (!lua_istable(L, 2)) return argument_message(L, 2, "a list of names of labels");
    const auto count = static_cast<int>(lua_objlen(L, 2));
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
      if (lua_type(L, -2) != LUA_TNUMBER)
        return wrong("labels (argument 2) are a list of names, got the key " + describe_value(L, -2) +
                     "; options are argument 3");
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(L, 2, i);
      const auto label = string_at(L, -1);
      if (!label)
        return wrong("label " + std::to_string(i) + " expects a string, got " + describe_value(L, -1));
      spec.labels.emplace_back(*label);
      lua_pop(L, 1);
    }
    return std::nullopt;
  }

  std::optional<std::string> read_options() {
    if (lua_isnoneornil(L, 3)) return std::nullopt;
    if (!lua_istable(L, 3)) return argument_message(L, 3, "a table of options");
    const std::span<const std::string_view> known =
        spec.kind == Kind::Histogram ? std::span<const std::string_view>(histogram_options) : metric_options;
    for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
      const auto option = string_at(L, -2);
      if (!option || std::find(known.begin(), known.end(), *option) == known.end())
        return wrong("unknown option " + describe_value(L, -2) + suggestion(option.value_or(""), known));
      if (option == "buckets") {
        if (auto problem = read_buckets()) return problem;
        continue;
      }
      const auto help = string_at(L, -1);
      if (!help) return wrong("option \"help\" expects a string, got " + describe_value(L, -1));
      spec.help = *help;
    }
    return std::nullopt;
  }

  // The list at the top of the stack.
  std::optional<std::string> read_buckets() {
    if (!lua_istable(L, -1))
      return wrong("option \"buckets\" expects a list of numbers, got " + describe_value(L, -1));
    spec.bounds.clear();
    const auto count = static_cast<int>(lua_objlen(L, -1));
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(L, -1, i);
      if (lua_type(L, -1) != LUA_TNUMBER)
        return wrong("bucket " + std::to_string(i) + " expects a number, got " + describe_value(L, -1));
      spec.bounds.push_back(lua_tonumber(L, -1));
      lua_pop(L, 1);
    }
    return std::nullopt;
  }

  lua_State* const L;
  const std::string function_;
};

template <Kind kind>
Outcome define(lua_State* L) {
  lua_settop(L, 3);
  Definition definition(L, kind);
  BindingHost& host = context_of(L).host;
  if (!host.is_loading()) return Outcome::error(definition.wrong("metrics are made at the top of a file"));
  if (auto wrong = definition.read()) return Outcome::error(std::move(*wrong));
  definition.spec.place = script_place(L);
  const bool has_labels = !definition.spec.labels.empty();
  auto metric = host.metrics().define(std::move(definition.spec));
  if (!metric) return Outcome::error(definition.wrong(metric.error().detail));
  new_userdata<MetricBox>(L, metatable_of(kind), **metric, has_labels ? nullptr : &(*metric)->with({}));
  lua_newtable(L);
  lua_setfenv(L, -2);
  return 1;
}

}  // namespace

void bind_stats(lua_State* L, BindingContext& context) {
  const auto destroy = &destroy_userdata<MetricBox>;
  make_class(L, context, metatable_of(Kind::Counter),
             "counter:", {{"inc(amount)", &counter_inc}, {"withLabels(...)", &with_labels<Kind::Counter>}},
             destroy);
  lua_pop(L, 1);
  make_class(L, context, metatable_of(Kind::Gauge), "gauge:",
             {{"set(value)", &gauge_set},
              {"inc(amount)", &gauge_inc},
              {"dec(amount)", &gauge_dec},
              {"withLabels(...)", &with_labels<Kind::Gauge>}},
             destroy);
  lua_pop(L, 1);
  make_class(L, context, metatable_of(Kind::Histogram), "histogram:",
             {{"observe(value)", &histogram_observe}, {"withLabels(...)", &with_labels<Kind::Histogram>}},
             destroy);
  lua_pop(L, 1);
  push_subtable(L, "stats");
  add_functions(L, context, "stats.",
                {{"Counter(name, labels, options)", &outcome_function<define<Kind::Counter>>},
                 {"Gauge(name, labels, options)", &outcome_function<define<Kind::Gauge>>},
                 {"Histogram(name, labels, options)", &outcome_function<define<Kind::Histogram>>}});
  lua_pop(L, 1);
}

}  // namespace perilune::script
