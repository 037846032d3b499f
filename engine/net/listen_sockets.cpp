#include "net/listen_sockets.hpp"

#include <netinet/tcp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "net/socket_address.hpp"

namespace perilune::net {

namespace {

enum class Reuse : bool { Alone, Group };

Error failed(const Address& address, int error_number) {
  return {ErrorCode::Resources, Side::Engine, describe_failure(address, error_number)};
}

void set_option(int fd, int level, int name) {
  const int on = 1;
  setsockopt(fd, level, name, &on, sizeof on);
}

Result<Descriptor> open_socket(const Address& address, const SocketAddress& target) {
  Descriptor fd(socket(target.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return failed(address, errno);
  return fd;
}

Result<Descriptor> bind_tcp(const Address& address, Reuse reuse) {
  const auto target = to_socket_address(address);
  if (!target) return failed(address, EADDRNOTAVAIL);
  auto fd = open_socket(address, *target);
  if (!fd) return fd;
  const int number = fd->get();
  set_option(number, SOL_SOCKET, SO_REUSEADDR);  // connections of an earlier run may linger in TIME_WAIT
  if (reuse == Reuse::Group) set_option(number, SOL_SOCKET, SO_REUSEPORT);
  // [::] and 0.0.0.0 are two addresses, whatever the system's default is.
  if (target->family() == AF_INET6) set_option(number, IPPROTO_IPV6, IPV6_V6ONLY);
  // Accepted sockets inherit it: a system call saved per connection.
  set_option(number, IPPROTO_TCP, TCP_NODELAY);
  if (bind(number, &target->any, target->size) != 0) return failed(address, errno);
  return fd;
}

Result<Address> bound_address(int fd, const Address& asked) {
  SocketAddress bound;
  socklen_t size = sizeof bound.path;
  if (getsockname(fd, &bound.any, &size) != 0) return failed(asked, errno);
  bound.size = size;
  return to_address(bound);
}

bool someone_answers(const SocketAddress& target) {
  const Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return connect(fd.get(), &target.any, target.size) == 0 || errno == EAGAIN;
}

bool is_socket_file(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

Result<Descriptor> bind_unix(const Address& address, unsigned mode) {
  const auto target = to_socket_address(address);
  if (!target) return failed(address, ENAMETOOLONG);
  auto fd = open_socket(address, *target);
  if (!fd) return fd;
  // The file gets what the unbound socket has (and the umask leaves): nobody can be faster.
  if (mode != 0 && fchmod(fd->get(), mode) != 0) return failed(address, errno);
  if (bind(fd->get(), &target->any, target->size) == 0) return fd;
  if (errno != EADDRINUSE) return failed(address, errno);
  if (!is_socket_file(address.host)) return failed(address, EEXIST);
  if (someone_answers(*target)) return failed(address, EADDRINUSE);
  unlink(address.host.c_str());
  if (bind(fd->get(), &target->any, target->size) != 0) return failed(address, errno);
  return fd;
}

}  // namespace

ListenSockets::Group* ListenSockets::joinable(const Address& address, const void* worker) {
  for (Group& group : groups_) {
    if (group.asked == address && std::ranges::find(group.workers, worker) == group.workers.end())
      return &group;
  }
  return nullptr;
}

Result<LentSocket> ListenSockets::join(Group& group, const ListenOptions& options, const void* worker) {
  Descriptor own;
  if (!group.shared.is_open()) {
    auto fd = bind_tcp(group.bound, Reuse::Group);
    if (!fd) return fd.error();
    if (listen(fd->get(), options.backlog) != 0) return failed(group.bound, errno);
    own = std::move(*fd);
    if (group.bound.port == 0) {
      auto bound = bound_address(own.get(), group.asked);
      if (!bound) return bound.error();
      group.bound = std::move(*bound);
    }
  }
  group.workers.push_back(worker);
  return LentSocket(*this, group, worker, std::move(own));
}

Result<LentSocket> ListenSockets::lend(const Address& address, const ListenOptions& options,
                                       const void* worker) {
  if (address.needs_resolving()) {
    return Error{ErrorCode::Resources, Side::Engine,
                 address.to_string() + ": listening needs an IP address or a unix socket's path"};
  }
  const std::lock_guard lock(mutex_);
  if (Group* group = joinable(address, worker)) return join(*group, options, worker);

  Group group{.asked = address, .bound = address, .workers = {}};
  if (address.kind == Address::Kind::Unix) {
    auto fd = bind_unix(address, options.unix_mode);
    if (!fd) return fd.error();
    struct stat status {};
    if (listen(fd->get(), options.backlog) != 0 || lstat(address.host.c_str(), &status) != 0) {
      return failed(address, errno);
    }
    group.device = status.st_dev;
    group.inode = status.st_ino;
    group.shared = std::move(*fd);
  } else if (address.port != 0) {
    // The probe is closed before the real bind, which differs from it by SO_REUSEPORT only.
    if (auto probe = bind_tcp(address, Reuse::Alone); !probe) return probe.error();
  }
  groups_.push_back(std::move(group));
  auto lent = join(groups_.back(), options, worker);
  if (!lent) groups_.pop_back();
  return lent;
}

void ListenSockets::give_back(Group& group, const void* worker) {
  const std::lock_guard lock(mutex_);
  std::erase(group.workers, worker);
  if (!group.workers.empty()) return;
  if (group.shared.is_open()) {
    struct stat status;
    const bool is_ours = lstat(group.asked.host.c_str(), &status) == 0 && status.st_dev == group.device &&
                         status.st_ino == group.inode;
    if (is_ours) unlink(group.asked.host.c_str());
  }
  groups_.remove_if([&](const Group& other) { return &other == &group; });
}

size_t ListenSockets::addresses() const {
  const std::lock_guard lock(mutex_);
  return groups_.size();
}

LentSocket::LentSocket(LentSocket&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      group_(other.group_),
      worker_(other.worker_),
      own_(std::move(other.own_)) {}

LentSocket::~LentSocket() {
  if (!owner_) return;
  own_.close();
  owner_->give_back(*group_, worker_);
}

}  // namespace perilune::net
