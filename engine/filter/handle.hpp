#pragma once

#include "filter/message_output.hpp"
#include "filter/registry.hpp"
#include "filter/waiting_filter.hpp"

namespace perilune::filter {

/// When a handler is called.
enum class Moment : uint8_t {
  SessionStart,
  SessionEnd,
  Data,
  MessageStart,
  MessageBody,
  Message,
  MessageEnd,
  ExchangeEnd,
};

/// What happens to a body beyond its limit.
enum class Over : uint8_t { Fail, Pass };

/// A filter that calls a function of the script at a moment: `handle…` looks and may answer, `replace…` gives
/// what comes instead.
class HandlePlan final : public flow::FilterPlan {
 public:
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return replacement && replacement->response(); }
  bool may_answer() const override { return answers() || (replaces && moment == Moment::Message); }

  Moment moment = Moment::Message;
  bool replaces = false;
  Ref<flow::Hook> hook;
  /// A static replacement.
  Ref<flow::Message> replacement;
  size_t body_bytes_max = limits::collected_body_bytes_max;
  Over over = Over::Fail;
  Ref<flow::Hook> when;
  /// What a function at an end returns changes nothing. Who returns a Message there did not know: a line in the
  /// log, once.
  void judge_unused(const flow::HookCall& call) const;

 private:
  mutable bool has_told_ = false;
};

Result<std::unique_ptr<flow::FilterPlan>> make_handle_plan(FilterCall& call);

/// handleSessionStart: its function may wait, and the filters behind begin when it is done.
class HandleSessionStart final : public WaitingFilter {
 public:
  explicit HandleSessionStart(const HandlePlan& plan) : plan_(plan) {}

 private:
  void on_start() override;
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  bool is_movable() const override { return true; }
  bool leave(flow::Leaving) override {
    is_leaving_ = true;
    return !is_waiting();
  }
  void on_reset() override;

  const HandlePlan& plan_;
  bool is_leaving_ = false;
};

/// handleSessionEnd and handleExchangeEnd.
class HandleEnd final : public flow::Filter {
 public:
  explicit HandleEnd(const HandlePlan& plan) : plan_(plan) {}

 private:
  void on_event(flow::Event&& event) override { output(std::move(event)); }
  void on_end(const Error* error) override;
  bool is_movable() const override { return true; }

  const HandlePlan& plan_;
};

/// handleData and replaceData: each piece as it streams by.
class HandleData final : public WaitingFilter {
 public:
  explicit HandleData(const HandlePlan& plan) : plan_(plan) {}

 private:
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  void on_reset() override;

  const HandlePlan& plan_;
  bool has_failed_ = false;
  bool in_message_ = false;
};

/// The handlers and replacers of messages.
class HandleMessage final : public WaitingFilter, public MessageOutput::Owner {
 public:
  explicit HandleMessage(const HandlePlan& plan) : plan_(plan) {}

 private:
  enum class State : uint8_t {
    Between,     // no message is under way
    Collecting,  // the head is held, the body gathers
    Passing,     // this message streams by
    Dropping,    // its rest is not wanted any more
    Asking,      // the function runs with the head or the whole
    AskingWhen,
  };
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  void on_message_given() override;
  void on_stop() override;
  void on_reset() override;

  void begin(flow::Event&& event);
  void collect();
  void take_data(flow::Event&& event);
  void take_end(flow::Event&& event);
  void over_limit(flow::Event&& event);
  void ask(flow::HookShape shape);
  void take_result();
  void give_up(const Error& error);
  void pass_held();
  /// What is not the message that came is copied, or shared: its maker may keep it.
  void give(Ref<flow::Message> message, flow::Sink& sink);
  void give_kept(flow::Message& message, flow::Sink& sink);
  bool is_request_side() const { return message_ && message_->head->is_request(); }
  bool is_whole() const { return plan_.moment == Moment::Message || plan_.moment == Moment::MessageBody; }

  const HandlePlan& plan_;
  State state_ = State::Between;
  Ref<flow::Message> message_;
  std::unique_ptr<flow::Event> end_;  // the end of a message whose end handler runs
  bool has_end_ = false;
  bool pause_for_giver_ = false;
  MessageOutput giver_;
};

}  // namespace perilune::filter
