#pragma once

#include "app/worker.hpp"
#include "loop/loop.hpp"

namespace perilune::app {

/// Gives memory back that a worker needed in a busy time and does not need any more: what its pools keep and
/// nobody asks for, every limits::upkeep_interval; and once it has been quiet for a few of them, garbage of
/// its scripts, a millisecond at a time, and then the free pages of the process's heap. The less a worker has
/// to do, the less of both is worth the time. A worker that is always busy keeps what it needs.
class Upkeep {
 public:
  Upkeep(loop::Loop& loop, Worker& worker) : loop_(loop), worker_(worker) {}
  void start() { loop_.arm(timer_, limits::upkeep_interval); }

 private:
  void look();
  void collect();
  void trim();

  loop::Loop& loop_;
  Worker& worker_;
  uint64_t turns_seen_ = 0;
  uint64_t since_trim_ = 0;  // turns, as those below
  uint64_t since_collection_ = 0;
  uint64_t since_decision_ = 0;
  int quiet_looks_ = 0;
  int cycles_left_ = 0;
  loop::MemberTimer<Upkeep, &Upkeep::look> timer_{*this};
  loop::MemberTimer<Upkeep, &Upkeep::collect> collect_timer_{*this};
};

}  // namespace perilune::app
