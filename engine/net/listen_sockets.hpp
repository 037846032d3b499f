#pragma once

#include <sys/types.h>

#include <list>
#include <mutex>
#include <vector>

#include "net/descriptor.hpp"
#include "net/network.hpp"

namespace perilune::net {

class LentSocket;

/// The listening sockets of the process, by address; one object for all workers, who may ask from any thread.
///
/// TCP: every worker gets a socket of its own in one reuse group (SO_REUSEPORT), so the kernel spreads the
/// newcomers. That option would also let a second process in, so the first worker at an address finds out
/// whether it is free without it. Port 0: all workers share the port that the first one was given; a worker
/// that asks for port 0 again gets another port, shared with the others that ask again.
/// Unix: one descriptor for all workers. A socket file is replaced when nobody answers at it, and removed
/// when the last worker gives the socket back.
class ListenSockets {
 public:
  ListenSockets() = default;
  ListenSockets(const ListenSockets&) = delete;
  ListenSockets& operator=(const ListenSockets&) = delete;

  /// `worker` tells workers apart. Errors (Side::Engine): Resources with the system's sentence, also when
  /// this worker has the address already.
  Result<LentSocket> lend(const Address& address, const ListenOptions& options, const void* worker);
  /// Addresses that some worker listens on.
  size_t addresses() const;

 private:
  friend class LentSocket;
  struct Group {
    Address asked;
    Address bound;
    std::vector<const void*> workers;
    Descriptor shared = {};  // unix only
    dev_t device = 0;        // of the socket file, to remove no other
    ino_t inode = 0;
  };

  Group* joinable(const Address& address, const void* worker);
  Result<LentSocket> join(Group& group, const ListenOptions& options, const void* worker);
  void give_back(Group& group, const void* worker);

  mutable std::mutex mutex_;
  std::list<Group> groups_;
};

/// A listening socket in the hands of one worker; non-blocking. Goes back when destroyed.
class LentSocket {
 public:
  LentSocket(LentSocket&& other) noexcept;
  LentSocket& operator=(LentSocket&&) = delete;
  ~LentSocket();

  int native_handle() const { return own_.is_open() ? own_.get() : group_->shared.get(); }
  /// With the real port.
  const Address& local() const { return group_->bound; }
  /// Other workers hold the same descriptor.
  bool is_shared() const { return !own_.is_open(); }

 private:
  friend class ListenSockets;
  LentSocket(ListenSockets& owner, ListenSockets::Group& group, const void* worker, Descriptor own)
      : owner_(&owner), group_(&group), worker_(worker), own_(std::move(own)) {}

  ListenSockets* owner_;
  ListenSockets::Group* group_;
  const void* worker_;
  Descriptor own_;
};

}  // namespace perilune::net
