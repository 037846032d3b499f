#include "app/upkeep.hpp"

#include <malloc.h>

#include <array>
#include <cstdlib>
#include <utility>

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

// Turns in as many looks with which a worker counts as idle: it has time for what is hardly worth it, once
// after whatever it did.
constexpr uint64_t idle_turns_max = 300;
constexpr uint64_t turns_of_idle = 20;
// And then as much of the Lua heaps may be walked for each turn since the last time: about 50 us.
constexpr size_t bytes_walked_a_turn = 64 * 1024;

// So much given back by the pools is worth one too.
constexpr size_t bytes_of_pages = 256 * 1024;

// Objects with a finalizer go in the second collection after the last use, and the first may only end what
// had begun before that.
constexpr int collections = 3;

constexpr Duration collect_pause = 5ms;

// glibc's cache of each thread: seven freed blocks of each of 64 sizes, as many bytes apart as those (its manual,
// "Memory Allocation Tunables": tcache_count, tcache_max).
constexpr size_t cached_blocks_max = 7;
constexpr size_t cached_sizes = 64;
constexpr size_t cached_bytes_step = 16;

using Blocks = std::array<void*, cached_sizes * cached_blocks_max>;

void take(Blocks& blocks) {
  for (size_t i = 0; i < blocks.size(); ++i)
    blocks[i] = std::malloc(8 + cached_bytes_step * (1 + i / cached_blocks_max));
}

void give_back(const Blocks& blocks) {
  for (void* block : blocks) std::free(block);
}

/// What a thread's cache holds lies where chance put it, each block holds its page, and no call empties the
/// cache: after a busy time these are most of the pages that nothing else needs. But what is freed while the
/// cache is full goes back to the heap, so others that lie close together take the places. The first others
/// still come from what is free between the scattered ones; those after them do not.
void move_thread_cache() {
  for (int round = 0; round < 3; ++round) {
    Blocks scattered;
    Blocks close;
    take(scattered);
    take(close);
    give_back(close);
    give_back(scattered);
  }
}

}  // namespace

void Upkeep::look() {
  loop_.arm(timer_, limits::upkeep_interval);
  if (worker_.give_back_surplus() >= bytes_of_pages) since_trim_ += turns_of_pages;
  const uint64_t turns = loop_.turns() - turns_seen_ - 1;  // without this one
  turns_seen_ = loop_.turns();
  since_trim_ += turns;
  since_collection_ += turns;
  since_decision_ += turns;
  quiet_looks_ = turns <= quiet_turns_max ? quiet_looks_ + 1 : 0;
  if (quiet_looks_ == 0 || quiet_looks_ % looks != 0 || collect_timer_.is_armed()) return;
  const bool is_idle = std::exchange(since_decision_, 0) <= idle_turns_max;
  const uint64_t turns_of_collection = turns_of_idle + worker_.lua_bytes() / bytes_walked_a_turn;
  if (worker_.garbage_bytes() >= bytes_of_garbage || (is_idle && since_collection_ >= turns_of_collection)) {
    cycles_left_ = collections;
    collect();
  } else if (since_trim_ >= (is_idle ? turns_of_idle : turns_of_pages)) {
    trim();
  }
}

void Upkeep::collect() {
  if (worker_.collect_garbage() && --cycles_left_ == 0) {
    since_collection_ = 0;
    // What the collection freed lies in pools: the first call notes it, and the second finds that nobody
    // needed it.
    for (int call = 0; call < 2; ++call) worker_.give_back_surplus();
    trim();
    return;
  }
  loop_.arm(collect_timer_, collect_pause);
}

void Upkeep::trim() {
  move_thread_cache();
  // glibc keeps free pages between those in use until it is told; the call looks at the whole heap.
  malloc_trim(0);
  since_trim_ = 0;
  turns_seen_ = loop_.turns();
}

}  // namespace perilune::app
