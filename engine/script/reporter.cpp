#include "script/reporter.hpp"

#include "base/log.hpp"

namespace perilune::script {
namespace {

constexpr Duration interval = 1s;
constexpr size_t places_max =
    1024;  // a script has far fewer places that can raise; generated messages are bounded

// "proxy.lua:12" of "proxy.lua:12: attempt to …"; the whole text when there is no place.
std::string_view place_of(std::string_view message) {
  for (size_t i = message.find(':'); i != std::string_view::npos; i = message.find(':', i + 1)) {
    size_t end = i + 1;
    while (end < message.size() && message[end] >= '0' && message[end] <= '9') ++end;
    if (end > i + 1 && end < message.size() && message[end] == ':') return message.substr(0, end);
  }
  return message;
}

}  // namespace

void Reporter::report(std::string_view message, std::string_view traceback, Instant now) {
  std::string place(place_of(message));
  if (places_.size() >= places_max && !places_.contains(place)) places_.clear();
  const auto [entry, is_new] = places_.try_emplace(std::move(place));
  Row& row = entry->second;
  if (!is_new && now - row.last < interval) {
    ++row.left_out;
    return;
  }
  std::string text = "script: ";
  text.append(traceback);
  if (row.left_out > 0)
    text.append("\n(and ").append(std::to_string(row.left_out)).append(" more from there)");
  log::write_lines(log::Level::Error, text);
  row = {now, 0};
}

}  // namespace perilune::script
