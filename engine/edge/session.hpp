#pragma once

#include <boost/intrusive/list.hpp>
#include <string>

#include "edge/channel.hpp"
#include "flow/pipeline.hpp"

namespace perilune::edge {

class Session;

/// Told when a session is over.
class SessionHandler {
 public:
  virtual void on_session_over(Session& session) = 0;
  /// A session that was to leave waits for its client's next message now.
  virtual void on_session_at_rest(Session& session) = 0;

 protected:
  ~SessionHandler() = default;
};

struct SessionOptions {
  ChannelOptions channel;
  flow::SessionRules rules;
};

/// One accepted connection: its socket on one side, the `listen` pipeline on the other.
class Session final : public Object,
                      public flow::Sink,
                      public flow::ClientInfo,
                      public ChannelHandler,
                      public boost::intrusive::list_base_hook<> {
 public:
  /// `options` stay as long as the session.
  Session(flow::Runtime& runtime, std::unique_ptr<net::Stream> stream, SessionHandler& handler,
          const SessionOptions& options);
  /// Starts the pipeline, and with it the script's session.
  void start(flow::PipelinePlan& plan);
  /// Cuts it now, for `error`.
  void cut(const Error& error);
  /// Ends it, cleanly, if it has only waited for its client since `since` or longer; whether it was so.
  bool end_if_idle(Instant since) {
    return !is_over_ && !output_ended_ && pipeline_ && pipeline_->end_if_idle(since);
  }

  /// It was ended, or is being ended, for a newcomer: its server's note.
  bool gives_way = false;

  /// The script's version is replaced or ends, see flow::Leaving. Move: what became of it.
  enum class Departure : uint8_t {
    AtRest,  // it can move now
    Busy,    // the handler will hear when it can
    Stays,   // its pipeline cannot let go of it: it closes with its next answer, or ends when it ends
  };
  Departure leave(flow::Leaving how);
  bool is_movable() const { return !is_over_ && !output_ended_ && !input_ended_ && pipeline_->is_movable(); }
  /// Ends its pipeline, and with it the script's session, and begins anew in one of `plan`: the client
  /// notices nothing. For one at rest. `options` stay as long as the session.
  void move(flow::PipelinePlan& plan, SessionHandler& handler, const SessionOptions& options);

  std::string ip() const override { return peer().host; }
  uint16_t port() const override { return peer().port; }
  std::string local_ip() const override;
  uint16_t local_port() const override;
  void leave_time_to_protocol() override;
  void expect_no_more() override { expects_no_more_ = true; }
  void on_rest() override {
    is_rest_to_tell_ = true;
    loop().defer(after_events_task_);
  }

 private:
  void on_event(flow::Event&& event) override;
  void on_channel_data(buffer::Slice slice) override;
  void on_channel_end() override;
  void on_channel_failed(ErrorCode code) override;
  void on_channel_flushed() override;
  void follow(const SessionOptions& options);
  void start_pipeline(flow::PipelinePlan& plan);
  net::Address peer() const;
  void finish_if_done();
  void after_events();
  void over(const Error* error);
  void on_linger_timer();
  void log_cut(const Error& error) const;

  loop::Loop& loop() const { return channel_.runtime().loop; }

  SessionHandler* handler_;
  flow::Valve input_valve_;
  flow::Valve output_valve_;
  Channel channel_;
  Ref<flow::Context> context_;
  Ref<flow::Pipeline> pipeline_;
  bool input_ended_ = false;
  bool output_ended_ = false;
  bool is_over_ = false;
  bool times_left_to_protocol_ = false;
  bool expects_no_more_ = false;
  bool is_rest_to_tell_ = false;
  uint32_t drained_bytes_ = 0;
  loop::MemberTask<Session, &Session::after_events> after_events_task_{*this};
  using LingerTimer = loop::MemberTimer<Session, &Session::on_linger_timer>;
  std::unique_ptr<LingerTimer> linger_timer_;  // most sessions end without
};

}  // namespace perilune::edge
