#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>

#include "loop/loop.hpp"
#include "net/random.hpp"

namespace perilune::sim {

class SimDriver;
class SimWorld;

using TargetHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// What readiness is told to. Destroying it takes back what was not told yet.
class SimTarget : public TargetHook {
 public:
  enum Ready : uint8_t { Readable = 1, Writable = 2, Other = 4 };

  SimTarget(const SimTarget&) = delete;
  SimTarget& operator=(const SimTarget&) = delete;

  /// on_ready comes in a coming dispatch.
  void make_ready(Ready what);

 protected:
  explicit SimTarget(SimDriver& driver) : driver_(driver) {}
  virtual ~SimTarget();
  /// May destroy this object or any other.
  virtual void on_ready(uint8_t what) = 0;

  SimDriver& driver_;

 private:
  friend class SimDriver;
  uint8_t pending_ = 0;
};

/// The readiness and the time of one simulated worker. Waiting costs no time: under SimWorld::run_until it
/// returns at once, and alone it makes the world go on until something is ready or the deadline has come.
class SimDriver final : public loop::Driver {
 public:
  explicit SimDriver(SimWorld& world);
  ~SimDriver() override;

  void wait(Instant deadline) override;
  void dispatch() override;
  bool has_events_left() const override { return is_cut_; }
  void wake() override { is_woken_.store(true, std::memory_order_release); }
  Instant now() override;
  double wall_seconds() override;
  uint64_t random() override { return random_.next(); }

  SimWorld& world() { return world_; }
  bool is_current(const SimTarget* target) const { return current_ == target; }

 private:
  friend class SimTarget;
  friend class SimWorld;
  using TargetList = boost::intrusive::list<SimTarget, boost::intrusive::constant_time_size<false>>;

  bool has_news() const { return !ready_.empty() || is_woken_.load(std::memory_order_acquire); }

  SimWorld& world_;
  net::Random random_;
  TargetList ready_;
  SimTarget* current_ = nullptr;
  bool is_cut_ = false;  // the last turn left some
  std::atomic<bool> is_woken_{false};
  // Turns that must be run even though nothing is known to wait: a turn leaves work for the next one, and
  // what test code does between turns is seen by the loop only.
  int turns_due_ = 2;
};

}  // namespace perilune::sim
