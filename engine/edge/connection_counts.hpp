#pragma once

#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "edge/newcomers.hpp"

namespace perilune::edge {

/// Which clients count as one: an IPv4 address, or an IPv6 network of 64 bits, which is the least that a
/// subscriber gets. None for what is no IP address (a unix socket's client).
std::optional<uint64_t> client_network(std::string_view ip);

/// The client connections of one listener, in all workers and versions of the scripts together. Any thread.
class ListenerCounts {
 public:
  /// Since the beginning.
  struct Totals {
    std::atomic<uint64_t> accepted{0};
    /// Reset at once: their client had too many.
    std::atomic<uint64_t> refused{0};
    /// Idle ones that were ended to make room.
    std::atomic<uint64_t> idle_ended{0};
    /// How often accepting paused because there were too many.
    std::atomic<uint64_t> pauses{0};
  };
  Totals totals;
  Newcomers newcomers;
  static void count(std::atomic<uint64_t>& number) { number.fetch_add(1, std::memory_order_relaxed); }

  size_t open() const { return open_.load(std::memory_order_relaxed); }
  /// How many there are with this one.
  size_t enter() { return open_.fetch_add(1, std::memory_order_relaxed) + 1; }
  void leave() { open_.fetch_sub(1, std::memory_order_relaxed); }

  /// One more of `network`, unless it has `max` already.
  bool enter_network(uint64_t network, size_t max);
  void leave_network(uint64_t network);

 private:
  std::atomic<size_t> open_{0};
  std::mutex mutex_;
  boost::unordered_flat_map<uint64_t, size_t> by_network_;
};

/// Those of a process, by listener: limits hold for all workers together. Any thread.
class ConnectionCounts {
 public:
  /// `listener` is the same text in every worker. What it refers to stays as long as this.
  ListenerCounts& of(const std::string& listener);
  /// Calls `visit(listener, counts)`, in the order of the texts.
  template <typename Visit>
  void each(Visit&& visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [listener, counts] : listeners_) visit(listener, *counts);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ListenerCounts>, std::less<>> listeners_;
};

}  // namespace perilune::edge
