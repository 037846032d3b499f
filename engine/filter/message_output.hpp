#pragma once

#include <string>

#include "flow/pipeline.hpp"

namespace perilune::filter {

/// Gives a whole message to a sink as events: the head, the body, the end. A body that is a function of the
/// script is asked for its pieces, one after the other, while `valve` is open. One message at a time.
class MessageOutput final : public flow::HookHandler, public flow::ValveWatcher {
 public:
  /// Told once when the end was given.
  class Owner {
   public:
    virtual void on_message_given() = 0;

   protected:
    ~Owner() = default;
  };

  MessageOutput() = default;
  MessageOutput(const MessageOutput&) = delete;
  MessageOutput& operator=(const MessageOutput&) = delete;

  /// The message's head is given as it is; callers copy static messages before.
  void start(Ref<flow::Message> message, flow::Pipeline& pipeline, flow::Sink& sink, Owner* owner);
  /// Only the body and the end, for a message whose head went before.
  void start_body(Ref<flow::Message> message, flow::Pipeline& pipeline, flow::Sink& sink, Owner* owner);
  bool is_active() const { return message_ != nullptr; }
  void cancel();

 private:
  void start_body(Ref<flow::Message> message, const buffer::Buffer& body, flow::Pipeline& pipeline,
                  flow::Sink& sink, Owner* owner);
  void on_hook_done(flow::HookCall& call) override;
  void on_valve_changed(flow::Valve& valve) override;
  void pull();
  void pump();
  bool take_piece();
  void end(std::unique_ptr<Error> error);

  Ref<flow::Message> message_;
  flow::Pipeline* pipeline_ = nullptr;
  flow::Sink* sink_ = nullptr;
  Owner* owner_ = nullptr;
  bool is_pumping_ = false;
  flow::HookCall call_{*this};
  loop::MemberTask<MessageOutput, &MessageOutput::pump> task_{*this};
};

/// Gives a message whose body is bytes at once.
void give_message(flow::Message& message, flow::Sink& sink);

/// The response that tells a client of `error`: a line of plain text, and the error on its head.
Ref<flow::Message> error_message(const Error& error, buffer::ChunkPool& chunks);

/// Sets framing that follows from the body where a script made or replaced it.
void settle_framing(flow::Message& message);

}  // namespace perilune::filter
