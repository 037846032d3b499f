#pragma once

#include <span>
#include <string_view>

namespace perilune::script {

/// A file of `lua/`, put into the binary by embed.cmake.
struct EmbeddedFile {
  /// Without folder and extension.
  std::string_view name;
  std::string_view text;
};

/// Sorted by name.
std::span<const EmbeddedFile> embedded_files();

}  // namespace perilune::script
