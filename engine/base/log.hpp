#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.hpp"

/// The log of the process: lines on stderr, as text or as JSON objects. Any thread may write.
///
///   2026-11-21T08:49:37.123Z warn  upstream refused endpoint=10.0.0.1:8080 detail="no such host"
///   {"time":"2026-11-21T08:49:37.123Z","level":"warn","room":"upstream","message":"upstream refused",
///    "fields":{"endpoint":"10.0.0.1:8080","detail":"no such host"}}                  (one line)
///
/// Each room has a level of its own; a record belongs to the room of the source file that writes it.
///
/// A record is one line: control characters in it are escaped (a value from the network cannot fake a
/// record). The further lines of a traceback follow their record, indented by four spaces; in JSON they are
/// part of the message. Writing never waits for whoever reads stderr: a record that would have to wait is
/// dropped, and the next one that is written says how many were (`dropped=3`). Longer ones than
/// limits::log_record_bytes_max are cut (in JSON `"cut":true`).
namespace perilune::log {

enum class Level : uint8_t { Debug, Info, Warn, Error, Off };

/// "debug", "info", "warn", "error", "off".
std::string_view level_name(Level level);
std::optional<Level> level_from_name(std::string_view name);

/// The rooms of the engine; `app` stands for whatever is not in one.
inline constexpr std::array<std::string_view, 15> room_names{"base", "buffer",   "loop",   "message", "stats",
                                                             "algo", "net",      "http",   "flow",    "edge",
                                                             "sim",  "upstream", "filter", "script",  "app"};
using Room = size_t;
inline constexpr Room app_room = room_names.size() - 1;

/// The room of a source file by its path, "…/engine/ROOM/…".
constexpr Room room_of(std::string_view file) {
  constexpr std::string_view folder = "engine/";
  const size_t at = file.rfind(folder);
  if (at == std::string_view::npos) return app_room;
  const std::string_view rest = file.substr(at + folder.size());
  const std::string_view name = rest.substr(0, rest.find('/'));
  for (Room room = 0; room < room_names.size(); ++room)
    if (room_names[room] == name) return room;
  return app_room;
}

/// Records of the room below this level are not written. Info at the start.
void set_level(Room room, Level level);
/// The same for every room.
void set_level(Level level);
/// Levels as people write them: "info", or "info,upstream=debug,net=off". Wrong: nothing has changed, and the
/// sentence of what is wrong; empty when all is well.
std::string set_levels(std::string_view text);
Level level(Room room);
/// Whether the calling file's room writes records of this level.
inline bool is_enabled(Level asked, const char* file = __builtin_FILE()) {
  return asked >= level(room_of(file));
}

enum class Format : uint8_t { Text, Json };
/// Before other threads write.
void set_format(Format format);

struct Field {
  std::string_view name;
  std::string_view value;
};

void write(Level level, std::string_view text, std::span<const Field> fields = {},
           const char* file = __builtin_FILE());
/// For texts that have several lines (tracebacks): the first is the record, the others explain it.
void write_lines(Level level, std::string_view text, const char* file = __builtin_FILE());

inline void debug(std::string_view text, const char* file = __builtin_FILE()) {
  write(Level::Debug, text, {}, file);
}
inline void info(std::string_view text, const char* file = __builtin_FILE()) {
  write(Level::Info, text, {}, file);
}
inline void warn(std::string_view text, const char* file = __builtin_FILE()) {
  write(Level::Warn, text, {}, file);
}
inline void error(std::string_view text, const char* file = __builtin_FILE()) {
  write(Level::Error, text, {}, file);
}

/// What a record of the text form looks like behind its time and level.
std::string format(std::string_view text, std::span<const Field> fields);

/// Gives every line (without its time: "warn  text…", `"level":"warn",…}`) to `take` instead of stderr, until
/// called with null. For tests.
void capture(std::function<void(std::string_view line)> take);

/// Holds records that repeat: of each place at most `burst` in each `period`, the others are counted.
class RateLimit {
 public:
  explicit RateLimit(Duration period = 10s, uint32_t burst = 3) : period_(period), burst_(burst) {}

  struct Verdict {
    bool may_write;
    /// With may_write: how many records of this place were held since the last one that was written.
    uint64_t held;
  };
  /// Asks for the place ("proxy.lua:12") at `now`. Places beyond limits::log_places_max share one count.
  Verdict ask(std::string_view place, Instant now);

 private:
  struct Count {
    Instant period_begin{};
    uint32_t written = 0;
    uint64_t held = 0;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  const Duration period_;
  const uint32_t burst_;
  std::unordered_map<std::string, Count, TextHash, std::equal_to<>> places_;
};

}  // namespace perilune::log
