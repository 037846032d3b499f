#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>

namespace perilune::log {
namespace {

std::atomic<Level> current_level{Level::Info};

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("perilune", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
    made->set_level(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Debug: return spdlog::level::debug;
    case Level::Info: return spdlog::level::info;
    case Level::Warn: return spdlog::level::warn;
    default: return spdlog::level::err;
  }
}

bool is_printable(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  return true;
}

}  // namespace

void set_level(Level level) { current_level.store(level, std::memory_order_relaxed); }
Level level() { return current_level.load(std::memory_order_relaxed); }

void write_lines(Level level, std::string_view text) {
  if (is_enabled(level)) logger().log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void write(Level level, std::string_view text) {
  if (!is_enabled(level)) return;
  if (is_printable(text)) {
    write_lines(level, text);
    return;
  }
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      safe.push_back(c);
      continue;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    safe.append({'\\', 'x', digits[byte >> 4], digits[byte & 15]});
  }
  write_lines(level, safe);
}

}  // namespace perilune::log
