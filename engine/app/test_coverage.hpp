#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace perilune::app {

/// The lines of scripts that ran while they were tested.
class TestCoverage {
 public:
  /// There is code on these lines of a file.
  void add_file(const std::string& file, std::span<const int> lines);
  void add_run(std::string_view file, int line);

  /// A line a file, such as `proxy.lua  12 of 14 lines, 85 %; missed 7, 20-21`, and one for all.
  std::string report() const;
  /// How often a line ran; -1 where there is no code.
  int runs(std::string_view file, int line) const;

 private:
  using Lines = std::map<int, int>;  // how often each ran
  std::map<std::string, Lines, std::less<>> files_;
};

}  // namespace perilune::app
