#include "sim/connection.hpp"

#include <algorithm>

#include "sim/stream.hpp"

namespace perilune::sim {

namespace {

// A slow link carries long writes in pieces of this size, or the first byte would come with the last.
constexpr size_t slow_segment_bytes = 1460;

size_t total_bytes(std::span<const iovec> entries) {
  size_t total = 0;
  for (const iovec& entry : entries) total += entry.iov_len;
  return total;
}

enum Trace : uint64_t { ReadTrace = 100, WriteTrace, DeliverTrace, CloseTrace };

}  // namespace

SimConnection::SimConnection(SimWorld& world, uint64_t id, const net::Address& server,
                             const net::Address& client)
    : world_(world),
      id_(id),
      server_(server),
      client_(client),
      latency_(world.faults().latency),
      bytes_per_second_(world.faults().bytes_per_second) {
  set_up_faults();
}

void SimConnection::set_up_faults() {
  const SimFaults& faults = world_.faults();
  if (const SimBehaviour* behaviour = world_.behaviour_of(server_)) {
    latency_ = behaviour->latency.value_or(latency_);
    bytes_per_second_ = behaviour->bytes_per_second.value_or(bytes_per_second_);
    from(Server).reset_at = behaviour->reset_after_bytes.value_or(UINT64_MAX);
    from(Server).cut_at = behaviour->cut_after_bytes.value_or(UINT64_MAX);
    return;
  }
  if (world_.draw(faults.reset)) {
    from(Side(world_.below(2))).reset_at = world_.below(faults.fault_bytes_max + 1);
  } else if (world_.draw(faults.cut)) {
    from(Side(world_.below(2))).cut_at = world_.below(faults.fault_bytes_max + 1);
  }
}

Duration SimConnection::delay() {
  const Duration jitter = world_.faults().jitter;
  if (jitter <= 0ns) return latency_;
  return latency_ + Duration(world_.below(static_cast<uint64_t>(jitter.count()) + 1));
}

void SimConnection::schedule(Instant when, Side side, void (SimConnection::*step)(Side)) {
  world_.schedule(when, [&world = world_, id = id_, side, step] {
    SimConnection* connection = world.connection(id);
    if (!connection) return;
    if (world.is_partitioned(connection->server_)) {
      world.held_.push_back([&world, id, side, step] {
        if (SimConnection* healed = world.connection(id)) healed->schedule(world.now(), side, step);
      });
    } else {
      (connection->*step)(side);
    }
  });
}

void SimConnection::send(Side side, Segment segment) {
  Direction& direction = from(side);
  Duration transfer{};
  if (bytes_per_second_ > 0) transfer = Duration(segment.bytes.size() * 1'000'000'000 / bytes_per_second_);
  direction.last_arrival = std::max(world_.now() + delay(), direction.last_arrival) + transfer;
  segment.arrival = direction.last_arrival;
  direction.bytes_on_the_way += segment.bytes.size();
  direction.on_the_way.push_back(std::move(segment));
  schedule(direction.last_arrival, side, &SimConnection::deliver);
}

void SimConnection::send_bytes(Side side, std::string bytes) {
  const size_t most = world_.faults().segment_bytes_max;
  for (size_t from_byte = 0; from_byte < bytes.size();) {
    size_t count = bytes.size() - from_byte;
    if (most > 0) {
      count = std::min<size_t>(count, 1 + world_.below(most));
    } else if (bytes_per_second_ > 0) {
      count = std::min(count, slow_segment_bytes);
    }
    send(side, {Kind::Bytes, bytes.substr(from_byte, count)});
    from_byte += count;
  }
}

void SimConnection::send_reset(Side side) {
  // It overtakes and destroys what is on the way.
  Direction& direction = from(side);
  direction.on_the_way.clear();
  direction.bytes_on_the_way = 0;
  direction.last_arrival = {};
  send(side, {Kind::Reset});
}

void SimConnection::attach(Side side, SimStream& stream) {
  ends_[side].stream = &stream;
  if (to(side).unread() > 0 || to(side).fin_arrived || ends_[side].is_reset) tell_readable(side);
}

net::Transfer SimConnection::read(Side side, std::span<const iovec> room_entries) {
  using Status = net::Transfer::Status;
  Direction& direction = to(side);
  End& end = ends_[side];
  if (direction.unread() > 0) {
    size_t count = std::min(direction.unread(), total_bytes(room_entries));
    if (count > 1 && world_.draw(world_.faults().short_read)) count = 1 + world_.below(count);
    size_t left = count;
    for (const iovec& entry : room_entries) {
      const size_t part = std::min(left, entry.iov_len);
      std::copy_n(direction.arrived.data() + direction.taken, part, static_cast<char*>(entry.iov_base));
      direction.taken += part;
      left -= part;
    }
    if (direction.unread() == 0) {
      direction.arrived.clear();
      direction.taken = 0;
    }
    if (ends_[other(side)].is_full && !direction.room_is_coming) {
      direction.room_is_coming = true;
      schedule(world_.now() + delay(), other(side), &SimConnection::announce_room);
    }
    world_.note(ReadTrace, id_, count);
    return {Status::Done, count};
  }
  if (end.is_reset) return {Status::Failed, 0, ErrorCode::Reset};
  if (direction.fin_arrived) return {Status::Ended};
  end.is_reported = false;
  if (world_.draw(world_.faults().spurious)) end.stream->make_ready(SimTarget::Readable);
  return {};
}

size_t SimConnection::room(Side side) {
  const size_t held = from(side).bytes_on_the_way + from(side).unread();
  const size_t most = std::max<size_t>(world_.faults().buffer_bytes, 1);
  return most > held ? most - held : 0;
}

net::Transfer SimConnection::write(Side side, std::span<const iovec> data) {
  using Status = net::Transfer::Status;
  Direction& direction = from(side);
  End& end = ends_[side];
  if (end.is_reset || direction.fin_sent) return {Status::Failed, 0, ErrorCode::Reset};
  if (end.is_full) return {};
  const size_t total = total_bytes(data);
  const size_t free = room(side);
  end.is_full = free < total;
  if (free == 0) return {};
  size_t count = std::min(total, free);
  if (count > 1 && world_.draw(world_.faults().short_write)) {
    count = 1 + world_.below(count);
    end.is_full = false;
  }
  std::string bytes;
  for (const iovec& entry : data) {
    bytes.append(static_cast<const char*>(entry.iov_base), std::min(entry.iov_len, count - bytes.size()));
  }
  world_.note(WriteTrace, id_, count);
  if (direction.is_cut) {  // the other side is closed, as far as anybody can see
    schedule(world_.now() + delay(), side, &SimConnection::receive_reset);
    return {Status::Done, count};
  }
  const uint64_t sent_before = direction.bytes_sent;
  direction.bytes_sent += count;
  const uint64_t end_at = std::min(direction.reset_at, direction.cut_at);
  if (direction.bytes_sent >= end_at) {
    bytes.resize(end_at - sent_before);
    direction.is_cut = true;
  }
  send_bytes(side, std::move(bytes));
  if (direction.is_cut && end_at == direction.reset_at) {
    send(side, {Kind::Reset});
    schedule(world_.now() + delay(), side, &SimConnection::receive_reset);
  } else if (direction.is_cut) {
    send(side, {Kind::Fin});
  }
  return {Status::Done, count};
}

void SimConnection::shutdown_write(Side side) {
  Direction& direction = from(side);
  if (direction.fin_sent || ends_[side].is_reset) return;
  direction.fin_sent = true;
  if (!direction.is_cut) send(side, {Kind::Fin});
}

void SimConnection::close(Side side, Close how) {
  End& end = ends_[side];
  end.is_closed = true;
  end.stream = nullptr;
  world_.note(CloseTrace, id_, side);
  if (ends_[other(side)].is_closed || is_silent_) {
    world_.connections_.erase(id_);  // destroys this object
    return;
  }
  if (end.is_reset) return;
  // Linux answers what its owner never read with a reset, and so do the others.
  if (how == Close::Reset || to(side).unread() > 0) return send_reset(side);
  shutdown_write(side);
}

void SimConnection::deliver(Side from_side) {
  Direction& direction = from(from_side);
  if (direction.on_the_way.empty() || direction.on_the_way.front().arrival > world_.now()) return;
  Segment segment = std::move(direction.on_the_way.front());
  direction.on_the_way.pop_front();
  direction.bytes_on_the_way -= segment.bytes.size();
  world_.note(DeliverTrace, id_, segment.bytes.size());

  const Side side = other(from_side);
  End& end = ends_[side];
  if (end.is_reset) return;
  if (segment.kind == Kind::Reset) return receive_reset(side);
  if (end.is_closed) {
    if (segment.kind == Kind::Bytes)
      schedule(world_.now() + delay(), from_side, &SimConnection::receive_reset);
    return;
  }
  if (segment.kind == Kind::Fin) direction.fin_arrived = true;
  direction.arrived += segment.bytes;
  tell_readable(side);
}

void SimConnection::announce_room(Side side) {
  from(side).room_is_coming = false;
  End& end = ends_[side];
  if (!end.is_full || end.is_closed) return;
  end.is_full = false;
  if (end.stream) end.stream->make_ready(SimTarget::Writable);
}

void SimConnection::receive_reset(Side side) {
  End& end = ends_[side];
  if (end.is_reset || end.is_closed) return;
  end.is_reset = true;
  if (world_.draw(world_.faults().reset_loses_unread)) {
    to(side).arrived.clear();
    to(side).taken = 0;
  }
  if (!end.stream) return;
  end.is_reported = true;
  end.stream->make_ready(SimTarget::Readable);
  if (end.is_full) end.stream->make_ready(SimTarget::Writable);
  end.is_full = false;
}

void SimConnection::tell_readable(Side side) {
  End& end = ends_[side];
  if (end.is_reported || !end.stream) return;
  end.is_reported = true;
  end.stream->make_ready(SimTarget::Readable);
}

}  // namespace perilune::sim
