#include "filter/sticky_cookie.hpp"

#include <charconv>

namespace perilune::filter {
namespace {

constexpr size_t digits_max = 16;

}  // namespace

std::optional<uint64_t> sticky_endpoint(const message::Headers& request, std::string_view cookie) {
  std::optional<uint64_t> identity;
  request.each_of(message::Name::Cookie, [&](std::string_view field) {
    while (!field.empty() && !identity) {
      const size_t end = field.find(';');
      std::string_view pair = field.substr(0, end);
      field = end == std::string_view::npos ? std::string_view() : field.substr(end + 1);
      while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
      if (!pair.starts_with(cookie) || pair.size() <= cookie.size() || pair[cookie.size()] != '=') continue;
      const std::string_view value = pair.substr(cookie.size() + 1);
      uint64_t number = 0;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number, 16);
      if (value.size() == digits_max && parsed.ec == std::errc() && parsed.ptr == value.data() + value.size())
        identity = number;
    }
  });
  return identity;
}

std::string sticky_cookie(const upstream::StickyOptions& options, uint64_t identity) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = options.cookie + "=";
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[identity >> shift & 15];
  text += "; Path=" + options.path;
  if (options.max_age)
    text += "; Max-Age=" +
            std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*options.max_age).count());
  return text + "; HttpOnly; SameSite=Lax";
}

}  // namespace perilune::filter
