#include "http/date.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace perilune::http {
namespace {

constexpr char day_names[] = "SunMonTueWedThuFriSat";
constexpr char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

constexpr int64_t first_second = -62167219200;  // 0000-01-01 00:00:00
constexpr int64_t last_second = 253402300799;   // 9999-12-31 23:59:59

void put_two_digits(char* at, unsigned number) {
  at[0] = static_cast<char>('0' + number / 10 % 10);
  at[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

DateText format_date(int64_t unix_seconds) {
  using namespace std::chrono;
  const sys_seconds moment{seconds(std::clamp(unix_seconds, first_second, last_second))};
  const sys_days day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss time(moment - day);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  DateText date_text;
  char* const text = date_text.text;
  std::memcpy(text, "Sun, 00 Jan 0000 00:00:00 GMT", sizeof date_text.text);
  std::memcpy(text, day_names + weekday(day).c_encoding() * 3, 3);
  put_two_digits(text + 5, static_cast<unsigned>(date.day()));
  std::memcpy(text + 8, month_names + (static_cast<unsigned>(date.month()) - 1) * 3, 3);
  put_two_digits(text + 12, year / 100);
  put_two_digits(text + 14, year % 100);
  put_two_digits(text + 17, static_cast<unsigned>(time.hours().count()));
  put_two_digits(text + 20, static_cast<unsigned>(time.minutes().count()));
  put_two_digits(text + 23, static_cast<unsigned>(time.seconds().count()));
  return date_text;
}

}  // namespace perilune::http
