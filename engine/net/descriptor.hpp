#pragma once

#include <unistd.h>

#include <utility>

namespace perilune::net {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void close() { Descriptor closing(std::move(*this)); }

 private:
  int fd_ = -1;
};

/// The lowest descriptor number that is kept free for logs and scripts (limits::spare_descriptors below the
/// process's limit). The kernel hands out the lowest free number, so a number tells how many are left.
int first_spare_descriptor();

}  // namespace perilune::net
