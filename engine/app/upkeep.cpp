#include "app/upkeep.hpp"

#include <malloc.h>

namespace perilune::app {
namespace {

// Turns in an interval with which a worker still counts as quiet: a few percent of its time.
constexpr uint64_t quiet_turns_max = 1000;

// Less work than this leaves nothing behind that would be worth a walk through all memory.
constexpr uint64_t worthwhile_turns = 2000;

// At which quiet look in a row memory goes back: what is free goes through the pools first, which takes two
// looks; and again when idle connections are gone too.
constexpr int soon = 3;
constexpr int later = 35;

// Objects with a finalizer go in the second collection after the last use.
constexpr int collections = 2;

constexpr Duration collect_pause = 5ms;

}  // namespace

void Upkeep::look() {
  loop_.arm(timer_, limits::upkeep_interval);
  worker_.give_back_surplus();
  const uint64_t turns = loop_.turns() - turns_seen_;
  turns_seen_ = loop_.turns();
  work_ += turns;
  quiet_looks_ = turns <= quiet_turns_max ? quiet_looks_ + 1 : 0;
  const bool is_time = quiet_looks_ == soon || quiet_looks_ == later;
  if (!is_time || work_ < worthwhile_turns || collect_timer_.is_armed()) return;
  cycles_left_ = collections;
  collect();
}

void Upkeep::collect() {
  if (worker_.collect_garbage() && --cycles_left_ == 0) {
    // glibc keeps free pages between those in use until it is told; the call looks at the whole heap.
    malloc_trim(0);
    if (quiet_looks_ >= later) work_ = 0;
    return;
  }
  loop_.arm(collect_timer_, collect_pause);
}

}  // namespace perilune::app
