#include "app/upkeep.hpp"

#include <malloc.h>

namespace perilune::app {
namespace {

// Turns in an interval with which a worker still counts as quiet: a few percent of its time.
constexpr uint64_t quiet_turns_max = 1000;

// As many quiet looks in a row, and as many again, before memory goes back: what is free goes through the
// pools first, which takes two.
constexpr int looks = 3;

// Garbage that is worth a walk through all that lives. By bytes and not by turns: a turn may end thousands of
// sessions.
constexpr size_t bytes_of_garbage = 64 * 1024;

// Turns after which free pages are worth a walk through the heap.
constexpr uint64_t turns_of_pages = 200;

// So much given back by the pools is worth one too.
constexpr size_t bytes_of_pages = 256 * 1024;

// Objects with a finalizer go in the second collection after the last use.
constexpr int collections = 2;

constexpr Duration collect_pause = 5ms;

}  // namespace

void Upkeep::look() {
  loop_.arm(timer_, limits::upkeep_interval);
  if (worker_.give_back_surplus() >= bytes_of_pages) since_trim_ += turns_of_pages;
  const uint64_t turns = loop_.turns() - turns_seen_;
  turns_seen_ = loop_.turns();
  since_trim_ += turns;
  quiet_looks_ = turns <= quiet_turns_max ? quiet_looks_ + 1 : 0;
  if (quiet_looks_ == 0 || quiet_looks_ % looks != 0 || collect_timer_.is_armed()) return;
  if (worker_.garbage_bytes() >= bytes_of_garbage) {
    cycles_left_ = collections;
    collect();
  } else if (since_trim_ >= turns_of_pages) {
    trim();
  }
}

void Upkeep::collect() {
  if (worker_.collect_garbage() && --cycles_left_ == 0) {
    // What the collection freed lies in pools: the first call notes it, and the second finds that nobody
    // needed it.
    for (int call = 0; call < 2; ++call) worker_.give_back_surplus();
    trim();
    return;
  }
  loop_.arm(collect_timer_, collect_pause);
}

void Upkeep::trim() {
  // glibc keeps free pages between those in use until it is told; the call looks at the whole heap.
  malloc_trim(0);
  since_trim_ = 0;
  turns_seen_ = loop_.turns();
}

}  // namespace perilune::app
