#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace perilune::log {

enum class Level : uint8_t { Debug, Info, Warn, Error, Off };

/// Records below this level are dropped. Process-wide; Info at the start.
void set_level(Level level);
Level level();
inline bool is_enabled(Level asked) { return asked >= level(); }

/// Writes one line to stderr: time, level, text. Line breaks and control bytes in `text` are escaped, so that
/// what comes from the wire cannot forge records. Any thread.
void write(Level level, std::string_view text);
/// The same for texts of our own that have several lines (tracebacks).
void write_lines(Level level, std::string_view text);

inline void debug(std::string_view text) { write(Level::Debug, text); }
inline void info(std::string_view text) { write(Level::Info, text); }
inline void warn(std::string_view text) { write(Level::Warn, text); }
inline void error(std::string_view text) { write(Level::Error, text); }

}  // namespace perilune::log
