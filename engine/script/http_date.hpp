#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace perilune::script {

/// Seconds since 1970 as "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7). None outside the years
/// 1970 to 9999 and for NaN.
std::optional<std::string> format_http_date(double seconds);
/// The reverse; the two obsolete forms of that section are understood too. None for anything else.
std::optional<double> parse_http_date(std::string_view text);

}  // namespace perilune::script
