#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/head_scan.hpp"
#include "http/input.hpp"

namespace perilune::http {

/// Reads a section of lines (a head, a trailer section) from the input: in place when it lies in one slice,
/// else from a copy of what has come, so that a slow sender pins its own few bytes and not the chunks they
/// came in.
class Section {
 public:
  /// Goes on; outcomes as HeadScan has them. The copy is at most one slice over limits.bytes_max.
  HeadScan::Outcome advance(Input& input, const ScanLimits& limits);
  /// What was scanned. Valid until the next call of advance() or done().
  std::string_view text(const Input& input) const {
    return copy_ ? std::string_view(*copy_) : input.front().view();
  }
  /// Text that advance() gave out before is not where it was.
  bool is_copy() const { return copy_ != nullptr; }
  size_t first_line_size() const { return scan_.first_line_size(); }
  size_t size() const { return scan_.size(); }

  /// Some of it has come and the end has not.
  bool is_begun() const { return copy_ != nullptr; }
  size_t copied_bytes() const { return copy_ ? copy_->size() : 0; }
  /// Drops a complete section from the input and begins anew.
  void done(Input& input);

 private:
  std::unique_ptr<std::string> copy_;
  HeadScan scan_;
};

}  // namespace perilune::http
