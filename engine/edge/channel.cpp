#include "edge/channel.hpp"

#include <array>

namespace perilune::edge {
namespace {

// So much is written at once: it is in the processor's cache now, and not at the turn's end.
constexpr size_t bulk_write_bytes = 128 * 1024;

}  // namespace
namespace {

constexpr size_t gather_entries = 64;  // slices of one gather-write; well under IOV_MAX, 1 MiB at full chunks

}  // namespace

Channel::Channel(flow::Runtime& runtime, std::unique_ptr<net::Stream> stream, ChannelHandler& handler,
                 const ChannelOptions& options)
    : runtime_(runtime),
      stream_(std::move(stream)),
      handler_(handler),
      buffer_bytes_max_(static_cast<uint32_t>(options.buffer_bytes_max)),
      tells_reset_at_once_(options.tells_reset_at_once),
      write_timeout_(options.write_timeout),
      idle_timeout_(options.idle_timeout),
      last_activity_(runtime.loop.now()),
      last_progress_(last_activity_) {
  stream_->set_handler(this);
}

Channel::~Channel() { close(); }

void Channel::set_read_valve(flow::Valve& valve) {
  read_valve_ = &valve;
  valve.set_watcher(this);
}

void Channel::start() {
  if (idle_timeout_ != Duration::max()) arm_timer();
}

void Channel::on_valve_changed(flow::Valve& valve) {
  if (!valve.is_held() && is_readable_ && stream_) runtime_.loop.defer(read_task_);
}

void Channel::on_readable() {
  is_readable_ = true;
  if (tells_reset_at_once_ && read_valve_ && read_valve_->is_held() && stream_ && !has_ended_ &&
      stream_->was_reset())
    fail(ErrorCode::Reset);
  else read();
}

void Channel::read() {
  // One read's worth a turn for a busy socket: others get theirs in between.
  size_t budget = limits::buffer_bytes_max;
  while (stream_ && is_readable_ && !has_ended_ && !(read_valve_ && read_valve_->is_held())) {
    if (budget == 0) {
      runtime_.loop.defer_to_next_turn(read_task_);
      return;
    }
    const auto room = runtime_.arena.prepare(is_bulk_ ? limits::bulk_read_chunks - 1 : 0);
    const net::Transfer transfer = stream_->read(room);
    switch (transfer.status) {
      case net::Transfer::Status::Blocked: is_readable_ = false; return;
      case net::Transfer::Status::Ended:
        has_ended_ = true;
        handler_.on_channel_end();
        return;
      case net::Transfer::Status::Failed: fail(transfer.code); return;
      case net::Transfer::Status::Done: break;
    }
    size_t offered = 0;
    for (const iovec& entry : room) offered += entry.iov_len;
    is_bulk_ = transfer.bytes == offered;
    budget -= std::min(budget, transfer.bytes);
    last_activity_ = runtime_.loop.now();
    runtime_.arena.commit(transfer.bytes, [this](buffer::Slice slice) {
      if (stream_) handler_.on_channel_data(std::move(slice));
    });
  }
}

void Channel::write(buffer::Slice slice) {
  if (!stream_ || has_failed_ || shutdown_asked_) return;
  if (output_.empty()) note_progress();
  if (is_blocked_) output_.append_compact(std::move(slice), runtime_.chunks);
  else output_.append_joined(std::move(slice));
  if (!is_blocked_ && output_.size() >= bulk_write_bytes) write_early();
  if (!is_blocked_) runtime_.loop.flush_later(flush_task_);
  if (write_valve_ && !write_hold_ && output_.size() > buffer_bytes_max_) write_hold_ = write_valve_->hold();
}

void Channel::write(buffer::Buffer&& buffer) {
  while (!buffer.empty()) write(buffer.take_slice());
}

void Channel::shutdown() {
  if (!stream_ || shutdown_asked_) return;
  shutdown_asked_ = true;
  if (!is_blocked_) runtime_.loop.flush_later(flush_task_);
}

/// Writes once, gathering.
net::Transfer Channel::write_once() {
  std::array<iovec, gather_entries> entries;
  const size_t count = output_.describe(entries);
  const net::Transfer transfer = stream_->write({entries.data(), count});
  if (transfer.status == net::Transfer::Status::Blocked) {
    is_blocked_ = true;
    arm_timer();
  } else if (transfer.status == net::Transfer::Status::Done) {
    bytes_written_ += transfer.bytes;
    last_activity_ = runtime_.loop.now();
    output_.drop_front(transfer.bytes);
    if (output_.empty() || bytes_written_ - progress_bytes_ >= progress_min()) note_progress();
  }
  return transfer;
}

/// Much to write is written while it is in the processor's cache: by the end of the turn others have been
/// read. What comes of it is told by the flush, since nobody expects to be called from within a write.
void Channel::write_early() { write_once(); }

void Channel::flush() {
  if (!stream_ || has_failed_) return;
  while (!output_.empty() && !is_blocked_) {
    const net::Transfer transfer = write_once();
    if (transfer.status == net::Transfer::Status::Failed || transfer.status == net::Transfer::Status::Ended) {
      fail(transfer.code);
      return;
    }
  }
  if (write_hold_ && output_.size() <= buffer_bytes_max_ / 2) write_hold_.release();
  if (!output_.empty()) return;
  if (shutdown_asked_ && !shutdown_done_) {
    shutdown_done_ = true;
    stream_->shutdown_write();
  }
  handler_.on_channel_flushed();
}

void Channel::on_writable() {
  is_blocked_ = false;
  if (!output_.empty() || (shutdown_asked_ && !shutdown_done_)) runtime_.loop.flush_later(flush_task_);
}

void Channel::fail(ErrorCode code) {
  if (code == ErrorCode::WriteTimeout) stream_->reset_on_close();
  output_.clear();
  write_hold_.release();
  has_failed_ = has_ended_ = true;
  handler_.on_channel_failed(code);
}

void Channel::close() {
  if (!stream_) return;
  if (read_valve_) read_valve_->set_watcher(nullptr);
  read_valve_ = nullptr;
  timer_.disarm();
  read_task_.withdraw();
  flush_task_.withdraw();
  write_hold_.release();
  output_.release_memory();
  stream_.reset();
}

void Channel::set_idle_timeout(Duration timeout) {
  idle_timeout_ = timeout;
  last_activity_ = runtime_.loop.now();
  if (stream_) arm_timer();
}

void Channel::set_options(const ChannelOptions& options) {
  buffer_bytes_max_ = static_cast<uint32_t>(options.buffer_bytes_max);
  tells_reset_at_once_ = options.tells_reset_at_once;
  write_timeout_ = options.write_timeout;
  set_idle_timeout(options.idle_timeout);
}

uint64_t Channel::progress_min() const {
  if (write_timeout_ == Duration::max()) return 0;
  return static_cast<uint64_t>(to_seconds(write_timeout_) * limits::write_rate_min);
}

void Channel::note_progress() {
  last_progress_ = runtime_.loop.now();
  progress_bytes_ = bytes_written_;
}

Instant Channel::next_check() const {
  Instant next = Instant::max();
  if (idle_timeout_ != Duration::max()) next = last_activity_ + idle_timeout_;
  if (!output_.empty() && write_timeout_ != Duration::max())
    next = std::min(next, last_progress_ + write_timeout_);
  return next;
}

void Channel::arm_timer() {
  const Instant next = next_check();
  // A timer that fires too early looks again; only a nearer moment moves it.
  if (next != Instant::max() && (!timer_.is_armed() || timer_.deadline() > next))
    runtime_.loop.timers().arm(timer_, next);
}

void Channel::on_timer() {
  const Instant now = runtime_.loop.now();
  if (!output_.empty() && write_timeout_ != Duration::max() && now >= last_progress_ + write_timeout_) {
    fail(ErrorCode::WriteTimeout);
  } else if (idle_timeout_ != Duration::max() && now >= last_activity_ + idle_timeout_) {
    fail(ErrorCode::IdleTimeout);
  } else {
    arm_timer();
  }
}

}  // namespace perilune::edge
