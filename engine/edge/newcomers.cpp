#include "edge/newcomers.hpp"

namespace perilune::edge {

void Newcomers::join(Host& host) {
  const std::lock_guard lock(mutex_);
  hosts_.push_back(host);
}

void Newcomers::part(Host& host) {
  const std::lock_guard lock(mutex_);
  hosts_.erase(hosts_.iterator_to(host));
}

void Newcomers::call_others(const Host& caller) {
  const std::lock_guard lock(mutex_);  // a host that has not parted has its loop
  for (Host& host : hosts_) {
    if (&host == &caller || host.is_called_.exchange(true)) continue;
    host.loop_.post([self = std::weak_ptr(host.self_)] {
      const auto called = self.lock();
      if (!called) return;
      (*called)->is_called_ = false;
      (*called)->on_newcomers();
    });
  }
}

bool Newcomers::claim() {
  size_t giving_way = giving_way_;
  do {
    if (giving_way >= waiting_) return false;
  } while (!giving_way_.compare_exchange_weak(giving_way, giving_way + 1));
  return true;
}

}  // namespace perilune::edge
