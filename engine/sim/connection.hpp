#pragma once

#include <deque>
#include <string>

#include "net/network.hpp"
#include "sim/world.hpp"

namespace perilune::sim {

class SimStream;

/// One TCP connection: two directions, each a queue of segments on the way and of bytes that have arrived. It
/// behaves as TCP does where it hurts: a reset overtakes and destroys what is on the way, closing with unread
/// bytes is a reset, and bytes for a side that is closed are answered by one.
class SimConnection {
 public:
  enum Side : uint8_t { Client, Server };

  SimConnection(SimWorld& world, uint64_t id, const net::Address& server, const net::Address& client);
  SimConnection(const SimConnection&) = delete;
  SimConnection& operator=(const SimConnection&) = delete;

  uint64_t id() const { return id_; }
  const net::Address& address_of(Side side) const { return side == Client ? client_ : server_; }

  /// Nobody will ever take the server's side.
  void make_silent() { is_silent_ = true; }
  /// The stream that is told of news; its side may have some already.
  void attach(Side side, SimStream& stream);
  net::Transfer read(Side side, std::span<const iovec> room);
  net::Transfer write(Side side, std::span<const iovec> data);
  void shutdown_write(Side side);
  bool was_reset(Side side) const { return ends_[side].is_reset; }
  bool is_quiet(Side side) const {
    const Direction& incoming = directions_[other(side)];
    return incoming.unread() == 0 && !incoming.fin_arrived && !ends_[side].is_reset;
  }
  enum class Close : uint8_t { Plain, Reset };
  /// The side is gone; the connection itself is destroyed when both are.
  void close(Side side, Close how);

 private:
  enum class Kind : uint8_t { Bytes, Fin, Reset };
  struct Segment {
    Kind kind;
    std::string bytes = {};
    Instant arrival = {};
  };
  /// From one side to the other.
  struct Direction {
    std::deque<Segment> on_the_way;
    size_t bytes_on_the_way = 0;
    std::string arrived;
    size_t taken = 0;  // of `arrived`
    Instant last_arrival{};
    uint64_t bytes_sent = 0;
    uint64_t reset_at = UINT64_MAX;  // of bytes sent
    uint64_t cut_at = UINT64_MAX;
    bool is_cut = false;
    bool fin_sent = false;
    bool fin_arrived = false;
    bool room_is_coming = false;
    size_t unread() const { return arrived.size() - taken; }
  };
  struct End {
    SimStream* stream = nullptr;
    bool is_closed = false;
    bool is_reset = false;
    bool is_reported = false;  // on_readable was called, and a read has not said Blocked since
    bool is_full = false;      // a write was cut short, and no room has been announced since
  };

  static Side other(Side side) { return side == Client ? Server : Client; }
  Direction& from(Side side) { return directions_[side]; }
  Direction& to(Side side) { return directions_[other(side)]; }

  void set_up_faults();
  Duration delay();
  /// Does `step` after `delay`, or when a partition that began meanwhile has healed.
  void schedule(Instant when, Side side, void (SimConnection::*step)(Side));
  void send(Side side, Segment segment);
  void send_bytes(Side side, std::string bytes);
  void send_reset(Side side);
  void deliver(Side from_side);
  void announce_room(Side side);
  void receive_reset(Side side);
  void tell_readable(Side side);
  size_t room(Side side);

  SimWorld& world_;
  const uint64_t id_;
  const net::Address server_;
  const net::Address client_;
  Duration latency_;
  uint64_t bytes_per_second_;
  bool is_silent_ = false;
  Direction directions_[2];
  End ends_[2];
};

}  // namespace perilune::sim
