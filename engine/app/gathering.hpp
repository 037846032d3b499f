#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.hpp"
#include "loop/loop.hpp"

namespace perilune::app {

/// Collects what each worker answers to one question. Belongs to the loop that asked; it is over when all
/// have answered, or after limits::admin_worker_timeout, without those who have not.
template <typename Answer>
class Gathering final {
 public:
  using Answers = std::vector<std::optional<Answer>>;
  /// Must not destroy the gathering that calls.
  using Done = std::function<void(Answers)>;

  Gathering(loop::Loop& loop, size_t workers, Done done)
      : answers_(workers), missing_(workers), done_(std::move(done)) {
    loop.arm(timer_, limits::admin_worker_timeout);
  }
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;

  void take(size_t worker, Answer answer) {
    if (!done_) return;
    answers_[worker] = std::move(answer);
    if (--missing_ == 0) finish();
  }

 private:
  void finish() {
    timer_.disarm();
    const Done done = std::exchange(done_, nullptr);
    done(std::move(answers_));
  }

  Answers answers_;
  size_t missing_;
  Done done_;
  loop::MemberTimer<Gathering, &Gathering::finish> timer_{*this};
};

}  // namespace perilune::app
