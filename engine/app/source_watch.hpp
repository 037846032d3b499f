#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace perilune::app {

/// Waits for files to change, by inotify on their folders: so files that editors replace by renaming are
/// seen, and files that appear.
class SourceWatch {
 public:
  SourceWatch() = default;
  SourceWatch(const SourceWatch&) = delete;
  SourceWatch& operator=(const SourceWatch&) = delete;
  ~SourceWatch();

  /// What to look at from now on: files, and folders for every Lua file in them. What changed before this is
  /// not seen. Errors (Side::Engine): Resources, with the system's words.
  Result<void> watch(const std::vector<std::string>& paths);
  /// Waits until one has changed and nothing has for a short time after.
  void wait();

 private:
  bool is_watched(int folder, const std::string& name) const;
  bool read_changes();

  struct Folder {
    std::set<std::string> names = {};
    bool has_all = false;
  };
  int descriptor_ = -1;
  std::map<int, Folder> folders_;  // by inotify's number
};

}  // namespace perilune::app
