#pragma once

#include <optional>

#include "base/limits.hpp"

namespace perilune::algo {

struct IdleCutoffRules {
  Duration margin_min = limits::idle_margin_min;
  uint32_t margin_percent = limits::idle_margin_percent;
  Duration age_min = limits::idle_evidence_min;  ///< earlier ends are no sign of a timeout
  Duration recovery = limits::idle_recovery;     ///< above 0
  Duration restart_window = limits::restart_window;
};

/// Up to which idle age connections to one endpoint should still be reused, so that a request does not meet
/// the server's own idle timeout. It is learned from what the server says and does; what happened is told by
/// the four functions below, each with the idle age at which it did: the time since the last answer's end.
///
/// A timeout shows in two things. Nothing outlives it, and it comes again. So an early end at age A is only
/// suspected to be one; it is believed when a second, at another moment, agrees with it, and dropped when a
/// connection meanwhile lived longer. Ends within `restart_window` are one observation, and none when their
/// ages differ: that is a server which stops. What is believed is doubted after `recovery` without a sign of
/// it, and from then on doubles with each further `recovery`, until the server shows its timeout again.
/// engine/notes/011-learned-idle-cutoff.md has the reasons.
///
/// `now` never goes back. Constant memory and time.
class IdleCutoff {
 public:
  explicit IdleCutoff(const IdleCutoffRules& rules = {}) : rules_(rules) {}

  /// The server's `Keep-Alive: timeout`. The last one holds, for `recovery`: a server that says so does it
  /// with every answer.
  void on_hint(Duration timeout, Instant now);

  /// The server closed an idle connection, by an end or a reset.
  void on_idle_close(Duration age, Instant now);

  /// A reused connection turned out to be dead: no byte of an answer came.
  void on_stale(Duration age, Instant now);

  /// A reused connection gave an answer.
  void on_reused(Duration age, Instant now);

  /// The longest idle age for a reuse; Duration::max() when nothing is known. Less than the server's timeout
  /// by `margin_min`, by `margin_percent` when that is more and it was learned, and by half of it when it is
  /// less than twice `margin_min`.
  Duration cutoff(Instant now);

  /// The server's timeout as far as it is known by its deeds, without doubt and margin.
  std::optional<Duration> learned() const { return learned_; }

 private:
  /// Closed: the timeout is this age. Stale: it is this age or less.
  enum class Kind : uint8_t { Closed, Stale };
  struct Evidence {
    Duration age;
    Kind kind;
  };
  /// Ends that came within one window.
  struct Moment {
    Instant begin;
    Duration youngest;
    Duration eldest;
    Kind kind;
  };

  Duration margin(Duration timeout) const;
  /// Whether they differ by more than timers and networks explain.
  bool is_below(Duration age, Duration timeout) const;
  bool agree(const Evidence& a, const Evidence& b) const;
  void add(const Evidence& evidence, Instant now);
  void judge_moment(Instant now);
  void judge(const Evidence& evidence, Instant when);
  void lived(Duration age);
  Duration doubted(Instant now) const;

  IdleCutoffRules rules_;
  std::optional<Duration> hint_;
  Instant hinted_at_{};
  std::optional<Moment> moment_;
  std::optional<Evidence> suspect_;
  std::optional<Duration> learned_;
  Instant shown_at_{};  // when there was the last sign of it
};

}  // namespace perilune::algo
