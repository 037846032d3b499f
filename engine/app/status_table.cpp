#include "app/status_table.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>
#include <cstdio>
#include <ctime>
#include <vector>

namespace perilune::app {
namespace {

using boost::json::object;
using boost::json::value;

using Row = std::vector<std::string>;

/// 90061 as "1d 1h": the two largest units.
std::string age_of(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  const std::pair<int64_t, const char*> units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
  std::string text;
  int64_t left = whole;
  for (const auto& [size, name] : units) {
    if (text.empty() && left < size && size > 1) continue;
    text += (text.empty() ? "" : " ") + std::to_string(left / size) + " " + name;
    left %= size;
    if (text.find(' ', text.find(' ') + 1) != std::string::npos) break;
  }
  return text;
}

std::string size_of(uint64_t bytes) {
  char text[32];
  if (bytes < 1024 * 1024) std::snprintf(text, sizeof text, "%.1f KiB", static_cast<double>(bytes) / 1024);
  else std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / 1024 / 1024);
  return text;
}

std::string time_of(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  std::tm parts{};
  char text[32];
  gmtime_r(&whole, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &parts);
  return text;
}

/// Columns as wide as their widest cell; the first one to the left, numbers to the right.
std::string table_of(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      text += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    while (text.back() == ' ') text.pop_back();
    text += '\n';
  }
  return text;
}

std::string number(const object& members, const char* name) {
  const value* found = members.if_contains(name);
  return found ? std::to_string(found->to_number<uint64_t>()) : "";
}

std::string workers_table(const object& status) {
  std::vector<Row> rows{{"worker", "sessions", "old versions", "Lua", "slow turns", ""}};
  for (const value& each : status.at("workers").as_array()) {
    const object& worker = each.as_object();
    const bool is_silent = worker.at("silent").as_bool();
    const double busy = worker.at("busySeconds").to_number<double>();
    char note[64] = "";
    if (is_silent) std::snprintf(note, sizeof note, "silent, busy for %.1f s", busy);
    rows.push_back({number(worker, "worker"), number(worker, "sessions"), number(worker, "oldVersions"),
                    is_silent ? "" : size_of(worker.at("luaBytes").to_number<uint64_t>()),
                    number(worker, "slowTurns"), note});
  }
  return table_of(rows);
}

std::string listeners_table(const object& status) {
  std::vector<Row> rows{{"listener", "open", "accepted", "refused"}};
  for (const value& each : status.at("listeners").as_array()) {
    const object& listener = each.as_object();
    rows.push_back({boost::json::value_to<std::string>(listener.at("address")), number(listener, "open"),
                    number(listener, "accepted"), number(listener, "refused")});
  }
  if (rows.size() > 1) return table_of(rows);
  const auto is_silent = [](const value& worker) { return worker.as_object().at("silent").as_bool(); };
  const auto& workers = status.at("workers").as_array();
  return std::ranges::any_of(workers, is_silent)
             ? "listeners are not known: the worker that tells them is silent\n"
             : "no listener\n";
}

std::string reload_lines(const object& status) {
  const object& reloads = status.at("reloads").as_object();
  std::string text =
      "reloads    " + number(reloads, "ok") + " done, " + number(reloads, "failed") + " failed\n";
  if (status.at("lastReload").is_null()) return text;
  const object& last = status.at("lastReload").as_object();
  text += "the last   " + time_of(last.at("at").to_number<double>());
  if (last.at("ok").as_bool()) return text + ", version " + number(last, "version") + "\n";
  return text + " failed: " + boost::json::value_to<std::string>(last.at("error")) + "\n";
}

std::string whole_table(const object& status) {
  std::string files;
  for (const value& file : status.at("files").as_array())
    files += (files.empty() ? "" : " ") + boost::json::value_to<std::string>(file);
  std::string text = boost::json::value_to<std::string>(status.at("program")) + ", process " +
                     number(status, "pid") + ", " + boost::json::value_to<std::string>(status.at("state")) +
                     " for " + age_of(status.at("uptimeSeconds").to_number<double>()) + "\n";
  text += "scripts    " + files + ", version " + number(status, "version") + "\n";
  return text + reload_lines(status) + "\n" + workers_table(status) + "\n" + listeners_table(status);
}

}  // namespace

std::string status_table(const std::string& json) {
  try {
    return whole_table(boost::json::parse(json).as_object());
  } catch (const std::exception&) {  // not JSON, or something is missing or another kind of thing
    return {};
  }
}

}  // namespace perilune::app
