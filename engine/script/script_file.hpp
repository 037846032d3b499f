#pragma once

#include <string>

#include "base/error.hpp"

namespace perilune::script {

/// The content of a regular file. Blocks until it is read. Errors (Side::Script) with "path: why" as detail:
/// it cannot be opened or read, it is not a regular file, it is larger than `bytes_max`.
Result<std::string> read_whole_file(const std::string& path, size_t bytes_max);
/// The last of these errors.
Error too_large(const std::string& path, size_t bytes_max);

}  // namespace perilune::script
