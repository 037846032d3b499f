#pragma once

#include <cstdint>
#include <string_view>

namespace perilune::http {

/// "Sun, 06 Nov 1994 08:49:37 GMT"
struct DateText {
  char text[29];
  std::string_view view() const { return {text, sizeof text}; }
};

/// An IMF-fixdate (RFC 9110 section 5.6.7) of seconds since 1970-01-01 UTC; the years 0 to 9999 only, moments
/// outside become the nearest of them.
DateText format_date(int64_t unix_seconds);

}  // namespace perilune::http
