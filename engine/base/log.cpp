#include "base/log.hpp"

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <mutex>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace perilune::log {
namespace {

constexpr std::array<std::string_view, 5> names{"debug", "info", "warn", "error", "off"};

struct RoomLevel {
  std::atomic<Level> level{Level::Info};
};
// Constant initialization: a record may come before main.
constinit std::array<RoomLevel, room_names.size()> levels{};
constinit std::atomic<Format> current_format{Format::Text};

// What the sink adds to a record: its time, and how many were dropped.
constexpr size_t added_bytes_max = 80;

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
      const bool is_json = current_format.load(std::memory_order_relaxed) == Format::Json;
      char note[32];
      const int length =
          std::snprintf(note, sizeof note, is_json ? ",\"dropped\":%llu}\n" : " dropped=%llu\n",
                        static_cast<unsigned long long>(dropped_));
      line.resize(size - (is_json ? 2 : 1));
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
    set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v");
    logger.set_level(spdlog::level::debug);
  }
  void set_pattern(const char* pattern) {
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n"));
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

void send(std::string_view line) {
  output().logger.log(spdlog::level::err, spdlog::string_view_t(line.data(), line.size()));
}

void send_text(Level level, std::string_view body) {
  std::string line(level_name(level));
  line.append(6 - line.size(), ' ').append(body);
  send(line);
}

std::string json_record(Level level, Room room, std::string_view text, std::span<const Field> fields) {
  std::string line = "\"level\":\"";
  line.append(level_name(level)).append("\",\"room\":\"").append(room_names[room]).append("\",\"message\":");
  append_json_text(line, text);
  for (size_t i = 0; i < fields.size(); ++i) {
    append_json_text(line += i == 0 ? ",\"fields\":{" : ",", fields[i].name);
    append_json_text(line += ':', fields[i].value);
  }
  if (!fields.empty()) line += '}';
  return line;
}

/// A record that is too long loses its fields and the end of its text, and says so: it stays an object.
void send_json(Level level, Room room, std::string_view text, std::span<const Field> fields) {
  constexpr size_t bytes_max = limits::log_record_bytes_max - added_bytes_max;
  std::string line = json_record(level, room, text, fields);
  // A byte becomes six at most.
  for (size_t kept = bytes_max - 200; line.size() > bytes_max; kept /= 6)
    line = json_record(level, room, text.substr(0, kept), {}) + ",\"cut\":true";
  send(line += '}');
}

bool is_json() { return current_format.load(std::memory_order_relaxed) == Format::Json; }

}  // namespace

std::string_view level_name(Level level) { return names[static_cast<size_t>(level)]; }

std::optional<Level> level_from_name(std::string_view name) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Level>(i);
  return std::nullopt;
}

void set_level(Room room, Level level) { levels[room].level.store(level, std::memory_order_relaxed); }

void set_level(Level level) {
  for (Room room = 0; room < room_names.size(); ++room) set_level(room, level);
}

Level level(Room room) { return levels[room].level.load(std::memory_order_relaxed); }

std::string set_levels(std::string_view text) {
  const auto suggest = [](std::string_view word, std::span<const std::string_view> known) {
    const std::string_view near = nearest(word, known);
    return near.empty() ? std::string() : "; did you mean " + in_quotes(near) + "?";
  };
  std::array<std::optional<Level>, room_names.size()> of_rooms;
  std::optional<Level> of_all;
  for (bool is_last = false; !is_last;) {
    const size_t comma = text.find(',');
    const std::string_view item = trim(text.substr(0, comma));
    is_last = comma == std::string_view::npos;
    if (!is_last) text.remove_prefix(comma + 1);
    const size_t equals = item.find('=');
    const std::string_view name = equals == std::string_view::npos ? item : trim(item.substr(equals + 1));
    const auto parsed = level_from_name(name);
    if (!parsed)
      return in_quotes(name) + " is no level: write debug, info, warn, error or off" + suggest(name, names);
    if (equals == std::string_view::npos) {
      if (of_all) return "two levels for all rooms; write one, and room=level for others";
      of_all = parsed;
      continue;
    }
    const std::string_view room = trim(item.substr(0, equals));
    const auto found = std::find(room_names.begin(), room_names.end(), room);
    if (found == room_names.end()) {
      std::string known;
      for (const std::string_view each : room_names) known.append(known.empty() ? "" : ", ").append(each);
      return in_quotes(room) + " is no room" + suggest(room, room_names) + " (rooms are " + known + ")";
    }
    of_rooms[static_cast<size_t>(found - room_names.begin())] = parsed;
  }
  for (Room room = 0; room < room_names.size(); ++room)
    set_level(room, of_rooms[room].value_or(of_all.value_or(Level::Info)));
  return {};
}

void set_format(Format format) {
  current_format.store(format, std::memory_order_relaxed);
  output().set_pattern(format == Format::Json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v"
                                              : "%Y-%m-%dT%H:%M:%S.%eZ %v");
}

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

void write(Level level, std::string_view text, std::span<const Field> fields, const char* file) {
  const Room room = room_of(file);
  if (level < log::level(room)) return;
  if (is_json()) send_json(level, room, text, fields);
  else send_text(level, format(text, fields));
}

void write_lines(Level level, std::string_view text, const char* file) {
  const Room room = room_of(file);
  if (level < log::level(room)) return;
  if (is_json()) return send_json(level, room, text, {});
  std::string body;
  for (bool is_first = true; is_first || !text.empty(); is_first = false) {
    const size_t end = text.find('\n');
    if (!is_first) body += "\n    ";
    append_escaped(body, text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  send_text(level, body);
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
