#include "script/http_date.hpp"

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "base/text.hpp"

namespace perilune::script {
namespace {

constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr double latest = 253402300799;  // the last second of 9999

struct Parts {
  int year = 0;
  char month[4] = {};
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

std::optional<double> seconds_of(const Parts& parts) {
  unsigned month = 0;
  while (month < months.size() && std::string_view(parts.month) != months[month]) ++month;
  const std::chrono::year_month_day date(std::chrono::year(parts.year), std::chrono::month(month + 1),
                                         std::chrono::day(static_cast<unsigned>(parts.day)));
  // 60 is a leap second; it is told as the first second of the next minute.
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  if (parts.hour < 0 || parts.minute < 0 || parts.second < 0) return std::nullopt;
  const auto day = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<double>(day) * 86400 + parts.hour * 3600 + parts.minute * 60 + parts.second;
}

}  // namespace

std::optional<std::string> format_http_date(double seconds) {
  if (!(seconds >= 0) || seconds > latest) return std::nullopt;
  const auto whole = static_cast<int64_t>(seconds);
  const std::chrono::sys_days day{std::chrono::days(whole / 86400)};
  const std::chrono::year_month_day date(day);
  const auto rest = static_cast<int>(whole % 86400);
  char text[40];
  std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                days[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()), rest / 3600,
                rest / 60 % 60, rest % 60);
  return text;
}

std::optional<double> parse_http_date(std::string_view given) {
  const std::string text(given.substr(0, 64));
  Parts parts;
  int end = 0;
  const auto whole = [&] { return end > 0 && static_cast<size_t>(end) == given.size(); };
  if (std::sscanf(text.c_str(), "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &parts.day, parts.month,
                  &parts.year, &parts.hour, &parts.minute, &parts.second, &end) == 6 &&
      whole()) {
    return seconds_of(parts);
  }
  end = 0;
  if (std::sscanf(text.c_str(), "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &parts.day, parts.month,
                  &parts.year, &parts.hour, &parts.minute, &parts.second, &end) == 6 &&
      whole()) {
    parts.year += parts.year < 70 ? 2000 : 1900;
    return seconds_of(parts);
  }
  end = 0;
  if (std::sscanf(text.c_str(), "%*3[A-Za-z] %3s %2d %2d:%2d:%2d %4d%n", parts.month, &parts.day, &parts.hour,
                  &parts.minute, &parts.second, &parts.year, &end) == 6 &&
      whole()) {
    return seconds_of(parts);
  }
  return std::nullopt;
}

}  // namespace perilune::script
