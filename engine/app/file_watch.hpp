#pragma once

#include <map>
#include <string>
#include <vector>

#include "net/descriptor.hpp"

namespace perilune::app {

/// Tells when files change, however an editor does it: in place, by a new file under the old name, or by a symbolic link
/// that leads elsewhere. inotify(7) on their folders says when to look, and what stat(2) says of a file is what counts.
class FileWatch {
 public:
  /// Without inotify it never tells anything; `is_open` says so.
  FileWatch();
  bool is_open() const { return inotify_.is_open(); }
  /// To poll for reading.
  int descriptor() const { return inotify_.get(); }
  /// The files from now on, as they are now. They need not exist.
  void follow(const std::vector<std::string>& paths);
  /// Reads what inotify has to say: something may have changed.
  void take_events();
  /// A file is not as it was when it was last asked, or followed.
  bool has_changed();

 private:
  using Traits = std::vector<uint64_t>;
  static Traits traits_of(const std::string& path);

  net::Descriptor inotify_;
  std::map<std::string, Traits> files_;
  std::map<std::string, int> folders_;
};

}  // namespace perilune::app
