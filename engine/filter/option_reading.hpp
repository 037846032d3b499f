#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"
#include "filter/registry.hpp"

namespace perilune::filter {

/// ScriptError (Side::Script): `option "retry": attempts …`.
inline Error wrong_option(std::string_view option, const std::string& sentence) {
  return {ErrorCode::ScriptError, Side::Script, "option " + in_quotes(option) + ": " + sentence};
}

/// Of a table of options within an option; Duration::max() for never.
inline Duration time_in(const Options& members, std::string_view name, Duration fallback) {
  return members.time(name, fallback);
}
/// The same for a count that the engine keeps in 32 bits.
inline uint32_t count_in(const Options& members, std::string_view name, uint32_t fallback) {
  return static_cast<uint32_t>(std::min<uint64_t>(members.count(name, fallback), UINT32_MAX));
}

/// `; did you mean "reset"?`, or nothing.
inline std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view near = nearest(word, known);
  return near.empty() ? std::string() : "; did you mean \"" + std::string(near) + "\"?";
}

}  // namespace perilune::filter
