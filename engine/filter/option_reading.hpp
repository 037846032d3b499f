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

/// What a list has (Accepts::MixedList), or the one that stands for it.
inline std::vector<Value> items_of(const Argument& given) {
  return given.value.is_nil() ? given.list : std::vector<Value>{given.value};
}

/// Two times, of which the first is never reached when it is the longer one: refused where a script says
/// both. Errors: wrong_option of the first.
inline Result<void> check_within(const Options& options, std::string_view inner, std::string_view outer) {
  const Argument* one = options.find(inner);
  const Argument* other = options.find(outer);
  if (!one || !other || !one->value.number() || !other->value.number()) return {};
  if (*one->value.number() <= *other->value.number() || from_option(one->value) == Duration::max()) return {};
  return wrong_option(inner, "it never comes to that: it is longer than " + std::string(outer));
}
/// The times of one request: each try is a part of it, and so is the wait for a connection.
inline Result<void> check_times(const Options& options) {
  for (const auto& [inner, outer] : {std::pair{"tryTimeout", "timeout"},
                                     {"queueTimeout", "timeout"},
                                     {"connectTimeout", "tryTimeout"},
                                     {"connectTimeout", "timeout"}})
    if (auto checked = check_within(options, inner, outer); !checked) return checked;
  return {};
}

/// `; did you mean "reset"?`, or nothing.
inline std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view near = nearest(word, known);
  return near.empty() ? std::string() : "; did you mean \"" + std::string(near) + "\"?";
}

}  // namespace perilune::filter
