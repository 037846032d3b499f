#include "sim/peer.hpp"

#include <array>

#include "base/expect.hpp"

namespace perilune::sim {

using Status = net::Transfer::Status;

SimPeer::SimPeer(SimWorker& worker, std::unique_ptr<net::Stream> stream)
    : worker_(worker), stream_(std::move(stream)) {
  stream_->set_handler(this);
}

void SimPeer::send(std::string_view bytes) {
  unsent_ += bytes;
  flush();
}

void SimPeer::send_slowly(std::string_view bytes, size_t piece_bytes, Duration pause) {
  pieces_ += bytes;
  piece_bytes_ = piece_bytes;
  pause_ = pause;
  on_next_piece();
}

void SimPeer::on_next_piece() {
  const size_t count = std::min(piece_bytes_, pieces_.size());
  unsent_ += pieces_.substr(0, count);
  pieces_.erase(0, count);
  // The loop's own clock stands at its last turn, and this may be called from outside.
  if (!pieces_.empty()) worker_.loop.timers().arm(piece_timer_, worker_.driver.now() + pause_);
  flush();
}

void SimPeer::finish_sending() {
  after_sending_ = AfterSending::End;
  flush();
}

void SimPeer::close_when_sent() {
  after_sending_ = AfterSending::Close;
  flush();
}

void SimPeer::close() {
  piece_timer_.disarm();
  stream_.reset();
}

void SimPeer::reset() {
  if (stream_) stream_->reset_on_close();
  close();
}

void SimPeer::resume_reading() {
  is_reading_ = true;
  if (stream_) on_readable();
}

void SimPeer::read_some(size_t bytes) {
  std::string room(bytes, '\0');
  const iovec entry{room.data(), room.size()};
  if (!stream_) return;
  const net::Transfer transfer = stream_->read({&entry, 1});
  if (transfer.status == Status::Done) received_.append(room, 0, transfer.bytes);
}

void SimPeer::flush() {
  while (stream_ && !unsent_.empty()) {
    const iovec entry{unsent_.data(), unsent_.size()};
    const net::Transfer transfer = stream_->write({&entry, 1});
    if (transfer.status != Status::Done) return;  // a failure shows at reading too
    unsent_.erase(0, transfer.bytes);
  }
  if (!stream_ || !pieces_.empty()) return;
  const AfterSending then = std::exchange(after_sending_, AfterSending::Nothing);
  if (then == AfterSending::End) stream_->shutdown_write();
  if (then == AfterSending::Close) close();
}

void SimPeer::on_readable() {
  if (!is_reading_) return;
  std::array<char, 16 * 1024> room;
  for (;;) {
    const iovec entry{room.data(), room.size()};
    const net::Transfer transfer = stream_->read({&entry, 1});
    if (transfer.status == Status::Done) {
      received_.append(room.data(), transfer.bytes);
      continue;
    }
    has_ended_ |= transfer.status == Status::Ended;
    was_reset_ |= transfer.status == Status::Failed;
    break;
  }
  if (on_news) on_news(*this);
}

SimServer::SimServer(SimWorker& worker, const net::Address& address, const net::ListenOptions& options)
    : worker_(worker) {
  auto listener = worker.network.listen(address, options, *this);
  PERILUNE_EXPECT(listener.has_value(), "a test server gets its address");
  listener_ = std::move(*listener);
}

void SimServer::on_accept(std::unique_ptr<net::Stream> stream) {
  peers_.push_back(std::make_unique<SimPeer>(worker_, std::move(stream)));
  if (on_peer) on_peer(*peers_.back());
}

SimClient::SimClient(SimWorker& worker, const net::Address& address, const net::ConnectOptions& options)
    : worker_(worker), operation_(worker.network.connect(address, options, *this)) {}

void SimClient::drop() {
  operation_.reset();
  if (peer_) peer_->close();
}

void SimClient::send(std::string_view bytes) {
  if (peer_) return peer_->send(bytes);
  first_bytes_ += bytes;
}

void SimClient::on_connected(Result<std::unique_ptr<net::Stream>> stream) {
  ++calls_;
  if (!stream) {
    error_ = stream.error();
    if (on_failure) on_failure();
    return;
  }
  peer_ = std::make_unique<SimPeer>(worker_, std::move(*stream));
  if (on_peer) on_peer(*peer_);
  peer_->send(std::exchange(first_bytes_, {}));
}

}  // namespace perilune::sim
