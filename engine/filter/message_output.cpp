#include "filter/message_output.hpp"

#include "filter/registry.hpp"

namespace perilune::filter {

using flow::Event;
using message::BodyKind;

void settle_framing(flow::Message& message) {
  message::Head& head = *message.head;
  // A shared head was settled before it was given the first time.
  if (head.body.kind == BodyKind::Tunnel || head.is_shared) return;
  if (message.body_source) {
    head.headers.remove(message::Name::ContentLength);
    head.body = {BodyKind::Unknown, 0};
  } else if (message.has_body) {
    const bool may_be_empty_without_length = message.body.empty() && head.is_request();
    head.body = may_be_empty_without_length ? message::BodyFraming{}
                                            : message::BodyFraming{BodyKind::Length, message.body.size()};
  } else {
    head.body = head.is_request() ? message::BodyFraming{} : message::BodyFraming{BodyKind::Length, 0};
  }
}

void give_message(flow::Message& message, flow::Sink& sink) {
  sink.on_event(Event::message_start(message.head));
  for (const buffer::Slice& slice : message.body.slices()) sink.on_event(Event::data(slice));
  sink.on_event(Event::message_end(message.trailers));
}

Ref<flow::Message> error_message(const Error& error, buffer::ChunkPool& chunks) {
  auto head = message::ResponseHead::of_error(error);
  head->headers.add("content-type", "text/plain; charset=utf-8", message::Name::ContentType);
  auto message = flow::Message::of(head);
  std::string text = std::to_string(head->status);
  text.append(" ").append(message::reason_phrase(head->status)).append("\n");
  text.append(code_sentence(error.code)).append(" (").append(code_name(error.code)).append(")\n");
  message->body.write(text, chunks);
  message->has_body = true;
  settle_framing(*message);
  return message;
}

void MessageOutput::start(Ref<flow::Message> message, flow::Pipeline& pipeline, flow::Sink& sink,
                          Owner* owner) {
  settle_framing(*message);
  const Ref<message::Head> head = message->head;
  // A filter behind may collect the body into the same message, and begins that with its head.
  const buffer::Buffer body = message->body;
  sink.on_event(Event::message_start(head));
  if (pipeline.is_ended()) return;
  start_body(std::move(message), body, pipeline, sink, owner);
}

void MessageOutput::start_body(Ref<flow::Message> message, flow::Pipeline& pipeline, flow::Sink& sink,
                               Owner* owner) {
  const buffer::Buffer body = message->body;
  start_body(std::move(message), body, pipeline, sink, owner);
}

void MessageOutput::start_body(Ref<flow::Message> message, const buffer::Buffer& body,
                               flow::Pipeline& pipeline, flow::Sink& sink, Owner* owner) {
  message_ = std::move(message);
  pipeline_ = &pipeline;
  sink_ = &sink;
  owner_ = owner;
  if (!message_->body_source) {
    for (const buffer::Slice& slice : body.slices()) sink.on_event(Event::data(slice));
    end(nullptr);
    return;
  }
  pipeline.output_valve().set_watcher(this);
  pump();
}

void MessageOutput::on_valve_changed(flow::Valve& valve) {
  if (!valve.is_held() && is_active() && !call_.is_waiting()) pipeline_->runtime().loop.defer(task_);
}

void MessageOutput::on_hook_done(flow::HookCall&) {
  if (take_piece()) pump();
}

void MessageOutput::pump() {
  while (is_active() && !call_.is_waiting() && !pipeline_->output_valve().is_held()) {
    const Ref<flow::Hook> source = message_->body_source;
    if (call_.run(*source, flow::HookShape::Piece, pipeline_->context()) == flow::HookStatus::Waiting) return;
    if (!take_piece()) return;
    // Other sockets get their turn between the pieces of an endless body.
    pipeline_->runtime().loop.defer_to_next_turn(task_);
    return;
  }
}

bool MessageOutput::take_piece() {
  if (!is_active()) return false;
  if (call_.status == flow::HookStatus::Failed || call_.failure) {
    end(std::make_unique<Error>(
        call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, "the body failed"}));
    return false;
  }
  if (call_.value.is_nil() || call_.value.is_false()) {
    end(nullptr);
    return false;
  }
  if (const std::string* text = call_.value.string()) {
    buffer::Buffer piece = buffer::buffer_of(*text, pipeline_->runtime().chunks);
    while (!piece.empty() && is_active()) sink_->on_event(Event::data(piece.take_slice()));
  } else if (auto* made = call_.value.object_as<flow::Message>()) {
    const Ref<flow::Message> keep(made);
    for (const buffer::Slice& slice : keep->body.slices())
      if (is_active()) sink_->on_event(Event::data(slice));
  } else {
    end(std::make_unique<Error>(
        Error{ErrorCode::ScriptError, Side::Script,
              "a body function gives strings, Data or nil, not " + describe(call_.value)}));
    return false;
  }
  return is_active();
}

void MessageOutput::end(std::unique_ptr<Error> error) {
  const Ref<flow::Message> message = std::move(message_);
  if (message->body_source) pipeline_->output_valve().set_watcher(nullptr);
  sink_->on_event(Event::message_end(error ? nullptr : message->trailers, std::move(error)));
  if (owner_) owner_->on_message_given();
}

void MessageOutput::cancel() {
  call_.cancel();
  task_.withdraw();
  if (message_ && message_->body_source) pipeline_->output_valve().set_watcher(nullptr);
  message_.reset();
}

}  // namespace perilune::filter
