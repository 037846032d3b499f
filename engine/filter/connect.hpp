#pragma once

#include "edge/channel.hpp"
#include "edge/dial.hpp"
#include "filter/registry.hpp"
#include "filter/waiting_filter.hpp"

namespace perilune::filter {

/// `connect(target | fn, options)`: the stream to an upstream. Input is written, what is read comes out.
/// Connects at once in a session's or connection's pipeline, at the first event elsewhere. Errors
/// (Side::Upstream): those of Dial, Reset, WriteTimeout, ReadTimeout, IdleTimeout; ScriptError for a target
/// that is none.
class ConnectPlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }
  /// The target is chosen by a function.
  bool is_dynamic() const { return hook != nullptr; }

  Services* services = nullptr;
  Ref<flow::Hook> hook;
  net::Address address;
  edge::DialOptions dial;
  edge::ChannelOptions channel;
  Duration read_timeout = limits::read_timeout;
};

class Connect final : public WaitingFilter,
                      public edge::ChannelHandler,
                      public edge::DialHandler,
                      public flow::WireProbe {
 public:
  explicit Connect(const ConnectPlan& plan) : plan_(plan) {}

 private:
  void on_start() override;
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  void on_stop() override;
  void on_reset() override;
  void on_dialled(Result<std::unique_ptr<net::Stream>> stream) override;
  void on_channel_data(buffer::Slice slice) override;
  void on_channel_end() override;
  void on_channel_failed(ErrorCode code) override;
  void on_channel_flushed() override;
  bool is_quiet() override { return channel_ && channel_->is_quiet(); }
  void begin();
  void dial(const net::Address& address);
  void give_up(Error error);
  void note_progress();
  void end_input();
  void end_stay();

  const ConnectPlan& plan_;
  bool has_begun_ = false;
  bool input_ended_ = false;
  bool is_staying_ = false;  // until the last input is with the kernel
  Instant dial_begun_{};
  buffer::Buffer waiting_;  // written before the connection is there
  flow::Hold input_hold_;
  std::unique_ptr<edge::Dial> dial_;
  std::unique_ptr<edge::Channel> channel_;
};

}  // namespace perilune::filter
