#pragma once

#include "net/asio_driver.hpp"
#include "net/descriptor.hpp"
#include "net/network.hpp"
#include "net/socket_address.hpp"

namespace perilune::net {

/// What a stream is while its connection is being made: the connecting operation is told instead of a
/// handler.
class ConnectWatcher {
 public:
  virtual void on_connect_ready(uint32_t events) = 0;

 protected:
  ~ConnectWatcher() = default;
};

/// A TCP or unix stream socket, watched once and for all its life for both directions, edge-triggered: no
/// system call but those that move bytes. 56 bytes; the buffers are the caller's.
class AsioStream final : public Stream, private EventTarget {
 public:
  /// Watches `fd`, which is non-blocking. None when the kernel refuses, with errno set.
  static std::unique_ptr<AsioStream> make(AsioDriver& driver, Descriptor fd, const PackedEndpoint& peer);
  ~AsioStream() override;

  void set_handler(StreamHandler* handler) override { handler_ = handler; }
  Transfer read(std::span<const iovec> room) override;
  Transfer write(std::span<const iovec> data) override;
  void shutdown_write() override;
  void reset_on_close() override { flags_ |= reset_on_close_flag; }
  Address local() const override;
  Address peer() const override;

  int native_handle() const { return fd_.get(); }
  /// From now on events go to `watcher` alone.
  void begin_connecting(ConnectWatcher& watcher);
  /// Back to a handler, which is still to be set. `events` are those that the watcher was given.
  void finish_connecting(uint32_t events);

  bool was_reset() const override { return has(error_flag); }
  bool is_quiet() const override;

 private:
  enum Flag : uint8_t {
    drained_flag = 1,   // a read came back short or empty, and nothing has arrived since
    reported_flag = 2,  // on_readable was called and the socket was not drained since
    ending_flag = 4,    // the kernel announced an end: only a read tells which
    broken_flag = 8,    // the kernel announced an error or the end of both directions
    full_flag = 16,     // a write was cut short, and no room has been announced since
    reset_on_close_flag = 32,
    connecting_flag = 64,
    error_flag = 128,  // the kernel announced an error: a reset
  };
  AsioStream(AsioDriver& driver, Descriptor fd, const PackedEndpoint& peer);

  void on_events(uint32_t events) override;
  bool has(Flag flag) const { return (flags_ & flag) != 0; }
  void clear(Flag flag) { flags_ &= static_cast<uint8_t>(~flag); }

  void set_drained() { flags_ = static_cast<uint8_t>((flags_ | drained_flag) & ~reported_flag); }

  union {
    StreamHandler* handler_ = nullptr;
    ConnectWatcher* watcher_;
  };
  Descriptor fd_;
  [[no_unique_address]] PackedEndpoint peer_;
  uint8_t flags_ = 0;  // in the endpoint's padding
};

static_assert(sizeof(AsioStream) <= 56, "every idle connection pays for it");

}  // namespace perilune::net
