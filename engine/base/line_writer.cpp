#include "base/line_writer.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/limits.hpp"
#include "base/log.hpp"

namespace perilune {
namespace {

constexpr Duration report_period = 10s;
constexpr Duration look_period = 1s;  // whether a file is still the one of its name

/// A thread of its own has no engine clock.
Instant now() { return Instant(std::chrono::steady_clock::now().time_since_epoch()); }

Error failure(const std::string& path, int code) {
  return {ErrorCode::Resources, Side::Engine, path + ": " + std::strerror(code)};
}

int open_file(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

}  // namespace

/// One destination. `waiting_` is filled by any thread, everything else belongs to the writer's.
class LineWriter::File final : public LineSink {
 public:
  File(std::string its_path, int its_fd, int wake) : path(std::move(its_path)), fd(its_fd), wake_(wake) {
    struct stat facts {};
    is_regular_ = ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (!path.empty()) ::close(fd);
  }

  void write(std::string_view lines) override {
    {
      const std::lock_guard lock(mutex_);
      if (queued_bytes_ + lines.size() > limits::line_bytes_max) {
        dropped_ += static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
        return;
      }
      waiting_.append(lines);
      queued_bytes_ += lines.size();
    }
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }

  /// Lines to be written are there.
  bool has_lines() {
    if (position_ < lines_.size()) return true;
    lines_.clear();
    position_ = 0;
    const std::lock_guard lock(mutex_);
    // The two change places: neither gives its memory up.
    std::swap(lines_, waiting_);
    return !lines_.empty();
  }

  /// Somebody may have renamed the file, to begin a new one.
  void follow_name() {
    if (!is_regular_ || path.empty()) return;
    next_look_ = now() + look_period;
    struct stat mine {};
    struct stat named {};
    if (::fstat(fd, &mine) != 0) return;
    if (::stat(path.c_str(), &named) == 0 && named.st_ino == mine.st_ino && named.st_dev == mine.st_dev)
      return;
    const int fresh = open_file(path);
    if (fresh < 0) return;  // the old one still takes lines
    ::close(fd);
    fd = fresh;
  }

  /// Writes a piece that a descriptor which polls writable takes at once.
  void write_piece() {
    if (now() >= next_look_) follow_name();
    std::string_view rest = std::string_view(lines_).substr(position_);
    if (!is_regular_ && rest.size() > PIPE_BUF) {
      const size_t end = rest.rfind('\n', PIPE_BUF - 1);
      rest = rest.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
    }
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written >= 0) {
      position_ += static_cast<size_t>(written);
      const std::lock_guard lock(mutex_);
      queued_bytes_ -= static_cast<size_t>(written);
      return;
    }
    if (errno == EINTR || errno == EAGAIN) return;
    error_ = errno;
    const auto lost = static_cast<uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
    position_ += rest.size();
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= rest.size();
    dropped_ += lost;
  }

  void report_dropped() {
    uint64_t dropped = 0;
    {
      const std::lock_guard lock(mutex_);
      dropped = std::exchange(dropped_, 0);
    }
    if (dropped == 0) return;
    std::string text = std::to_string(dropped) + " lines for " +
                       (path.empty() ? "the standard output" : path) + " were dropped: ";
    text += error_ != 0 ? std::strerror(error_) : "it does not take them fast enough";
    error_ = 0;
    log::warn(text);
  }

  const std::string path;
  int fd;

 private:
  const int wake_;
  bool is_regular_ = false;
  int error_ = 0;
  Instant next_look_{};
  std::string lines_;
  size_t position_ = 0;
  std::mutex mutex_;
  std::string waiting_;
  size_t queued_bytes_ = 0;  // of both
  uint64_t dropped_ = 0;
};

LineWriter::LineWriter(Duration patience)
    : patience_(patience), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { main(); }) {}

LineWriter::~LineWriter() {
  is_stopping_.store(true);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  thread_.join();
  ::close(wake_);
}

void LineWriter::reopen() {
  reopens_.store(true);
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
}

Result<LineSink*> LineWriter::open(const std::string& path) {
  const std::lock_guard lock(files_mutex_);
  for (const auto& file : files_)
    if (file->path == path) return static_cast<LineSink*>(file.get());
  const int fd = path.empty() ? STDOUT_FILENO : open_file(path);
  if (fd < 0) return failure(path, errno);
  files_.push_back(std::make_unique<File>(path, fd, wake_));
  return static_cast<LineSink*>(files_.back().get());
}

// Polls for the descriptors that have lines waiting, and for being woken. What polls writable takes a piece
// at once.
void LineWriter::main() {
  Instant deadline = Instant::max();
  std::vector<pollfd> polled;
  std::vector<File*> files;
  for (;;) {
    polled.assign(1, {wake_, POLLIN, 0});
    files.clear();
    {
      const std::lock_guard lock(files_mutex_);
      for (const auto& file : files_) {
        if (!file->has_lines()) continue;
        polled.push_back({file->fd, POLLOUT, 0});
        files.push_back(file.get());
      }
    }
    if (is_stopping_.load()) {
      if (deadline == Instant::max()) deadline = now() + patience_;
      if (files.empty() || now() >= deadline) break;
    }
    // Looks up now and then while lines wait: for the deadline, and to tell what was dropped.
    ::poll(polled.data(), polled.size(), files.empty() ? 10'000 : 100);
    uint64_t count = 0;
    if (polled[0].revents != 0) [[maybe_unused]]
      const ssize_t drained = ::read(wake_, &count, sizeof count);
    if (reopens_.exchange(false)) {
      const std::lock_guard lock(files_mutex_);
      for (const auto& file : files_) file->follow_name();
      continue;  // the descriptors are others now
    }
    for (size_t i = 0; i < files.size(); ++i)
      if (polled[i + 1].revents != 0) files[i]->write_piece();
    if (now() >= next_report_) report_dropped();
  }
  report_dropped();
}

void LineWriter::report_dropped() {
  next_report_ = now() + report_period;
  const std::lock_guard lock(files_mutex_);
  for (const auto& file : files_) file->report_dropped();
}

}  // namespace perilune
