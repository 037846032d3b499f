#include "net/asio_stream.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

namespace perilune::net {

namespace {

constexpr uint32_t stream_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
constexpr uint32_t broken_events = EPOLLHUP | EPOLLERR;
constexpr uint32_t end_events = EPOLLRDHUP | broken_events;

size_t total_bytes(std::span<const iovec> entries) {
  size_t total = 0;
  for (const iovec& entry : entries) total += entry.iov_len;
  return total;
}

Transfer failure(int error_number) {
  // A timed-out or unreachable connection is gone just as a reset one is.
  const bool is_gone = error_number == ECONNRESET || error_number == EPIPE || error_number == ETIMEDOUT ||
                       error_number == EHOSTUNREACH || error_number == ENETUNREACH ||
                       error_number == ENOTCONN || error_number == ECONNABORTED ||
                       error_number == ECONNREFUSED;
  return {Transfer::Status::Failed, 0, is_gone ? ErrorCode::Reset : ErrorCode::Resources};
}

}  // namespace

AsioStream::AsioStream(AsioDriver& driver, Descriptor fd, const PackedEndpoint& peer)
    : EventTarget(driver), fd_(std::move(fd)), peer_(peer) {}

std::unique_ptr<AsioStream> AsioStream::make(AsioDriver& driver, Descriptor fd, const PackedEndpoint& peer) {
  driver.note_descriptor(fd.get());
  std::unique_ptr<AsioStream> stream(new AsioStream(driver, std::move(fd), peer));
  if (!driver.watch(stream->fd_.get(), stream_events, *stream)) return nullptr;
  return stream;
}

AsioStream::~AsioStream() {
  if (has(reset_on_close_flag)) {
    const linger none{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
}

bool AsioStream::is_quiet() const {
  char byte;
  ssize_t got;
  do got = recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  while (got < 0 && errno == EINTR);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void AsioStream::begin_connecting(ConnectWatcher& watcher) {
  flags_ |= connecting_flag;
  watcher_ = &watcher;
}

void AsioStream::finish_connecting(uint32_t events) {
  clear(connecting_flag);
  handler_ = nullptr;
  // Bytes that came together with the connection were announced to the watcher only.
  if (events & (EPOLLIN | end_events)) driver_.redeliver(*this, events);
}

void AsioStream::on_events(uint32_t events) {
  if (has(connecting_flag)) return watcher_->on_connect_ready(events);

  AsioDriver& driver = driver_;
  // An event shows the whole state of the socket, also what was told before and still waits. News is what
  // comes after the socket was drained, and an end or an error seen for the first time.
  bool is_news = (events & (EPOLLIN | end_events)) != 0 && !has(reported_flag);
  if ((events & end_events) && !has(ending_flag)) flags_ |= ending_flag;
  if (events & EPOLLERR) flags_ |= error_flag;
  if ((events & broken_events) && !has(broken_flag)) {
    flags_ |= broken_flag;
    is_news = true;
  }
  if (is_news) {
    flags_ |= reported_flag;
    clear(drained_flag);
    if (handler_) handler_->on_readable();
    if (!driver.is_current(this)) return;
  }
  if (has(full_flag) && (events & (EPOLLOUT | broken_events))) {
    clear(full_flag);
    if (handler_) handler_->on_writable();
  }
}

Transfer AsioStream::read(std::span<const iovec> room) {
  if (has(drained_flag)) return {};
  ssize_t count;
  do {
    count = room.size() == 1
                ? recv(fd_.get(), room[0].iov_base, room[0].iov_len, 0)
                : readv(fd_.get(), room.data(), static_cast<int>(std::min<size_t>(room.size(), IOV_MAX)));
  } while (count < 0 && errno == EINTR);
  if (count > 0) {
    const auto bytes = static_cast<size_t>(count);
    // A short read says that the socket is empty, and what arrives later is announced. But an end or an error
    // that was announced already is not announced again.
    if (!has(ending_flag) && bytes < total_bytes(room)) set_drained();
    return {Transfer::Status::Done, bytes};
  }
  if (count == 0) return {Transfer::Status::Ended};
  if (errno != EAGAIN) return failure(errno);
  set_drained();
  return {};
}

Transfer AsioStream::write(std::span<const iovec> data) {
  if (has(full_flag)) return {};
  ssize_t count;
  do {
    if (data.size() == 1) {
      count = send(fd_.get(), data[0].iov_base, data[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(data.data());
      message.msg_iovlen = std::min<size_t>(data.size(), IOV_MAX);
      count = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    }
  } while (count < 0 && errno == EINTR);
  if (count < 0) {
    if (errno != EAGAIN) return failure(errno);
    flags_ |= full_flag;
    return {};
  }
  const auto bytes = static_cast<size_t>(count);
  // The kernel stopped for lack of room, so it will announce room: the next write need not ask.
  if (bytes < total_bytes(data) && data.size() <= IOV_MAX) flags_ |= full_flag;
  return {Transfer::Status::Done, bytes};
}

void AsioStream::shutdown_write() { shutdown(fd_.get(), SHUT_WR); }

Address AsioStream::local() const {
  SocketAddress address;
  socklen_t size = sizeof address.path;
  if (getsockname(fd_.get(), &address.any, &size) != 0) return {};
  address.size = size;
  return to_address(address);
}

Address AsioStream::peer() const {
  if (peer_.kind != Address::Kind::Unix) return peer_.unpack();
  SocketAddress address;
  socklen_t size = sizeof address.path;
  if (getpeername(fd_.get(), &address.any, &size) != 0) return {Address::Kind::Unix, {}, 0};
  address.size = size;
  return to_address(address);
}

}  // namespace perilune::net
