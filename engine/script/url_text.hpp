#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace perilune::script {

/// Whether "+" means a space: in queries it does (WHATWG form encoding), elsewhere it does not.
enum class Plus : uint8_t { Kept, IsSpace };

/// Decodes %XX. A "%" without two hex digits behind it stays as it is. The result is a view of `text` when
/// there was nothing to decode, else of `scratch`.
std::string_view percent_decode(std::string_view text, std::string& scratch, Plus plus);
/// True when every "%" is followed by two hex digits.
bool is_well_encoded(std::string_view text);
/// Appends `text` to `result` with %XX (upper case) for every byte that `keeps` refuses.
void percent_encode(std::string_view text, bool (*keeps)(char), std::string& result);
/// A letter, digit or one of "-._~" (RFC 3986 section 2.3).
bool is_unreserved(char c);

/// Calls `visit(name, value)` for the parameters of a query, still encoded, at most `count_max`; empty ones
/// are left out.
template <typename Visit>
void each_parameter(std::string_view query, size_t count_max, Visit&& visit) {
  while (!query.empty() && count_max > 0) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    visit(pair.substr(0, equals),
          equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    --count_max;
  }
}

}  // namespace perilune::script
