#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "net/descriptor.hpp"

namespace perilune::app {

/// Tells when files change, however an editor does it: in place, by a new file under the old name, or by a
/// symbolic link that leads elsewhere. What stat(2) says of a file counts; inotify(7) on its folders, and on
/// those in which links to them lie, says when to look. It does not tell all (network file systems, links to
/// links): look now and then, too.
class FileWatch {
 public:
  /// How often to look without being told.
  static constexpr Duration look_interval = 2s;

  FileWatch();
  /// To poll for reading; -1 where there is no inotify.
  int descriptor() const { return inotify_.get(); }
  /// The files from now on. They need not exist. What is to be told of is a change from now, or, of a file
  /// that was followed already, from when it was last asked about.
  void follow(const std::vector<std::string>& paths);
  /// Reads what inotify has to say: something may have changed.
  void take_events();
  /// A file is not as it was when it was last asked, or followed.
  bool has_changed();
  /// The same question, and asking it again gives the same answer.
  bool differs() const;
  /// Waits until one has changed and nothing has for limits::watch_settle after; false when that takes longer
  /// than look_interval.
  bool wait_for_change();

 private:
  using Traits = std::vector<uint64_t>;
  static Traits traits_of(const std::string& path);
  void watch_folders_of(const std::string& path, std::set<int>& watches);

  net::Descriptor inotify_;
  std::map<std::string, Traits> files_;
  std::set<int> watches_;
};

}  // namespace perilune::app
