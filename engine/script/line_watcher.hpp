#pragma once

#include <span>
#include <string>
#include <string_view>

namespace perilune::script {

/// Watches a script run, line by line.
class LineWatcher {
 public:
  /// A file was read; there is code on these lines, in order.
  virtual void on_file(const std::string& file, std::span<const int> lines) = 0;
  /// A line is about to run.
  virtual void on_line(std::string_view file, int line) = 0;
  /// Asked after every so many instructions: a sentence ends what runs with that as its error; null lets it
  /// go on.
  virtual const char* why_stop() = 0;
  /// on_file and on_line are wanted, not only why_stop.
  virtual bool wants_lines() const = 0;

 protected:
  ~LineWatcher() = default;
};

}  // namespace perilune::script
