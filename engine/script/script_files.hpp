#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace perilune::script {

/// The files of one version of the scripts as they were when first read: all workers run the same, whatever
/// an editor does meanwhile. Any thread.
class ScriptFiles {
 public:
  /// As read_whole_file, once for each path; a later `bytes_max` holds for what is kept too.
  Result<std::string> read(const std::string& path, size_t bytes_max);
  /// A file that is on no disk.
  void put(const std::string& path, std::string content);
  /// What was asked for, in the order of their names, also what could not be read: that is for watching too.
  std::vector<std::string> paths() const;
  /// The names of globals in a file have been looked up, and all are there: the next who loads it need not.
  void note_checked(const std::string& path);
  bool is_checked(const std::string& path) const;
  /// All have loaded: what the files hold is let go, and who reads yet reads the disk.
  void close();

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Result<std::string>> files_;
  std::set<std::string> checked_;
  std::vector<std::string> closed_paths_;
  bool is_closed_ = false;
};

}  // namespace perilune::script
