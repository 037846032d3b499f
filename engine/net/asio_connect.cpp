#include "net/asio_connect.hpp"

#include <netinet/tcp.h>

#include <cerrno>

namespace perilune::net {

namespace {

bool is_shortage(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS ||
         error_number == ENOMEM || error_number == ENOSPC;
}

ErrorCode code_of(int error_number) {
  return is_shortage(error_number) ? ErrorCode::Resources : ErrorCode::ConnectFailure;
}

int bind_local(int fd, const Address& local) {
  const auto source = to_socket_address(local);
  if (!source) return EADDRNOTAVAIL;
  const int on = 1;
  // The kernel picks the port at connect, when it knows the other end: 28,000 connections per upstream
  // address, not in all.
  if (local.port == 0) setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  return bind(fd, &source->any, source->size) == 0 ? 0 : errno;
}

}  // namespace

AsioConnect::AsioConnect(AsioDriver& driver, const Address& address, const ConnectOptions& options,
                         ConnectHandler& handler)
    : EventTarget(driver), address_(address), handler_(handler) {
  start(options);
}

void AsioConnect::start(const ConnectOptions& options) {
  const auto target = to_socket_address(address_);
  if (!target) return fail_later(ErrorCode::ConnectFailure, address_.to_string() + ": not an address");
  Descriptor fd(socket(target->family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return fail_later(code_of(errno), describe_failure(address_, errno));
  const int number = fd.get();
  if (target->family() != AF_UNIX) {
    const int on = 1;
    setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (!options.bind.host.empty()) {
    const int failure = bind_local(number, options.bind);
    if (failure != 0) {
      return fail_later(code_of(failure),
                        describe_failure(address_, failure) + " (from " + options.bind.to_string() + ")");
    }
  }
  // A unix socket whose backlog is full says EAGAIN: it never becomes ready by itself, so it is a failure.
  const bool connected = connect(number, &target->any, target->size) == 0;
  if (!connected && errno != EINPROGRESS)
    return fail_later(code_of(errno), describe_failure(address_, errno));

  // Watched only now: an unconnected socket would report EPOLLHUP at once.
  stream_ = AsioStream::make(driver_, std::move(fd), PackedEndpoint::of(*target));
  if (!stream_) return fail_later(ErrorCode::Resources, describe_failure(address_, errno));
  stream_->begin_connecting(*this);
}

void AsioConnect::fail_later(ErrorCode code, std::string detail) {
  error_ = {code, Side::Upstream, std::move(detail)};
  driver_.redeliver(*this, 0);
}

void AsioConnect::on_events(uint32_t) { handler_.on_connected(std::move(error_)); }

void AsioConnect::on_connect_ready(uint32_t events) {
  int failure = 0;
  if (events & (EPOLLERR | EPOLLHUP)) {
    socklen_t size = sizeof failure;
    getsockopt(stream_->native_handle(), SOL_SOCKET, SO_ERROR, &failure, &size);
  } else if (!(events & EPOLLOUT)) {
    return;
  }
  // The handler may destroy this operation.
  std::unique_ptr<AsioStream> stream = std::move(stream_);
  ConnectHandler& handler = handler_;
  if (failure != 0) {
    const Error error{code_of(failure), Side::Upstream, describe_failure(address_, failure)};
    stream.reset();
    return handler.on_connected(error);
  }
  stream->finish_connecting(events);
  handler.on_connected(std::unique_ptr<Stream>(std::move(stream)));
}

}  // namespace perilune::net
