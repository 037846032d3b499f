#include <algorithm>
#include <filesystem>
#include <set>

#include "app/test_command.hpp"

namespace perilune::app {
namespace {

namespace fs = std::filesystem;

bool is_test(const fs::path& path) {
  const std::string name = path.filename().string();
  return name == "test.lua" || name.ends_with("_test.lua");
}

}  // namespace

Result<std::vector<std::string>> find_tests(const std::vector<std::string>& paths) {
  std::set<std::string> files;
  for (const std::string& given : paths) {
    std::error_code error;
    if (fs::is_regular_file(given, error)) {
      files.insert(fs::path(given).lexically_normal().string());
      continue;
    }
    if (!fs::is_directory(given, error))
      return Error{ErrorCode::ScriptError, Side::Script, given + ": there is no such file or folder"};
    // What cannot be read is left out; links are not followed, so that the walk ends.
    constexpr auto careful = fs::directory_options::skip_permission_denied;
    for (auto entry = fs::recursive_directory_iterator(given, careful, error);
         !error && entry != fs::end(entry); entry.increment(error)) {
      std::error_code ignored;
      const bool is_hidden = entry->path().filename().string().starts_with('.');
      if (entry->is_directory(ignored) && is_hidden) entry.disable_recursion_pending();
      else if (!is_hidden && entry->is_regular_file(ignored) && is_test(entry->path()))
        files.insert(entry->path().lexically_normal().string());
    }
  }
  return std::vector<std::string>(files.begin(), files.end());
}

}  // namespace perilune::app
