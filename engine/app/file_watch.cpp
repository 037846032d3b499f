#include "app/file_watch.hpp"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>

namespace perilune::app {

FileWatch::FileWatch() : inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FileWatch::Traits FileWatch::traits_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size), static_cast<uint64_t>(status.st_mtim.tv_sec),
          static_cast<uint64_t>(status.st_mtim.tv_nsec)};
}

void FileWatch::follow(const std::vector<std::string>& paths) {
  std::set<std::string> wanted;
  files_.clear();
  for (const std::string& path : paths) {
    files_.emplace(path, traits_of(path));
    const auto folder = std::filesystem::path(path).parent_path();
    wanted.insert(folder.empty() ? "." : folder.string());
  }
  if (!is_open()) return;
  std::erase_if(folders_, [&](const auto& folder) {
    if (wanted.contains(folder.first)) return false;
    inotify_rm_watch(inotify_.get(), folder.second);
    return true;
  });
  for (const std::string& folder : wanted) {
    if (folders_.contains(folder)) continue;
    const int watch = inotify_add_watch(inotify_.get(), folder.c_str(),
                                        IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY);
    if (watch >= 0) folders_.emplace(folder, watch);
  }
}

void FileWatch::take_events() {
  char events[4096];
  while (::read(inotify_.get(), events, sizeof events) > 0) {
  }
}

bool FileWatch::has_changed() {
  bool has_changed = false;
  for (auto& [path, traits] : files_) {
    Traits now = traits_of(path);
    if (now == traits) continue;
    traits = std::move(now);
    has_changed = true;
  }
  return has_changed;
}

}  // namespace perilune::app
