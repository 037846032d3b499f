#include "http/head_scan.hpp"

#include <cstring>

namespace perilune::http {

HeadScan::Outcome HeadScan::advance(std::string_view text, const ScanLimits& limits) {
  for (;;) {
    const void* found = position_ < text.size()
                            ? std::memchr(text.data() + position_, '\n', text.size() - position_)
                            : nullptr;
    const size_t end =
        found ? static_cast<size_t>(static_cast<const char*>(found) - text.data()) : text.size();

    // By position and not by what came together: a limit is hit at the same byte in any cut.
    if (lines_ == 0 && end > limits.first_line_bytes_max + 1) return Outcome::FirstLineTooLong;
    if (end >= limits.bytes_max) return Outcome::TooLarge;
    position_ = static_cast<uint32_t>(end);
    if (!found) return Outcome::NeedMore;

    if (end == line_begin_ || text[end - 1] != '\r') return Outcome::BareLineFeed;
    const size_t line_size = end - 1 - line_begin_;
    ++position_;
    line_begin_ = position_;
    if (line_size == 0) return Outcome::Complete;
    if (++lines_ > limits.lines_max) return Outcome::TooManyLines;
    if (lines_ == 1) {
      first_line_size_ = static_cast<uint32_t>(line_size);
      return Outcome::FirstLine;
    }
  }
}

}  // namespace perilune::http
