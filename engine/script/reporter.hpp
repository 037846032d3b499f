#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.hpp"

namespace perilune::script {

/// Logs what scripts raise: for each place one traceback a second; how many were left out is said the next
/// time.
class Reporter {
 public:
  /// `message` begins with "file:line:" where it can; `traceback` has it at its head.
  void report(std::string_view message, std::string_view traceback, Instant now);

 private:
  struct Row {
    Instant last{};
    uint64_t left_out = 0;
  };
  std::unordered_map<std::string, Row> places_;
};

}  // namespace perilune::script
