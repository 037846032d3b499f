#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/loop_link.hpp"
#include "base/limits.hpp"
#include "loop/loop.hpp"

namespace perilune::app {

/// Collects what each worker answers to one question. Belongs to the loop that asked; it is over when all have answered,
/// or after limits::admin_worker_timeout, without those who have not.
template <typename Answer>
class Gathering final : public std::enable_shared_from_this<Gathering<Answer>> {
 public:
  using Answers = std::vector<std::optional<Answer>>;
  using Done = std::function<void(Answers)>;

  Gathering(loop::Loop& loop, size_t workers, Done done)
      : loop_(loop), answers_(workers), missing_(workers), done_(std::move(done)) {}

  void start() {
    self_ = this->shared_from_this();
    loop_.arm(timer_, limits::admin_worker_timeout);
  }
  void take(size_t worker, Answer answer) {
    if (!done_) return;
    answers_[worker] = std::move(answer);
    if (--missing_ == 0) finish();
  }

 private:
  void finish() {
    timer_.disarm();
    const Done done = std::exchange(done_, nullptr);
    // The timer that calls may be a member of this.
    loop_.post([self = std::move(self_)] {});
    done(std::move(answers_));
  }

  loop::Loop& loop_;
  Answers answers_;
  size_t missing_;
  Done done_;
  std::shared_ptr<Gathering> self_;
  loop::MemberTimer<Gathering, &Gathering::finish> timer_{*this};
};

}  // namespace perilune::app
