#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace perilune {

/// Takes whole lines. Never waits: what cannot be taken is dropped and counted.
class LineSink {
 public:
  virtual void write(std::string_view lines) = 0;

 protected:
  ~LineSink() = default;
};

/// Where lines may go.
class LineOutputs {
 public:
  /// The same sink each time for the same path; an empty path is the standard output. Sinks live as long as
  /// this does. Errors (Side::Engine): Resources, with the system's words.
  virtual Result<LineSink*> open(const std::string& path) = 0;

 protected:
  ~LineOutputs() = default;
};

/// Writes lines to files and the standard output from a thread of its own, so that a slow disk or a reader
/// that stopped reading holds nobody up. Any thread may call open and write. Of each file
/// limits::line_bytes_max wait at most; what was dropped is told in the log, every 10 s. A file that was
/// renamed or removed is made anew within a second.
class LineWriter final : public LineOutputs {
 public:
  /// At its end it writes what waits, for `patience` at most.
  explicit LineWriter(Duration patience = 1s);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  Result<LineSink*> open(const std::string& path) override;
  /// Has every file that is no more the one of its name opened, or made, anew: now, not with its next lines.
  void reopen();

 private:
  class File;
  void main();
  void report_dropped();

  const Duration patience_;
  std::mutex files_mutex_;
  std::vector<std::unique_ptr<File>> files_;
  int wake_ = -1;  // an eventfd
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> reopens_{false};
  Instant next_report_{};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace perilune
