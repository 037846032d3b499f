// The ceiling of the benchmark: a TCP relay that parses nothing. One thread, edge-triggered epoll, one
// upstream connection per client connection, one recv and one send per direction and message.
//
// Usage: relay LISTEN_PORT UPSTREAM_PORT      (both on 127.0.0.1; LISTEN_PORT 0 picks one)
// Prints "listening on PORT" once it accepts. Ends by SIGTERM or SIGINT.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr size_t read_bytes_max = 64 * 1024;
constexpr uint32_t interest = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Pair;

/// One of the two sockets of a pair, and what could not be written to it yet.
struct End {
  Pair* pair = nullptr;
  End* other = nullptr;
  int socket = -1;
  bool readable = false;     // readiness seen while the other end could not take more
  bool input_over = false;   // the end of its input was read
  bool output_over = false;  // and passed on to this one
  std::string unwritten;
};

struct Pair {
  End client, upstream;
  bool connected = false;
  bool dead = false;
};

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class Relay {
 public:
  Relay(uint16_t listen_port, uint16_t upstream_port) : upstream_address_(loopback(upstream_port)) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) give_up("epoll_create1");
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address = loopback(listen_port);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("bind");
    if (listen(listener_, 1024) != 0) give_up("listen");
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    watch(listener_, nullptr);
    std::printf("listening on %u\n", unsigned{ntohs(address.sin_port)});
    std::fflush(stdout);
  }

  void run() {
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) give_up("epoll_wait");
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        if (event.data.ptr == nullptr) accept_all();
        else on_ready(*static_cast<End*>(event.data.ptr), event.events);
      }
      // Both ends of a pair may be in one batch of events, so pairs die after it.
      graveyard_.clear();
    }
  }

 private:
  void watch(int socket, End* end) {
    epoll_event event{};
    event.events = end == nullptr ? static_cast<uint32_t>(EPOLLIN) | EPOLLET : interest;
    event.data.ptr = end;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) give_up("epoll_ctl");
  }

  void accept_all() {
    for (;;) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client < 0) return;
      open_pair(client);
    }
  }

  void open_pair(int client) {
    const int on = 1;
    const int upstream = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (upstream < 0) {
      ::close(client);
      return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(upstream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* pair = new Pair;
    pair->client = {.pair = pair, .other = &pair->upstream, .socket = client, .unwritten = {}};
    pair->upstream = {.pair = pair, .other = &pair->client, .socket = upstream, .unwritten = {}};
    const auto* address = reinterpret_cast<const sockaddr*>(&upstream_address_);
    if (connect(upstream, address, sizeof upstream_address_) != 0 && errno != EINPROGRESS) {
      close_pair(*pair);
      return;
    }
    watch(client, &pair->client);
    watch(upstream, &pair->upstream);
  }

  void on_ready(End& end, uint32_t events) {
    Pair& pair = *end.pair;
    if (pair.dead) return;
    if ((events & (EPOLLERR | EPOLLHUP)) == EPOLLERR) return close_pair(pair);
    if ((events & EPOLLOUT) != 0) {
      if (&end == &pair.upstream) pair.connected = true;
      if (!flush(end)) return;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) == 0) return;
    end.readable = true;
    // A short read says that the socket is empty, except when its end may follow.
    pump(end, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
  }

  /// Moves what `from` has to the other end, as long as that takes it.
  void pump(End& from, bool to_the_end) {
    End& to = *from.other;
    while (from.readable && !from.input_over && to.unwritten.empty() && from.pair->connected) {
      const ssize_t count = recv(from.socket, bytes_.data(), bytes_.size(), 0);
      if (count > 0) {
        if (!write(to, static_cast<size_t>(count))) return;
        if (static_cast<size_t>(count) < bytes_.size() && !to_the_end) from.readable = false;
      } else if (count == 0) {
        from.input_over = true;
        if (to.unwritten.empty()) end_output(to);
        return;
      } else if (errno == EAGAIN) {
        from.readable = false;
      } else if (errno != EINTR) {
        return close_pair(*from.pair);
      }
    }
  }

  /// Writes the first `count` of bytes_ and keeps what does not fit. False when the pair is closed.
  bool write(End& to, size_t count) {
    const ssize_t written = send(to.socket, bytes_.data(), count, MSG_NOSIGNAL);
    if (written < 0 && errno != EAGAIN) {
      close_pair(*to.pair);
      return false;
    }
    const size_t done = written < 0 ? 0 : static_cast<size_t>(written);
    if (done < count) to.unwritten.assign(bytes_.data() + done, count - done);
    return true;
  }

  /// Writes what is left of an earlier write, then lets the other end read on. False when the pair is closed.
  bool flush(End& end) {
    if (!end.unwritten.empty()) {
      const ssize_t written = send(end.socket, end.unwritten.data(), end.unwritten.size(), MSG_NOSIGNAL);
      if (written < 0 && errno != EAGAIN) {
        close_pair(*end.pair);
        return false;
      }
      if (written > 0) end.unwritten.erase(0, static_cast<size_t>(written));
      if (!end.unwritten.empty()) return true;
    }
    Pair& pair = *end.pair;
    if (end.other->input_over && !end.output_over) end_output(end);
    else if (end.other->readable) pump(*end.other, true);
    return !pair.dead;
  }

  void end_output(End& end) {
    shutdown(end.socket, SHUT_WR);
    end.output_over = true;
    if (end.other->output_over) close_pair(*end.pair);
  }

  void close_pair(Pair& pair) {
    if (pair.dead) return;
    pair.dead = true;
    ::close(pair.client.socket);
    ::close(pair.upstream.socket);
    graveyard_.emplace_back(&pair);
  }

  int epoll_ = -1;
  int listener_ = -1;
  sockaddr_in upstream_address_;
  std::array<char, read_bytes_max> bytes_;
  std::vector<std::unique_ptr<Pair>> graveyard_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fputs("usage: relay LISTEN_PORT UPSTREAM_PORT\n", stderr);
    return 2;
  }
  Relay relay(static_cast<uint16_t>(std::atoi(words[1])), static_cast<uint16_t>(std::atoi(words[2])));
  relay.run();
}
