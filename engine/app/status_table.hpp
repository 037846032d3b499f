#pragma once

#include <string>

namespace perilune::app {

/// The JSON of `/status` for people: some lines, and a table of the workers. Empty when it is not such JSON.
std::string status_table(const std::string& json);

}  // namespace perilune::app
