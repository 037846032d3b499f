#include "sim/driver.hpp"

#include <utility>

#include "base/limits.hpp"
#include "sim/world.hpp"

namespace perilune::sim {

SimTarget::~SimTarget() {
  if (driver_.current_ == this) driver_.current_ = nullptr;
}

void SimTarget::make_ready(Ready what) {
  pending_ |= what;
  if (!is_linked()) driver_.ready_.push_back(*this);
}

SimDriver::SimDriver(SimWorld& world) : world_(world), random_(world.random()) {}

SimDriver::~SimDriver() = default;

Instant SimDriver::now() { return world_.now(); }

double SimDriver::wall_seconds() { return world_.wall_seconds(); }

void SimDriver::wait(Instant deadline) {
  if (!world_.is_running()) world_.advance_until([this] { return has_news(); }, deadline);
  if (has_news() || deadline <= world_.now()) {
    turns_due_ = 1;
  } else if (turns_due_ > 0) {
    --turns_due_;
  }
  is_woken_.store(false, std::memory_order_release);
}

void SimDriver::dispatch() {
  int left = world_.draw(world_.faults().short_turn) ? 1 : limits::turn_events_max;
  TargetList batch;
  batch.swap(ready_);  // what becomes ready now is for the next turn
  for (; left > 0 && !batch.empty(); --left) {
    SimTarget& target = batch.front();
    batch.pop_front();
    const uint8_t what = std::exchange(target.pending_, uint8_t{0});
    current_ = &target;
    target.on_ready(what);
    current_ = nullptr;
  }
  is_cut_ = !batch.empty();
  ready_.splice(ready_.begin(), batch);
}

}  // namespace perilune::sim
