#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.hpp"

namespace perilune::algo {

/// Percentiles from a histogram with fixed buckets: constant memory, exact to the width of a bucket.
/// A bucket holds the values above the bound before it, up to and including its own. The first begins at 0,
/// or at its own bound when that is negative. A value above the last bound counts in the last bucket, so a
/// percentile is never larger than the last bound.
class Percentile {
 public:
  /// `bounds` must be finite and strictly ascending, at least one. Errors: ScriptError (Side::Script).
  static Result<Percentile> make(std::vector<double> bounds);

  /// NaN is not counted.
  void observe(double value);

  /// The value below which `percent` (0 to 100, held to that range) of the observations lie, linear within a
  /// bucket. None before the first observation.
  std::optional<double> calculate(double percent) const;

  void reset();
  uint64_t count() const { return count_; }

 private:
  explicit Percentile(std::vector<double> bounds);

  std::vector<double> bounds_;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
};

}  // namespace perilune::algo
