#pragma once

#include <memory>

#include "buffer/buffer.hpp"
#include "flow/pipeline.hpp"
#include "net/network.hpp"

namespace perilune::edge {

/// Told what happens on a channel, from the loop.
class ChannelHandler {
 public:
  virtual void on_channel_data(buffer::Slice slice) = 0;
  /// The peer has sent its last byte.
  virtual void on_channel_end() = 0;
  /// The connection is gone (Reset), or too slow (WriteTimeout, IdleTimeout). Nothing more comes; close() is
  /// left to the handler.
  virtual void on_channel_failed(ErrorCode code) = 0;
  /// All that was written, and the shutdown if one was asked, is with the kernel.
  virtual void on_channel_flushed() {}

 protected:
  ~ChannelHandler() = default;
};

struct ChannelOptions {
  size_t buffer_bytes_max = limits::buffer_bytes_max;
  Duration write_timeout = limits::write_timeout;
  /// No byte either way for this long: IdleTimeout. Duration::max() for never.
  Duration idle_timeout = Duration::max();
  /// A reset is told even while the read valve is held: for clients, whose unread bytes nobody will answer.
  bool tells_reset_at_once = false;
};

/// A stream with buffers and manners: reads while its read valve is open, gathers all writes of a turn into
/// one, holds its write valve while more than buffer_bytes_max wait, and watches progress. One timer, armed
/// lazily.
class Channel final : public net::StreamHandler, public flow::ValveWatcher {
 public:
  Channel(flow::Runtime& runtime, std::unique_ptr<net::Stream> stream, ChannelHandler& handler,
          const ChannelOptions& options);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Whoever consumes what is read holds `valve` to stop reading; the channel becomes its watcher.
  void set_read_valve(flow::Valve& valve);
  /// The valve to hold while too much waits to be written.
  void set_write_valve(flow::Valve& valve) { write_valve_ = &valve; }
  void start();

  void write(buffer::Slice slice);
  void write(buffer::Buffer&& buffer);
  /// Sends FIN once everything is written.
  void shutdown();
  /// Makes close() a reset, so that the peer cannot take the cut for an end.
  void reset_on_close() {
    if (stream_) stream_->reset_on_close();
  }
  /// Closes now; what was not flushed is lost.
  void close();
  bool is_open() const { return stream_ != nullptr; }
  /// Nothing waits to be read, not even an end: asks the kernel.
  bool is_quiet() const {
    return stream_ && !is_readable_ && !has_ended_ && !has_failed_ && stream_->is_quiet();
  }
  /// Nothing is left to be written; a channel that failed writes no more.
  bool is_flushed() const { return output_.empty() && (!shutdown_asked_ || shutdown_done_ || has_failed_); }
  bool is_shut_down() const { return shutdown_asked_; }

  void set_idle_timeout(Duration timeout);
  void set_options(const ChannelOptions& options);
  uint64_t bytes_written() const { return bytes_written_; }
  const net::Stream& stream() const { return *stream_; }
  flow::Runtime& runtime() const { return runtime_; }

 private:
  void on_readable() override;
  void on_writable() override;
  void on_valve_changed(flow::Valve& valve) override;
  void read();
  void flush();
  void write_early();
  net::Transfer write_once();
  void fail(ErrorCode code);
  void on_timer();
  void arm_timer();
  Instant next_check() const;
  /// Bytes that must go out within the write timeout to count as progress.
  uint64_t progress_min() const;
  void note_progress();

  flow::Runtime& runtime_;
  std::unique_ptr<net::Stream> stream_;
  ChannelHandler& handler_;
  flow::Valve* read_valve_ = nullptr;
  flow::Valve* write_valve_ = nullptr;
  flow::Hold write_hold_;
  buffer::Buffer output_;
  uint32_t buffer_bytes_max_;
  bool tells_reset_at_once_;
  bool is_readable_ = false;
  bool is_blocked_ = false;  // the kernel took no more; on_writable comes
  bool is_bulk_ = false;     // the last read filled its room: read more at once
  bool has_ended_ = false;   // the peer's FIN was told
  bool has_failed_ = false;
  bool shutdown_asked_ = false;
  bool shutdown_done_ = false;
  Duration write_timeout_;
  Duration idle_timeout_;
  Instant last_activity_;
  Instant last_progress_;
  uint64_t bytes_written_ = 0;
  uint64_t progress_bytes_ = 0;  // written when last_progress_ was noted
  loop::MemberTask<Channel, &Channel::read> read_task_{*this};
  loop::MemberTask<Channel, &Channel::flush> flush_task_{*this};
  loop::MemberTimer<Channel, &Channel::on_timer> timer_{*this};
};

}  // namespace perilune::edge
