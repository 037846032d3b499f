#include "loop/timer.hpp"

namespace perilune::loop {

void Timer::disarm() {
  if (timers_) timers_->remove(*this);
}

Timers::~Timers() {
  for (Timer* timer : heap_) timer->timers_ = nullptr;
}

bool Timers::before(const Timer& a, const Timer& b) {
  return a.deadline_ != b.deadline_ ? a.deadline_ < b.deadline_ : a.order_ < b.order_;
}

void Timers::place(Timer* timer, size_t position) {
  heap_[position] = timer;
  timer->position_ = position;
}

void Timers::sift_up(size_t position) {
  Timer* timer = heap_[position];
  while (position > 0 && before(*timer, *heap_[(position - 1) / 2])) {
    place(heap_[(position - 1) / 2], position);
    position = (position - 1) / 2;
  }
  place(timer, position);
}

void Timers::sift_down(size_t position) {
  Timer* timer = heap_[position];
  for (;;) {
    size_t child = position * 2 + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) ++child;
    if (!before(*heap_[child], *timer)) break;
    place(heap_[child], position);
    position = child;
  }
  place(timer, position);
}

void Timers::arm(Timer& timer, Instant deadline) {
  if (timer.timers_) timer.timers_->remove(timer);
  timer.timers_ = this;
  timer.deadline_ = deadline;
  timer.order_ = next_order_++;
  heap_.push_back(&timer);
  sift_up(heap_.size() - 1);
}

void Timers::remove(Timer& timer) {
  const size_t position = timer.position_;
  timer.timers_ = nullptr;
  Timer* last = heap_.back();
  heap_.pop_back();
  if (last == &timer) return;
  place(last, position);
  sift_up(position);
  sift_down(last->position_);
}

void Timers::advance(Instant now) {
  const uint64_t armed_before = next_order_;
  while (!heap_.empty()) {
    Timer& timer = *heap_.front();
    if (timer.deadline_ > now || timer.order_ >= armed_before) return;
    remove(timer);
    timer.on_timer();
  }
}

}  // namespace perilune::loop
