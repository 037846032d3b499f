#include "net/asio_driver.hpp"

#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <span>
#include <system_error>

#include "base/expect.hpp"

namespace perilune::net {

namespace {

// How many events are handed out between two looks at the clock: a look costs about 25 ns.
constexpr int events_per_look = 16;

// Events of level-triggered descriptors carry this bit in the pointer they come back with.
constexpr uintptr_t level_mark = 1;

void* marked(EventTarget* target, AsioDriver::Trigger trigger) {
  const auto bits = reinterpret_cast<uintptr_t>(target);
  return reinterpret_cast<void*>(trigger == AsioDriver::Trigger::Level ? bits | level_mark : bits);
}

EventTarget* unmarked(void* pointer) {
  return reinterpret_cast<EventTarget*>(reinterpret_cast<uintptr_t>(pointer) & ~level_mark);
}

bool is_level(void* pointer) { return (reinterpret_cast<uintptr_t>(pointer) & level_mark) != 0; }

double seconds_of(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

int checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return fd;
}

/// epoll_wait with a time to the nanosecond, where the kernel has it (Linux 5.11): a timer is not a
/// millisecond late.
int wait_for_events(int set, std::span<epoll_event> events, Duration longest) {
  const auto room = static_cast<int>(events.size());
  if (longest <= Duration::zero()) return epoll_wait(set, events.data(), room, 0);
  if (longest == Duration::max()) return epoll_wait(set, events.data(), room, -1);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(longest);
  const timespec time{static_cast<time_t>(seconds.count()), static_cast<long>((longest - seconds).count())};
  const int count = epoll_pwait2(set, events.data(), room, &time, nullptr);
  if (count >= 0 || errno != ENOSYS) return count;
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(longest, 1h));
  return epoll_wait(set, events.data(), room, static_cast<int>(milliseconds.count()));
}

Random seeded_random() {
  Random::State state;
  PERILUNE_EXPECT(getrandom(state.data(), sizeof state, 0) == sizeof state, "the kernel gives random bytes");
  return Random(state);
}

}  // namespace

int first_spare_descriptor() {
  rlimit limit;
  constexpr auto spare = static_cast<rlim_t>(limits::spare_descriptors);
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > static_cast<rlim_t>(INT32_MAX))
    return INT32_MAX;
  return limit.rlim_cur > spare ? static_cast<int>(limit.rlim_cur - spare) : 0;
}

AsioDriver::AsioDriver()
    : set_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_fd_(checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      random_(seeded_random()) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  checked(epoll_ctl(set_.get(), EPOLL_CTL_ADD, wake_fd_.get(), &event), "epoll_ctl");
}

AsioDriver::~AsioDriver() = default;

AsioDriver::Asio::Asio(int our_set) : context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE), set(context, our_set) {
  // This wait never ends, since an epoll set never has an error. It keeps our set registered with Asio's
  // reactor (edge-triggered) and the context at work; every edge of the set then makes run_one return, even
  // though no handler is due. A wait for readability instead would cost one epoll_ctl per blocking turn.
  set.async_wait(boost::asio::posix::stream_descriptor::wait_error, [](const boost::system::error_code&) {});
}

AsioDriver::Asio::~Asio() {
  set.release();
  context.poll();
}

boost::asio::io_context& AsioDriver::context() {
  if (!asio_) asio_ = std::make_unique<Asio>(set_.get());
  return asio_->context;
}

Instant AsioDriver::now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

double AsioDriver::wall_seconds() { return seconds_of(CLOCK_REALTIME); }

bool AsioDriver::watch(int fd, uint32_t events, EventTarget& target, Trigger trigger) {
  epoll_event event{};
  event.events = trigger == Trigger::Edge ? events | EPOLLET : events;
  event.data.ptr = marked(&target, trigger);
  return epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void AsioDriver::rewatch(int fd, uint32_t events, EventTarget& target, Trigger trigger) {
  epoll_event event{};
  event.events = trigger == Trigger::Edge ? events | EPOLLET : events;
  event.data.ptr = marked(&target, trigger);
  epoll_ctl(set_.get(), EPOLL_CTL_MOD, fd, &event);
}

void AsioDriver::unwatch(int fd) {
  epoll_event ignored{};
  epoll_ctl(set_.get(), EPOLL_CTL_DEL, fd, &ignored);
}

bool AsioDriver::collect(Instant latest) {
  const int count = wait_for_events(set_.get(), batch_,
                                    latest == Instant::min()   ? Duration::zero()
                                    : latest == Instant::max() ? Duration::max()
                                                               : latest - now());
  next_ = 0;
  count_ = last_count_ = count > 0 ? static_cast<size_t>(count) : 0;
  level_seen_ = false;
  for (size_t i = 0; i < count_; ++i) {
    if (!is_level(batch_[i].data.ptr)) continue;
    level_seen_ = true;
    batch_[i].data.ptr = unmarked(batch_[i].data.ptr);
  }
  return count_ > 0;
}

void AsioDriver::poll_asio() {
  turns_since_asio_ = 0;
  boost::asio::io_context& context = asio_->context;
  if (context.stopped()) context.restart();
  // Our own set counts as one of the handlers, so one call might serve nothing else.
  for (int handlers = 0; handlers < 8 && context.poll_one() > 0; ++handlers) {
  }
}

void AsioDriver::block(Instant deadline) {
  uint32_t expected = Awake;
  if (!wake_state_.compare_exchange_strong(expected, Sleeping, std::memory_order_acq_rel)) {
    collect();  // woken already
    return;
  }
  if (!asio_) {
    collect(deadline);
    return;
  }
  boost::asio::io_context& context = asio_->context;
  if (context.stopped()) context.restart();
  turns_since_asio_ = 0;
  size_t handlers = 0;
  if (deadline == Instant::max()) {
    handlers = context.run_one();
  } else {
    // libstdc++'s steady clock is CLOCK_MONOTONIC in nanoseconds, as ours is.
    using Steady = std::chrono::steady_clock;
    handlers = context.run_one_until(Steady::time_point(deadline.time_since_epoch()));
  }
  if (handlers > 0) collect();
}

void AsioDriver::wait(Instant deadline) {
  if (next_ < count_) return;  // the last turn left some
  if (asio_) wait_with_asio(deadline);
  else if (again_.empty() && deadline > now()) block(deadline);
  else collect();

  // What a waking thread did before wake() must be seen by this turn.
  if (wake_state_.load(std::memory_order_relaxed) != Awake) {
    wake_state_.exchange(Awake, std::memory_order_acq_rel);
  }
}

void AsioDriver::wait_with_asio(Instant deadline) {
  // An edge of our set is also an edge for Asio, so blocking without a look at the set is safe once a look
  // came back with less than it could take (nothing is left in it). The look pays only under load: when the
  // last one brought several events, the next one will bring some too.
  const bool look_first = last_count_ > 1 || level_seen_ || !again_.empty();
  const bool found = look_first && collect();
  if (!found && again_.empty() && deadline > now()) {
    block(deadline);
  } else {
    if (!look_first) collect();
    if (++turns_since_asio_ >= asio_poll_turns) poll_asio();
  }
}

void AsioDriver::wake() {
  // Only a sleeping thread needs the system call, and only one of those who wake it makes it. The counter is
  // never read: the set is edge-triggered, so each write is an event of its own.
  if (wake_state_.exchange(Woken, std::memory_order_acq_rel) == Sleeping) eventfd_write(wake_fd_.get(), 1);
}

void AsioDriver::hand_out(EventTarget* target, uint32_t events) {
  if (!target) return;  // the wake descriptor, or one that is gone
  current_ = target;
  target->on_events(events);
  current_ = nullptr;
}

void AsioDriver::dispatch() {
  const Instant latest = now() + limits::turn_time_max;
  int handled = 0;
  const auto is_over = [&] {
    ++handled;
    return handled >= limits::turn_events_max || (handled % events_per_look == 0 && now() >= latest);
  };

  // Only what was there at the beginning: handlers may ask for more.
  size_t taken = 0;
  bool over = false;
  for (const size_t until = again_.size(); taken < until && !over; over = is_over()) {
    const Pending pending = again_[taken++];
    hand_out(pending.target, pending.events);
  }
  if (taken > 0) again_.erase(again_.begin(), again_.begin() + static_cast<ptrdiff_t>(taken));

  for (; next_ < count_ && !over; over = is_over()) {
    const epoll_event event = batch_[next_++];
    hand_out(static_cast<EventTarget*>(event.data.ptr), event.events);
  }
}

void AsioDriver::forget(EventTarget* target) {
  for (size_t i = next_; i < count_; ++i) {
    if (batch_[i].data.ptr == target) batch_[i].data.ptr = nullptr;
  }
  for (Pending& pending : again_) {
    if (pending.target == target) pending.target = nullptr;
  }
  if (current_ == target) current_ = nullptr;
}

}  // namespace perilune::net
