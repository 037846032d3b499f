#include "app/file_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/limits.hpp"

namespace perilune::app {

FileWatch::FileWatch() : inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {}

FileWatch::Traits FileWatch::traits_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
          static_cast<uint64_t>(status.st_mtim.tv_sec), static_cast<uint64_t>(status.st_mtim.tv_nsec)};
}

void FileWatch::follow(const std::vector<std::string>& paths) {
  const auto known = std::exchange(files_, {});
  // Always anew: a folder of the same name may be another one by now. For one that is watched the system
  // gives the same number again.
  std::set<int> watches;
  for (const std::string& path : paths) {
    const auto before = known.find(path);
    files_.emplace(path, before != known.end() ? before->second : traits_of(path));
    if (inotify_.is_open()) watch_folders_of(path, watches);
  }
  for (const int watch : watches_)
    if (!watches.contains(watch)) inotify_rm_watch(inotify_.get(), watch);
  watches_ = std::move(watches);
}

void FileWatch::watch_folders_of(const std::string& path, std::set<int>& watches) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const auto add = [&](const fs::path& folder) {
    const int watch =
        inotify_add_watch(inotify_.get(), folder.empty() ? "." : folder.c_str(),
                          IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY);
    if (watch >= 0) watches.insert(watch);
  };
  fs::path way(path);
  add(way.parent_path());
  add(fs::weakly_canonical(way, ignored).parent_path());
  for (; way.has_relative_path(); way = way.parent_path())
    if (fs::is_symlink(way, ignored)) add(way.parent_path());
}

void FileWatch::take_events() {
  char events[4096];
  while (::read(inotify_.get(), events, sizeof events) > 0) {
  }
}

bool FileWatch::differs() const {
  return std::ranges::any_of(files_, [](const auto& file) { return traits_of(file.first) != file.second; });
}

bool FileWatch::has_changed() {
  const bool result = differs();
  for (auto& [path, traits] : files_) traits = traits_of(path);
  return result;
}

bool FileWatch::wait_for_change() {
  const auto wait = [this](Duration time) {
    pollfd input{inotify_.get(), POLLIN, 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(time);
    const bool is_told = ::poll(&input, 1, static_cast<int>(milliseconds.count())) > 0;
    take_events();
    return is_told;
  };
  // What is told of may be another file of the folder.
  const auto ends_at = std::chrono::steady_clock::now() + look_interval;
  while (!differs())
    if (!wait(std::max<Duration>(ends_at - std::chrono::steady_clock::now(), 0s))) break;
  if (!has_changed()) return false;
  do wait(limits::watch_settle);
  while (has_changed());
  return true;
}

}  // namespace perilune::app
