#include "base/log.hpp"

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace perilune::log {
namespace {

constexpr std::array<std::string_view, 5> names{"debug", "info", "warn", "error", "off"};

std::atomic<Level> current_level{Level::Info};

/// Writes to stderr where that does not wait. A pipe that polls writable takes PIPE_BUF bytes at once.
class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void set_capture(std::function<void(std::string_view)> take) {
    const std::lock_guard lock(mutex_);
    capture_ = std::move(take);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (capture_) {
      capture_({message.payload.data(), message.payload.size()});
      return;
    }
    pollfd waiting{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&waiting, 1, 0) <= 0 || (waiting.revents & POLLOUT) == 0) {
      ++dropped_;
      return;
    }
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    size_t size = std::min(line.size(), limits::log_record_bytes_max);
    if (size < line.size()) line[size - 1] = '\n';
    if (dropped_ > 0 && size + 32 < limits::log_record_bytes_max) {
      char note[32];
      const int length =
          std::snprintf(note, sizeof note, " dropped=%llu\n", static_cast<unsigned long long>(dropped_));
      line.resize(size - 1);
      line.append(note, note + length);
      size = line.size();
    }
    if (::write(STDERR_FILENO, line.data(), size) == static_cast<ssize_t>(size)) dropped_ = 0;
    else ++dropped_;
  }
  void flush_() override {}

  std::function<void(std::string_view)> capture_;
  uint64_t dropped_ = 0;
};

struct Output {
  Output() : sink(std::make_shared<Sink>()), logger("perilune", sink) {
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %v",
                                                                     spdlog::pattern_time_type::utc, "\n"));
    logger.set_level(spdlog::level::debug);
  }
  std::shared_ptr<Sink> sink;
  spdlog::logger logger;
};

/// stderr is one for the whole process, and so is this. Never destroyed: threads may write to the end.
Output& output() {
  static Output& shared = *std::make_unique<Output>().release();
  return shared;
}

void append_escaped(std::string& line, std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t size = shown_size(text.substr(i));
    if (size > 0) line.append(text, i, size);
    i += std::max<size_t>(size, 1);
    if (size > 0) continue;
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += ' ';
    } else {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(c));
      line += escape;
    }
  }
}

/// A value stands bare when nothing in it could be taken for the next field.
bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (size_t i = 0; i < value.size();) {
    const char c = value[i];
    const size_t size = shown_size(value.substr(i));
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || size == 0) return true;
    i += size;
  }
  return false;
}

void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  size_t begin = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '"' && value[i] != '\\') continue;
    append_escaped(line, value.substr(begin, i - begin));
    line += '\\';
    begin = i;
  }
  append_escaped(line, value.substr(begin));
  line += '"';
}

void send(Level level, std::string_view body) {
  std::string line(level_name(level));
  line.append(6 - line.size(), ' ').append(body);
  output().logger.log(spdlog::level::err, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

std::string_view level_name(Level level) { return names[static_cast<size_t>(level)]; }

std::optional<Level> level_from_name(std::string_view name) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

void set_level(Level level) { current_level.store(level, std::memory_order_relaxed); }
Level level() { return current_level.load(std::memory_order_relaxed); }

std::string format(std::string_view text, std::span<const Field> fields) {
  std::string line;
  append_escaped(line, text);
  for (const Field& field : fields) {
    line += ' ';
    append_escaped(line, field.name);
    line += '=';
    if (needs_quotes(field.value)) append_quoted(line, field.value);
    else line.append(field.value);
  }
  return line;
}

void write(Level level, std::string_view text, std::span<const Field> fields) {
  if (is_enabled(level)) send(level, format(text, fields));
}

void write_lines(Level level, std::string_view text) {
  if (!is_enabled(level)) return;
  std::string body;
  for (bool is_first = true; is_first || !text.empty(); is_first = false) {
    const size_t end = text.find('\n');
    if (!is_first) body += "\n    ";
    append_escaped(body, text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  send(level, body);
}

void capture(std::function<void(std::string_view)> take) { output().sink->set_capture(std::move(take)); }

RateLimit::Verdict RateLimit::ask(std::string_view place, Instant now) {
  auto found = places_.find(place);
  if (found == places_.end()) {
    const bool is_full = places_.size() >= limits::log_places_max;
    found = places_.try_emplace(is_full ? std::string() : std::string(place)).first;
    if (found->second.written == 0) found->second.period_begin = now;
  }
  Count& count = found->second;
  if (now - count.period_begin >= period_) {
    count.period_begin = now;
    count.written = 0;
  }
  if (count.written >= burst_) {
    ++count.held;
    return {false, 0};
  }
  ++count.written;
  return {true, std::exchange(count.held, 0)};
}

}  // namespace perilune::log
