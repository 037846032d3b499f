#include "filter/handle.hpp"

#include <array>

#include "base/log.hpp"

namespace perilune::filter {

using flow::Event;
using flow::HookShape;
using flow::HookStatus;

namespace {

struct MomentName {
  std::string_view name;
  Moment moment;
};
constexpr std::array<MomentName, 8> moment_names{{{"SessionStart", Moment::SessionStart},
                                                  {"SessionEnd", Moment::SessionEnd},
                                                  {"Data", Moment::Data},
                                                  {"MessageStart", Moment::MessageStart},
                                                  {"MessageBody", Moment::MessageBody},
                                                  {"Message", Moment::Message},
                                                  {"MessageEnd", Moment::MessageEnd},
                                                  {"ExchangeEnd", Moment::ExchangeEnd}}};

Error failure_of(const flow::HookCall& call) {
  return call.failure ? *call.failure : Error{ErrorCode::ScriptError, Side::Script, {}};
}

}  // namespace

Result<std::unique_ptr<flow::FilterPlan>> make_handle_plan(FilterCall& call) {
  auto plan = std::make_unique<HandlePlan>();
  constexpr std::string_view handle = "handle";
  constexpr std::string_view replace = "replace";
  plan->replaces = call.spec.name.starts_with(replace);
  const std::string_view what = call.spec.name.substr((plan->replaces ? replace : handle).size());
  for (const auto& [name, moment] : moment_names)
    if (name == what) plan->moment = moment;
  const Argument& given = call.arguments[0];
  if (given.hook()) {
    plan->hook = Ref<flow::Hook>(given.hook());
  } else if (auto* message = given.value.object_as<flow::Message>()) {
    plan->replacement = Ref<flow::Message>(message);
  } else if (const std::string* text = given.value.string()) {
    plan->replacement = make_ref<flow::Message>();
    plan->replacement->set_body(buffer::buffer_of(*text, call.services.runtime.chunks));
  }
  plan->body_bytes_max = call.options.size("limit", limits::collected_body_bytes_max);
  plan->over = call.options.text("over", "error") == "pass" ? Over::Pass : Over::Fail;
  plan->when = call.options.hook("when");
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> HandlePlan::make() const {
  switch (moment) {
    case Moment::SessionStart: return std::make_unique<HandleSessionStart>(*this);
    case Moment::SessionEnd:
    case Moment::ExchangeEnd: return std::make_unique<HandleEnd>(*this);
    case Moment::Data: return std::make_unique<HandleData>(*this);
    default: return std::make_unique<HandleMessage>(*this);
  }
}

void HandlePlan::judge_unused(const flow::HookCall& call) const {
  if (has_told_ || !call.value.object_as<flow::Message>()) return;
  has_told_ = true;
  log::warn(place.to_string() + ": " + name +
            ": the Message that the function returned goes nowhere: the answer is on its way at this time");
}

// ---- sessions and ends

void HandleSessionStart::on_start() {
  run_hook(*plan_.hook, HookShape::Context);
  if (call_.is_waiting()) pipeline().pause_start();
}

void HandleSessionStart::process(Event&& event) { output(std::move(event)); }

void HandleSessionStart::on_hook_result() {
  const bool has_waited = pipeline().is_start_paused();
  if (call_.status == HookStatus::Failed) {
    output(Event::stream_end(std::make_unique<Error>(failure_of(call_))));
    return;
  }
  if (call_.value.is_false()) {
    // Refused, not failed: the client sees its connection end.
    pipeline().pause_start();
    pipeline().stop_input();
    output_from_pipeline(Event::stream_end());
    return;
  }
  if (!has_waited) return;
  pipeline().resume_start();
  // It was to move meanwhile.
  if (flow::ClientInfo* client = is_ended() ? nullptr : context().client(); client && is_leaving_)
    client->on_rest();
}

void HandleSessionStart::on_reset() {
  WaitingFilter::on_reset();
  is_leaving_ = false;
}

void HandleEnd::on_end(const Error* error) {
  struct Silent final : flow::HookHandler {
    void on_hook_done(flow::HookCall&) override {}
  } nobody;
  flow::HookCall call(nobody);
  call.may_wait = false;
  call.error = error;
  if (plan_.moment == Moment::ExchangeEnd) context().seal_messages();
  call.run(*plan_.hook, HookShape::ContextError, context());
  plan_.judge_unused(call);
}

// ---- data

void HandleData::process(Event&& event) {
  if (has_failed_) return;
  if (event.is_message_start() && plan_.replaces && !event.is_interim()) {
    // Its length is not known before the pieces are replaced.
    message::make_own(event.head());
    message::Head& head = *event.head();
    if (head.body.kind == message::BodyKind::Length) {
      head.headers.remove(message::Name::ContentLength);
      head.body = {message::BodyKind::Unknown, 0};
    }
  }
  if (event.is_message_start()) in_message_ = true;
  if (!event.is_data()) {
    output(std::move(event));
    return;
  }
  if (plan_.replacement) {
    for (const buffer::Slice& slice : plan_.replacement->body.slices()) output(Event::data(slice));
    return;
  }
  call_.data = std::move(event.slice());
  run_hook(*plan_.hook, HookShape::Data);
}

void HandleData::on_hook_result() {
  const auto label = [this] { return plan_.place.to_string() + ": " + plan_.name; };
  buffer::Slice data = std::move(call_.data);
  std::optional<Error> failure;
  if (call_.status == HookStatus::Failed) failure = failure_of(call_);
  if (!failure && plan_.replaces) {
    if (call_.value.is_false()) return;
    if (const std::string* text = call_.value.string()) {
      buffer::Buffer bytes = buffer::buffer_of(*text, chunks());
      while (!bytes.empty()) output(Event::data(bytes.take_slice()));
      return;
    }
    if (auto* made = call_.value.object_as<flow::Message>()) {
      const Ref<flow::Message> keep(made);
      for (const buffer::Slice& slice : keep->body.slices()) output(Event::data(slice));
      return;
    }
    failure = Error{ErrorCode::ScriptError, Side::Script,
                    call_.value.is_nil()
                        ? label() + ": the function gave nil; forgot return? (false drops)"
                        : label() + ": the function gave " + show(call_.value) + ", not a string or Data"};
  }
  if (failure) {
    has_failed_ = true;
    auto error = std::make_unique<Error>(*failure);
    output(in_message_ ? Event::message_end({}, std::move(error)) : Event::stream_end(std::move(error)));
    return;
  }
  output(Event::data(std::move(data)));
}

void HandleData::on_reset() {
  WaitingFilter::on_reset();
  has_failed_ = in_message_ = false;
}

// ---- messages

void HandleMessage::process(Event&& event) {
  switch (event.kind()) {
    case Event::Kind::MessageStart: begin(std::move(event)); return;
    case Event::Kind::Data: take_data(std::move(event)); return;
    case Event::Kind::MessageEnd: take_end(std::move(event)); return;
    case Event::Kind::StreamEnd:
      if (event.error()) giver_.cancel();
      output(std::move(event));
      return;
  }
}

void HandleMessage::begin(Event&& event) {
  // 1xx heads go by; a tunnel has no body to wait for.
  if (event.is_interim()) {
    output(std::move(event));
    return;
  }
  has_end_ = false;
  message::make_own(event.head());
  const Ref<message::Head> head = event.head();
  const bool is_tunnel = head->body.kind == message::BodyKind::Tunnel;
  if (plan_.replacement && plan_.moment == Moment::Message) {
    message_ = context().message_of(head);
    state_ = State::Dropping;
    give(plan_.replacement,
         plan_.replacement->response() && head->is_request() ? answer_sink() : next_sink());
    return;
  }
  message_ = context().message_of(head);
  if (plan_.moment == Moment::MessageEnd) {
    message_->body_size = 0;
    state_ = State::Passing;
    output(std::move(event));
    return;
  }
  if (plan_.moment == Moment::MessageStart) {
    ask(HookShape::Message);
    return;
  }
  if (is_tunnel) {
    state_ = State::Passing;
    output(std::move(event));
    return;
  }
  if (plan_.when) {
    state_ = State::AskingWhen;
    run_hook(*plan_.when, HookShape::Context);
    return;
  }
  collect();
}

void HandleMessage::collect() {
  state_ = State::Collecting;
  message_->body.clear();
  message_->has_body = false;
  const message::BodyFraming& framing = message_->head->body;
  if (framing.kind == message::BodyKind::Length && framing.length > plan_.body_bytes_max) {
    over_limit(Event::data({}));
    return;
  }
  if (is_request_side())
    if (flow::ExchangeControl* control = context().control()) control->ask_for_body();
}

void HandleMessage::over_limit(Event&& event) {
  if (plan_.over == Over::Pass) {
    pass_held();
    if (!event.slice().empty()) output(std::move(event));
    return;
  }
  const bool is_request = is_request_side();
  const std::string detail =
      plan_.name + ": the body is larger than " + std::to_string(plan_.body_bytes_max) + " bytes";
  give_up(is_request ? Error{ErrorCode::BodyTooLarge, Side::Client, detail}
                     : Error{ErrorCode::ResponseTooLarge, Side::Upstream, detail});
}

void HandleMessage::take_data(Event&& event) {
  if (state_ == State::Dropping) return;
  if (state_ != State::Collecting) {
    if (message_) message_->body_size += event.slice().size();
    output(std::move(event));
    return;
  }
  if (message_->body.size() + event.slice().size() > plan_.body_bytes_max) {
    over_limit(std::move(event));
    return;
  }
  message_->body.append_compact(std::move(event.slice()), chunks());
}

void HandleMessage::take_end(Event&& event) {
  if (state_ == State::Collecting) {
    if (event.error()) {
      // A cut message never looks whole: its head was not let out yet.
      if (is_request_side()) {
        state_ = State::Dropping;
        output(Event::message_start(message_->head));
        output(std::move(event));
      } else {
        give_up(*event.error());
      }
      message_.reset();
      state_ = State::Between;
      return;
    }
    message_->trailers = std::move(event.trailers());
    message_->has_body = true;
    message_->body_size = message_->body.size();
    has_end_ = true;
    ask(plan_.moment == Moment::MessageBody ? HookShape::Body : HookShape::Message);
    return;
  }
  const State before = std::exchange(state_, State::Between);
  if (before == State::Dropping) {
    if (!giver_.is_active()) message_.reset();
    return;
  }
  if (plan_.moment == Moment::MessageEnd && message_ && !event.error()) {
    message_->trailers = event.trailers();
    end_ = std::make_unique<Event>(std::move(event));
    const bool was_read_only = std::exchange(message_->is_read_only, true);
    ask(HookShape::Message);
    if (message_) message_->is_read_only = was_read_only;
    return;
  }
  output(std::move(event));
}

void HandleMessage::ask(HookShape shape) {
  state_ = State::Asking;
  call_.message = message_;
  run_hook(*plan_.hook, shape);
}

void HandleMessage::on_hook_result() {
  if (state_ == State::AskingWhen) {
    if (call_.status == HookStatus::Failed) give_up(failure_of(call_));
    else if (call_.value.is_nil() || call_.value.is_false()) pass_held();
    else collect();
    return;
  }
  call_.message.reset();
  take_result();
}

void HandleMessage::take_result() {
  const auto label = [this] { return plan_.place.to_string() + ": " + plan_.name; };
  if (end_) {
    // handleMessageEnd: what it raises is logged, and nothing else changes.
    plan_.judge_unused(call_);
    state_ = State::Between;
    const std::unique_ptr<Event> end = std::move(end_);
    output(std::move(*end));
    return;
  }
  if (call_.status == HookStatus::Failed) {
    give_up(failure_of(call_));
    return;
  }
  auto* made = call_.value.object_as<flow::Message>();
  // What came, and what it was to be, most likely.
  const auto came = [&] {
    std::string text = show(call_.value);
    if (text == "a table") return text + " (write Message { … })";
    if (call_.value.string()) return text + " (write Message(" + text + "))";
    const double* number = call_.value.number();
    return number && *number >= 200 && *number <= 599 ? text + " (write Message { status = " + text + " })"
                                                      : text;
  };
  const auto forgotten = [&] {
    // There is nothing to be dropped where the function is the whole answer.
    return label() + ": the function gave nil; forgot return?" +
           (plan_.name == "serveHTTP" ? "" : " (false drops)");
  };
  if (plan_.replaces) {
    if (call_.value.is_false() && plan_.moment == Moment::MessageBody) {
      message_->set_body({});
      give(message_, next_sink());
      return;
    }
    if (call_.value.is_false()) {
      // Somebody waits for an answer, and no other will come.
      give_up({ErrorCode::NoAnswer, Side::Script, label() + ": the function dropped the message"});
      return;
    }
    if (plan_.moment == Moment::MessageBody && (made || call_.value.string())) {
      message_->set_body(made ? buffer::Buffer(made->body)
                              : buffer::buffer_of(*call_.value.string(), chunks()));
      give(message_, next_sink());
      return;
    }
    if (!made || !made->head) {
      give_up({ErrorCode::ScriptError, Side::Script,
               call_.value.is_nil() ? forgotten()
                                    : label() + ": the function gave " + came() + ", not a Message"});
      return;
    }
    if (plan_.moment == Moment::MessageStart && made->body.empty() && !made->body_source &&
        made->head->kind == message_->head->kind) {
      // Another head for the body that streams on. One with a body of its own replaces that too.
      const Ref<flow::Message> replacement = made == message_.get() ? message_ : made->copy();
      replacement->head->body = message_->head->body;
      state_ = State::Passing;
      output(Event::message_start(replacement->head));
      return;
    }
    const bool is_answer = made->response() && is_request_side();
    give(Ref<flow::Message>(made), is_answer ? answer_sink() : next_sink());
    return;
  }
  if (call_.value.is_nil() || (made == message_.get() && made->response())) {
    if (message_->body_replaced || message_->body_source) {
      give(message_, next_sink());
    } else {
      pass_held();
    }
    return;
  }
  if (made && made->response()) {
    const bool is_request = is_request_side();
    give(Ref<flow::Message>(made), is_request ? answer_sink() : next_sink());
    return;
  }
  give_up({ErrorCode::ScriptError, Side::Script,
           label() + ": the function gave " + came() + ", not a response or nil" +
               (made && made->request() ? "; nil lets the request pass with its changes" : "")});
}

void HandleMessage::give(Ref<flow::Message> message, flow::Sink& sink) {
  state_ = has_end_ ? State::Between : State::Dropping;
  if (message != message_) {
    // Scripts keep messages and give them again and again.
    if (message->is_whole_response()) return give_kept(*message, sink);
    message = message->copy();
  }
  if (message->body_source) pause_for_giver_ = true;
  giver_.start(std::move(message), pipeline(), sink, this);
  if (giver_.is_active()) pause();
}

void HandleMessage::give_kept(flow::Message& message, flow::Sink& sink) {
  settle_framing(message);
  message.head->is_shared = true;
  // What is called from here on may change the message: these stay as they are now.
  const buffer::Buffer body = message.body;
  Ref<message::Trailers> trailers;
  if (message.trailers) {
    trailers = make_ref<message::Trailers>();
    trailers->headers = message.trailers->headers;
  }
  sink.on_event(Event::message_start(message.head));
  for (const buffer::Slice& slice : body.slices())
    if (!is_ended()) sink.on_event(Event::data(slice));
  if (!is_ended()) sink.on_event(Event::message_end(std::move(trailers)));
}

void HandleMessage::on_message_given() {
  if (std::exchange(pause_for_giver_, false)) resume();
}

void HandleMessage::pass_held() {
  state_ = has_end_ ? State::Between : State::Passing;
  const Ref<flow::Message> message = message_;
  // A filter behind may collect the body into the same message.
  const buffer::Buffer body = is_whole() ? message->body : buffer::Buffer();
  output(Event::message_start(message->head));
  if (!is_whole()) return;
  for (const buffer::Slice& slice : body.slices())
    if (!is_ended()) output(Event::data(slice));
  if (has_end_ && !is_ended()) output(Event::message_end(message->trailers));
}

void HandleMessage::give_up(const Error& error) {
  state_ = has_end_ ? State::Between : State::Dropping;
  const bool is_request = is_request_side();
  give_message(*error_message(error, chunks()), is_request ? answer_sink() : next_sink());
}

void HandleMessage::on_stop() {
  WaitingFilter::on_stop();
  giver_.cancel();
}

void HandleMessage::on_reset() {
  WaitingFilter::on_reset();
  state_ = State::Between;
  message_.reset();
  end_.reset();
  has_end_ = pause_for_giver_ = false;
}

}  // namespace perilune::filter
