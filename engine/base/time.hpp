#pragma once

#include <chrono>

namespace perilune {

/// A span of time. Nanoseconds, signed.
using Duration = std::chrono::nanoseconds;

/// The engine's own clock: monotonic, given by a driver (the kernel's or a simulated one). It has no
/// now() of its own on purpose: whoever needs the time is given it.
struct EngineClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<EngineClock>;
  static constexpr bool is_steady = true;
};

/// A moment on the engine's clock.
using Instant = EngineClock::time_point;

using std::chrono::duration_cast;
using namespace std::chrono_literals;

/// `now` plus a span that may be without end: Duration::max().
constexpr Instant after(Instant now, Duration span) {
  return span >= Instant::max() - now ? Instant::max() : now + span;
}

inline double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Seconds as a script gives them; NaN becomes 0 and anything beyond 100 years becomes 100 years.
inline Duration from_seconds(double seconds) {
  constexpr double most = 100.0 * 365 * 86400;
  if (!(seconds > 0)) return Duration::zero();
  return duration_cast<Duration>(std::chrono::duration<double>(seconds < most ? seconds : most));
}

}  // namespace perilune
