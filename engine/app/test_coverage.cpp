#include "app/test_coverage.hpp"

#include <algorithm>

namespace perilune::app {
namespace {

/// "7, 20-21": lines with code that did not run; what lies between two of them without code joins them.
std::string missed(const std::map<int, int>& lines) {
  std::string text;
  int first = 0, last = 0;
  const auto close = [&] {
    if (first == 0) return;
    text +=
        (text.empty() ? "" : ", ") + std::to_string(first) + (last > first ? "-" + std::to_string(last) : "");
    first = 0;
  };
  for (const auto& [line, runs] : lines) {
    if (runs > 0) {
      close();
      continue;
    }
    if (first == 0) first = line;
    last = line;
  }
  close();
  return text;
}

std::string share(size_t covered, size_t all) {
  const size_t percent = all == 0 ? 100 : 100 * covered / all;
  return std::to_string(covered) + " of " + std::to_string(all) + " lines, " + std::to_string(percent) + " %";
}

}  // namespace

void TestCoverage::add_file(const std::string& file, std::span<const int> lines) {
  for (const int line : lines) files_[file].try_emplace(line, 0);
}

void TestCoverage::add_run(std::string_view file, int line) {
  const auto found = files_.find(file);
  if (found == files_.end()) return;
  if (const auto there = found->second.find(line); there != found->second.end()) ++there->second;
}

int TestCoverage::runs(std::string_view file, int line) const {
  const auto found = files_.find(file);
  if (found == files_.end()) return -1;
  const auto there = found->second.find(line);
  return there == found->second.end() ? -1 : there->second;
}

std::string TestCoverage::report() const {
  size_t width = 3, covered_in_all = 0, lines_in_all = 0;
  for (const auto& [file, lines] : files_) width = std::max(width, file.size());
  std::string text;
  const auto add = [&](const std::string& name, const std::string& what) {
    text.append(name).append(width - name.size() + 2, ' ').append(what).append("\n");
  };
  for (const auto& [file, lines] : files_) {
    const auto covered =
        static_cast<size_t>(std::ranges::count_if(lines, [](const auto& line) { return line.second > 0; }));
    covered_in_all += covered;
    lines_in_all += lines.size();
    const std::string gaps = missed(lines);
    add(file, share(covered, lines.size()) + (gaps.empty() ? "" : "; missed " + gaps));
  }
  add("all", share(covered_in_all, lines_in_all));
  return text;
}

}  // namespace perilune::app
