#include "app/source_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>

namespace perilune::app {
namespace {

namespace fs = std::filesystem;

// Editors write a file in several steps, and version control many files.
constexpr int settle_milliseconds = 100;

constexpr uint32_t changes = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

}  // namespace

SourceWatch::~SourceWatch() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> SourceWatch::watch(const std::vector<std::string>& paths) {
  if (descriptor_ >= 0) ::close(descriptor_);
  folders_.clear();
  descriptor_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const auto failure = [](const std::string& what) {
    return Error{ErrorCode::Resources, Side::Engine, what + ": " + std::strerror(errno)};
  };
  if (descriptor_ < 0) return failure("inotify");
  for (const std::string& path : paths) {
    std::error_code error;
    const bool is_folder = fs::is_directory(path, error);
    fs::path folder = is_folder ? fs::path(path) : fs::path(path).parent_path();
    if (folder.empty()) folder = ".";
    const int number = ::inotify_add_watch(descriptor_, folder.c_str(), changes);
    if (number < 0 && errno == ENOENT) continue;
    if (number < 0) return failure(folder.string());
    if (is_folder) folders_[number].has_all = true;
    else folders_[number].names.insert(fs::path(path).filename().string());
  }
  return {};
}

bool SourceWatch::is_watched(int folder, const std::string& name) const {
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return false;
  return found->second.names.contains(name) || (found->second.has_all && name.ends_with(".lua"));
}

bool SourceWatch::read_changes() {
  alignas(inotify_event) char room[16 * (sizeof(inotify_event) + NAME_MAX + 1)];
  bool has_changed = false;
  for (;;) {
    const ssize_t bytes = ::read(descriptor_, room, sizeof room);
    if (bytes <= 0) return has_changed;
    for (ssize_t at = 0; at < bytes;) {
      const auto* event = reinterpret_cast<const inotify_event*>(room + at);
      has_changed = has_changed || (event->len > 0 && is_watched(event->wd, event->name));
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
}

void SourceWatch::wait() {
  bool has_changed = false;
  for (;;) {
    pollfd waiting{descriptor_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, has_changed ? settle_milliseconds : -1);
    if (ready == 0) return;
    if (ready > 0 && read_changes()) has_changed = true;
  }
}

}  // namespace perilune::app
