#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "stats/metrics.hpp"

namespace perilune::stats {

/// The numbers of one or more workers at one moment, as plain values: taken by the worker that owns them,
/// handed over, and added up by whoever reads.
class Snapshot {
 public:
  /// Adds what a worker counted. Everything is summed, gauges too: each worker has its own share. Where
  /// workers differ in kind, labels or buckets (an older script still runs), the first counts.
  void add(const Registry& registry);
  void add(const Snapshot& other);
  /// Adds to one number of the engine's own; `labels` as in MetricSpec, with their values.
  void add(MetricSpec spec, std::vector<std::string> values, double value);
  /// The same for a histogram: as many buckets as bounds, and one for what is beyond.
  void add(MetricSpec spec, std::vector<std::string> values, const Series& series);
  /// The text exposition format of Prometheus, version 0.0.4: names in byte order, HELP where there is one,
  /// TYPE, and a line for each series. Values that are no UTF-8 are printed as if they were Latin-1.
  std::string text() const;

  bool operator==(const Snapshot&) const = default;

 private:
  struct Family {
    Kind kind = Kind::Counter;
    std::string help;
    std::vector<std::string> labels;
    std::vector<double> bounds;
    std::map<std::vector<std::string>, Series> series;
    bool operator==(const Family&) const = default;
  };
  Family* family_of(const std::string& name, const Family& like);

  std::map<std::string, Family> families_;
};

}  // namespace perilune::stats
