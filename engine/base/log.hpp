#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.hpp"

/// The log of the process: text lines on stderr. Any thread may write.
///
///   2026-11-21T08:49:37.123Z warn  upstream refused endpoint=10.0.0.1:8080 detail="no such host"
///
/// A record is one line: control characters in it are escaped (a value from the network cannot fake a
/// record). The further lines of a traceback follow their record, indented by four spaces. Writing never
/// waits for whoever reads stderr: a record that would have to wait is dropped, and the next one that is
/// written says how many were (`dropped=3`). Longer ones than limits::log_record_bytes_max are cut.
namespace perilune::log {

enum class Level : uint8_t { Debug, Info, Warn, Error, Off };

/// "debug", "info", "warn", "error", "off".
std::string_view level_name(Level level);
std::optional<Level> level_from_name(std::string_view name);

/// Records below this level are not written. Process-wide; Info at the start.
void set_level(Level level);
Level level();
inline bool is_enabled(Level asked) { return asked >= level(); }

struct Field {
  std::string_view name;
  std::string_view value;
};

void write(Level level, std::string_view text, std::span<const Field> fields = {});
/// For texts that have several lines (tracebacks): the first is the record, the others explain it.
void write_lines(Level level, std::string_view text);

inline void debug(std::string_view text) { write(Level::Debug, text); }
inline void info(std::string_view text) { write(Level::Info, text); }
inline void warn(std::string_view text) { write(Level::Warn, text); }
inline void error(std::string_view text) { write(Level::Error, text); }

/// What a record looks like behind its time and level.
std::string format(std::string_view text, std::span<const Field> fields);

/// Gives every line (without its time, "warn  text…") to `take` instead of stderr, until called with null.
/// For tests.
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
