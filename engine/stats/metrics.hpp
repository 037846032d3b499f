#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/place.hpp"

namespace perilune::stats {

enum class Kind : uint8_t { Counter, Gauge, Histogram };
std::string_view kind_name(Kind kind);

/// What a metric is, as its definition says.
struct MetricSpec {
  /// [a-zA-Z_:][a-zA-Z0-9_:]*
  std::string name;
  std::string help;
  Kind kind = Kind::Counter;
  /// [a-zA-Z_][a-zA-Z0-9_]*, not beginning with "__"; "le" is the histograms' own.
  std::vector<std::string> labels;
  /// Of a histogram: upper bounds, ascending and finite; +Inf is implied.
  std::vector<double> bounds;
  /// Where the script defines it.
  Place place;
};

/// The numbers of one combination of label values. A histogram has `buckets` (not cumulated, the last is
/// +Inf) and in `value` the sum of what was observed.
struct Series {
  double value = 0;
  std::vector<uint64_t> buckets = {};
};

/// One metric of one worker.
class Metric {
 public:
  explicit Metric(MetricSpec its_spec, size_t& series_left);
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  const MetricSpec spec;
  /// The series of these label values, as many as there are labels; made when it is new. Values longer than
  /// limits::metric_label_bytes_max are cut. When no more series may be made it is that of the value
  /// "overflow" for each label, so that sums stay right.
  Series& with(std::span<const std::string_view> values);
  /// Adds to a histogram's series.
  void observe(Series& series, double value) const;
  /// Some values had no room.
  bool has_overflown() const { return has_overflown_; }
  /// Calls `visit(values, series)`, in the order of values.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const auto& [values, series] : series_) visit(values, *series);
  }

 private:
  Series& make(std::vector<std::string> values);

  size_t& series_left_;
  /// By value: what is printed is in order, and stays where it is.
  std::map<std::vector<std::string>, std::unique_ptr<Series>> series_;
  boost::unordered_flat_map<std::string, Series*> by_key_;
  std::string key_;
  bool has_overflown_ = false;
};

/// The metrics of a worker by name. At most limits::metrics_max, with limits::metric_series_max series in
/// all.
class Registry {
 public:
  /// The metric of that name; the same one when it is defined again alike. Errors (Side::Script):
  /// ScriptError, a sentence that quotes the offending name.
  Result<Metric*> define(MetricSpec spec);
  /// Calls `visit(metric)` in the order of names.
  template <typename Visit>
  void each(Visit&& visit) const {
    for (const auto& [name, metric] : metrics_) visit(*metric);
  }

 private:
  std::map<std::string, std::unique_ptr<Metric>, std::less<>> metrics_;
  size_t series_left_ = series_at_first();
  static size_t series_at_first();
};

}  // namespace perilune::stats
