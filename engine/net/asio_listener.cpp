#include "net/asio_listener.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>

#include "base/limits.hpp"
#include "net/asio_stream.hpp"

namespace perilune::net {

namespace {

// Connections taken in one go; the rest waits for the next turn, so that a flood of newcomers does not keep
// the others waiting.
constexpr int accepts_per_turn = 64;

// Errors of one connection that has gone meanwhile (accept(2), "Error handling"): the next one may be well.
bool is_of_one_connection(int error_number) {
  switch (error_number) {
    case ECONNABORTED:
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH: return true;
    default: return false;
  }
}

}  // namespace

AsioListener::AsioListener(AsioDriver& driver, loop::Loop& loop, LentSocket socket, ListenHandler& handler)
    : EventTarget(driver),
      loop_(loop),
      socket_(std::move(socket)),
      handler_(&handler),
      first_spare_(first_spare_descriptor()) {}

Result<std::unique_ptr<AsioListener>> AsioListener::make(AsioDriver& driver, loop::Loop& loop,
                                                         LentSocket socket, ListenHandler& handler) {
  std::unique_ptr<AsioListener> listener(new AsioListener(driver, loop, std::move(socket), handler));
  // EPOLLEXCLUSIVE would do nothing for a shared unix socket: it counts threads that block on our own set,
  // and ours block on Asio's, which watches it. All workers wake, and the first one takes the newcomer.
  if (!driver.watch(listener->socket_.native_handle(), EPOLLIN, *listener)) {
    return Error{ErrorCode::Resources, Side::Engine, describe_failure(listener->local(), errno)};
  }
  return listener;
}

AsioListener::~AsioListener() {
  if (destroyed_) *destroyed_ = true;
  is_paused_ = false;
  is_ending_ = true;
  rest_timer_.disarm();
  if (socket_.is_shared()) driver_.unwatch(socket_.native_handle());  // other workers keep it open
  // What the kernel has completed would be reset with the socket.
  while (accept_some() == Round::Full) {
  }
}

void AsioListener::resume() {
  if (!is_paused_) return;
  is_paused_ = false;
  driver_.redeliver(*this, EPOLLIN);
}

size_t AsioListener::waiting() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  const int fd = socket_.native_handle();
  // Of a listening socket this field is the length of its queue (Linux, tcp_get_info).
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) return info.tcpi_unacked;
  pollfd readable{fd, POLLIN, 0};
  return poll(&readable, 1, 0) == 1 ? 1 : 0;
}

void AsioListener::hand_over(ListenHandler& handler, const ListenOptions& options) {
  handler_ = &handler;
  // On a socket that listens already it changes the length of its queue.
  ::listen(socket_.native_handle(), options.backlog);
}

void AsioListener::on_events(uint32_t) {
  if (is_paused_ || rest_timer_.is_armed()) return;
  AsioDriver& driver = driver_;
  const Round round = accept_some();
  if (driver.is_current(this) && round == Round::Full) driver.redeliver(*this, EPOLLIN);
}

AsioListener::Round AsioListener::accept_some() {
  bool is_destroyed = false;
  bool* const outer = destroyed_;
  destroyed_ = &is_destroyed;
  Round round = Round::Full;
  for (int i = 0; i < accepts_per_turn && round == Round::Full; ++i) {
    if (!is_ending_ && !handler_->may_accept()) {
      if (is_destroyed) return Round::Stopped;
      round = Round::Stopped;
      break;
    }
    SocketAddress peer;
    socklen_t size = sizeof peer.path;
    Descriptor fd(accept4(socket_.native_handle(), &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.is_open()) {
      if (is_of_one_connection(errno)) continue;
      round = errno == EAGAIN ? Round::Drained : Round::Stopped;
      if (round == Round::Stopped) rest(errno);
      if (is_destroyed) return Round::Stopped;
      break;
    }
    const bool is_last = fd.get() >= first_spare_;
    auto stream = AsioStream::make(driver_, std::move(fd), PackedEndpoint::of(peer));
    const int shortage = !stream ? errno : is_last ? EMFILE : 0;
    if (stream) handler_->on_accept(std::move(stream));
    if (is_destroyed) return Round::Stopped;
    if (shortage != 0) rest(shortage);
    if (is_destroyed) return Round::Stopped;
    if (shortage != 0 || is_paused_) round = Round::Stopped;
  }
  destroyed_ = outer;
  return round;
}

void AsioListener::rest(int error_number) {
  loop_.arm(rest_timer_, limits::accept_pause);
  handler_->on_accept_paused({ErrorCode::Resources, Side::Engine, describe_failure(local(), error_number)});
}

bool AsioListener::has_spare_descriptors() const {
  const Descriptor probe(fcntl(socket_.native_handle(), F_DUPFD_CLOEXEC, 0));
  return probe.is_open() && probe.get() < first_spare_;
}

void AsioListener::on_rested() {
  first_spare_ = first_spare_descriptor();
  if (!has_spare_descriptors()) return rest(EMFILE);
  // The edges of this time are gone.
  if (!is_paused_) driver_.redeliver(*this, EPOLLIN);
}

}  // namespace perilune::net
