#include "http/section.hpp"

#include <algorithm>

namespace perilune::http {

HeadScan::Outcome Section::advance(Input& input, const ScanLimits& limits) {
  using Outcome = HeadScan::Outcome;
  if (!copy_) {
    if (!input.refill()) return Outcome::NeedMore;
    const Outcome outcome = scan_.advance(input.front().view(), limits);
    if (outcome != Outcome::NeedMore) return outcome;
    copy_ = std::make_unique<std::string>(input.front().view());
    input.drop(copy_->size());
  }
  for (;;) {
    const Outcome outcome = scan_.advance(*copy_, limits);
    if (outcome != Outcome::NeedMore) return outcome;
    if (!input.refill()) return Outcome::NeedMore;
    // One line at a time: so the copy never holds what is behind the section.
    const std::string_view available = input.front().view();
    const std::string_view piece =
        available.substr(0, std::min(available.find('\n'), available.size() - 1) + 1);
    copy_->append(piece);
    input.drop(piece.size());
  }
}

void Section::done(Input& input) {
  if (copy_) copy_.reset();
  else input.drop(scan_.size());
  scan_ = {};
}

}  // namespace perilune::http
