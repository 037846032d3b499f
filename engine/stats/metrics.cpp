#include "stats/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace perilune::stats {
namespace {

constexpr std::string_view overflow = "overflow";
constexpr std::string_view own_prefix = "perilune_";
constexpr std::array<std::string_view, 3> histogram_suffixes{"_bucket", "_sum", "_count"};

Error wrong(std::string sentence) { return {ErrorCode::ScriptError, Side::Script, std::move(sentence)}; }

bool is_name(std::string_view name, bool allows_colon) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (allows_colon && c == ':');
  });
}

Result<void> check_labels(const MetricSpec& spec) {
  for (size_t i = 0; i < spec.labels.size(); ++i) {
    const std::string& label = spec.labels[i];
    if (!is_name(label, false) || label.starts_with("__"))
      return wrong(in_quotes(label) +
                   " is no name of a label: letters, digits and _, not beginning with a digit or __");
    if (spec.kind == Kind::Histogram && label == "le")
      return wrong("the label \"le\" is the histogram's own");
    if (std::find(spec.labels.begin(), spec.labels.begin() + static_cast<ptrdiff_t>(i), label) !=
        spec.labels.begin() + static_cast<ptrdiff_t>(i))
      return wrong("the label " + in_quotes(label) + " is there twice");
  }
  if (spec.labels.size() > limits::metric_labels_max)
    return wrong("at most " + std::to_string(limits::metric_labels_max) + " labels, got " +
                 std::to_string(spec.labels.size()));
  return {};
}

Result<void> check_bounds(const MetricSpec& spec) {
  if (spec.kind != Kind::Histogram) return {};
  if (spec.bounds.empty() || spec.bounds.size() > limits::metric_buckets_max)
    return wrong("buckets are 1 to " + std::to_string(limits::metric_buckets_max) + " upper bounds");
  for (size_t i = 0; i < spec.bounds.size(); ++i)
    if (!std::isfinite(spec.bounds[i]) || (i > 0 && spec.bounds[i] <= spec.bounds[i - 1]))
      return wrong("buckets are finite upper bounds in ascending order; number " + std::to_string(i + 1) +
                   " is not");
  return {};
}

Result<void> check(const MetricSpec& spec) {
  if (!is_name(spec.name, true))
    return wrong(in_quotes(spec.name) +
                 " is no name of a metric: letters, digits, _ and :, not beginning with a digit");
  if (spec.name.starts_with(own_prefix))
    return wrong("names that begin with \"perilune_\" are the engine's own, got " + in_quotes(spec.name));
  if (auto labels = check_labels(spec); !labels) return labels;
  return check_bounds(spec);
}

std::string at(const Place& place) { return place.file.empty() ? "" : " at " + place.to_string(); }

}  // namespace

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::Counter: return "counter";
    case Kind::Gauge: return "gauge";
    case Kind::Histogram: return "histogram";
  }
  return {};
}

Metric::Metric(MetricSpec its_spec, size_t& series_left)
    : spec(std::move(its_spec)), series_left_(series_left) {
  // One without labels is there from the beginning, at 0.
  if (spec.labels.empty()) make({});
}

Series& Metric::make(std::vector<std::string> values) {
  auto series = std::make_unique<Series>();
  if (spec.kind == Kind::Histogram) series->buckets.resize(spec.bounds.size() + 1);
  return *series_.emplace(std::move(values), std::move(series)).first->second;
}

Series& Metric::with(std::span<const std::string_view> values) {
  key_.clear();
  for (const std::string_view value : values) {
    const std::string_view kept = value.substr(0, limits::metric_label_bytes_max);
    // Each with its length in front: no value can look like two.
    key_ += static_cast<char>(kept.size() & 0xff);
    key_ += static_cast<char>(kept.size() >> 8);
    key_ += kept;
  }
  if (const auto known = by_key_.find(key_); known != by_key_.end()) return *known->second;
  std::vector<std::string> texts;
  for (const std::string_view value : values)
    texts.push_back(as_utf8(value.substr(0, limits::metric_label_bytes_max)));  // as they are shown
  if (const auto known = series_.find(texts); known != series_.end()) {
    by_key_.emplace(key_, known->second.get());
    return *known->second;
  }
  if (series_left_ == 0 && !texts.empty()) {
    has_overflown_ = true;
    const std::vector<std::string> all(texts.size(), std::string(overflow));
    const auto known = series_.find(all);
    return known != series_.end() ? *known->second : make(all);
  }
  if (!texts.empty()) --series_left_;
  Series& made = make(std::move(texts));
  by_key_.emplace(key_, &made);
  return made;
}

void Metric::observe(Series& series, double value) const {
  const auto bucket = std::lower_bound(spec.bounds.begin(), spec.bounds.end(), value) - spec.bounds.begin();
  ++series.buckets[static_cast<size_t>(bucket)];
  series.value += value;
}

size_t Registry::series_at_first() { return limits::metric_series_max; }

Result<Metric*> Registry::define(MetricSpec spec) {
  if (auto checked = check(spec); !checked) return checked.error();
  if (const auto known = metrics_.find(spec.name); known != metrics_.end()) {
    Metric& metric = *known->second;
    if (metric.spec.kind != spec.kind || metric.spec.labels != spec.labels ||
        metric.spec.bounds != spec.bounds)
      return wrong(in_quotes(spec.name) + " is defined otherwise" + at(metric.spec.place) +
                   ": kind, labels and buckets must be the same");
    return &metric;
  }
  // What a histogram prints must not be what another metric prints.
  for (const std::string_view suffix : histogram_suffixes) {
    if (spec.kind == Kind::Histogram)
      if (const auto other = metrics_.find(spec.name + std::string(suffix)); other != metrics_.end())
        return wrong(in_quotes(other->first) + at(other->second->spec.place) +
                     " is in the way of the histogram " + in_quotes(spec.name));
    if (!spec.name.ends_with(suffix)) continue;
    const auto other = metrics_.find(std::string_view(spec.name).substr(0, spec.name.size() - suffix.size()));
    if (other != metrics_.end() && other->second->spec.kind == Kind::Histogram)
      return wrong(in_quotes(spec.name) + " is a part of the histogram " + in_quotes(other->first) +
                   at(other->second->spec.place));
  }
  if (metrics_.size() >= limits::metrics_max)
    return wrong("there are " + std::to_string(limits::metrics_max) + " metrics already");
  std::string name = spec.name;
  auto metric = std::make_unique<Metric>(std::move(spec), series_left_);
  return metrics_.emplace(std::move(name), std::move(metric)).first->second.get();
}

}  // namespace perilune::stats
