#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/limits.hpp"
#include "loop/driver.hpp"
#include "net/descriptor.hpp"
#include "net/random.hpp"

namespace perilune::net {

class AsioDriver;

/// What a descriptor of the driver's epoll set belongs to. Destroying it takes back every event that was
/// collected for it and not handed out yet.
class EventTarget {
 public:
  EventTarget(const EventTarget&) = delete;
  EventTarget& operator=(const EventTarget&) = delete;

 protected:
  explicit EventTarget(AsioDriver& driver) : driver_(driver) {}
  ~EventTarget();
  /// Called from AsioDriver::dispatch with the EPOLL… bits. May destroy this object or any other.
  virtual void on_events(uint32_t events) = 0;

  AsioDriver& driver_;

 private:
  friend class AsioDriver;
};

/// The kernel's readiness: an edge-triggered epoll set of our own, in which streams and listeners live. A
/// turn costs one epoll_wait on it. Where somebody asks for Asio's context (signals, timers of others), Asio
/// watches our set as one descriptor, and blocks for both. Belongs to one thread, except wake().
class AsioDriver final : public loop::Driver {
 public:
  AsioDriver();
  ~AsioDriver() override;

  void wait(Instant deadline) override;
  void dispatch() override;
  bool has_events_left() const override { return next_ < count_; }
  void wake() override;
  Instant now() override;
  double wall_seconds() override;
  uint64_t random() override { return random_.next(); }

  /// For signals and other users of Asio in this thread. Their handlers run inside wait(), before the events
  /// of the turn: they only take notes. Concurrency is off: no call from another thread, not even post.
  boost::asio::io_context& context();

  /// Adds a descriptor to the set. Level-triggered watching is for libraries that do not read until EAGAIN.
  enum class Trigger : uint8_t { Edge, Level };
  /// False, with errno set, when the kernel refuses (its watches have run out).
  [[nodiscard]] bool watch(int fd, uint32_t events, EventTarget& target, Trigger trigger = Trigger::Edge);
  /// Changes what a watched descriptor is watched for.
  void rewatch(int fd, uint32_t events, EventTarget& target, Trigger trigger);
  /// Needed only before descriptors that stay open; closing one takes it out of the set.
  void unwatch(int fd);

  /// To be told of the descriptor of each new connection: the kernel hands out the lowest free number, so it
  /// tells how many are in use.
  void note_descriptor(int fd) { newest_descriptor_ = fd; }
  bool is_crowded() const { return newest_descriptor_ >= crowded_from_; }

  /// Hands `events` to `target` in the next dispatch, as if the kernel had said so.
  void redeliver(EventTarget& target, uint32_t events) { again_.push_back({&target, events}); }

  /// The target whose events are being handed out, or null when it was destroyed meanwhile.
  bool is_current(const EventTarget* target) const { return current_ == target; }

 private:
  friend class EventTarget;
  struct Pending {
    EventTarget* target;
    uint32_t events;
  };
  static constexpr uint32_t asio_poll_turns = 16;
  enum WakeState : uint32_t { Awake, Sleeping, Woken };

  /// Asio, and our set as one of its descriptors.
  struct Asio {
    explicit Asio(int set);
    ~Asio();
    boost::asio::io_context context;
    boost::asio::posix::stream_descriptor set;
  };

  /// Asks the set, and waits until `latest` when it has nothing; Instant::min() to look only.
  bool collect(Instant latest = Instant::min());
  void block(Instant deadline);
  void wait_with_asio(Instant deadline);
  void poll_asio();
  void forget(EventTarget* target);
  void hand_out(EventTarget* target, uint32_t events);

  Descriptor set_;
  Descriptor wake_fd_;
  std::unique_ptr<Asio> asio_;  // made when it is asked for
  std::atomic<uint32_t> wake_state_{Awake};
  Random random_;
  int newest_descriptor_ = 0;
  const int crowded_from_ = first_spare_descriptor() / 2;

  std::array<epoll_event, static_cast<size_t>(limits::turn_events_max)> batch_;
  size_t next_ = 0;
  size_t count_ = 0;
  bool level_seen_ = false;
  std::vector<Pending> again_;
  EventTarget* current_ = nullptr;
  size_t last_count_ = 0;
  uint32_t turns_since_asio_ = 0;
};

inline EventTarget::~EventTarget() { driver_.forget(this); }

}  // namespace perilune::net
