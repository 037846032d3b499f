#pragma once

#include <string>

namespace perilune {

/// Where something stands in a script: for error messages.
struct Place {
  std::string file;
  int line = 0;

  std::string to_string() const { return file.empty() ? "?" : file + ":" + std::to_string(line); }
};

}  // namespace perilune
