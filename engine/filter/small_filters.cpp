#include "filter/small_filters.hpp"

#include <cstdio>

#include "base/log.hpp"
#include "filter/demux_http.hpp"
#include "filter/handle.hpp"
#include "flow/tracer.hpp"

namespace perilune::filter {

using flow::Event;

namespace {

class TimeoutPlan final : public flow::FilterPlan {
 public:
  std::unique_ptr<flow::Filter> make() const override;
  bool watches_answer() const override { return true; }
  Duration wait{};
};

class Timeout final : public flow::Filter {
 public:
  explicit Timeout(const TimeoutPlan& plan) : plan_(plan) {}

 private:
  void on_event(Event&& event) override {
    if (has_fired_) return;
    if (event.is_message_start() && plan_.wait != Duration::max()) loop().arm(timer_, plan_.wait);
    output(std::move(event));
  }
  void on_stop() override { timer_.disarm(); }
  void on_reset() override { has_fired_ = false; }
  void on_timer() {
    if (pipeline().answer_begun()) return;
    has_fired_ = true;
    pipeline().cancel_answer();
    give_message(*error_message({ErrorCode::RequestTimeout, Side::Upstream, {}}, chunks()), answer_sink());
  }

  const TimeoutPlan& plan_;
  bool has_fired_ = false;
  loop::MemberTimer<Timeout, &Timeout::on_timer> timer_{*this};
};

std::unique_ptr<flow::Filter> TimeoutPlan::make() const { return std::make_unique<Timeout>(*this); }

class InsertPlan final : public flow::FilterPlan {
 public:
  std::unique_ptr<flow::Filter> make() const override;
  Ref<flow::Hook> hook;
  Ref<flow::Message> message;
};

class Insert final : public WaitingFilter {
 public:
  explicit Insert(const InsertPlan& plan) : plan_(plan) {}

 private:
  void process(Event&& event) override {
    if (has_failed_) return;
    if (has_inserted_) {
      output(std::move(event));
      return;
    }
    has_inserted_ = true;
    if (plan_.message) {
      if (refuses(*plan_.message, event)) return;
      give(*plan_.message);
      output(std::move(event));
      return;
    }
    first_ = std::make_unique<Event>(std::move(event));
    run_hook(*plan_.hook, flow::HookShape::Context);
  }
  void on_hook_result() override {
    if (call_.status == flow::HookStatus::Failed)
      return give_up(call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, {}},
                     *first_);
    if (auto* made = call_.value.object_as<flow::Message>()) {
      if (refuses(*made, *first_)) return;
      give(*made);
    } else if (const std::string* text = call_.value.string()) {
      if (refuses(false, false, *first_)) return;
      buffer::Buffer bytes = buffer::buffer_of(*text, chunks());
      while (!bytes.empty()) output(Event::data(bytes.take_slice()));
    }
    const auto first = std::move(first_);
    if (!is_ended()) output(std::move(*first));
  }
  void on_reset() override {
    WaitingFilter::on_reset();
    has_inserted_ = has_failed_ = false;
    first_.reset();
  }
  /// A message goes in front of its like only, and so do bytes: it is said what else came.
  bool refuses(bool is_message, bool is_response, const Event& first) {
    std::string_view why;
    if (!first.is_message_start()) {
      if (is_message) why = "a Message cannot stand among bytes; insert a text";
    } else if (!is_message) {
      why = "bytes cannot stand among messages; insert a Message, or write replaceMessageBody";
    } else if (is_response && first.head()->is_request()) {
      why =
          "a response cannot stand in front of requests; to answer, return it: "
          "handleMessageStart(function(req) return Message \"x\" end)";
    }
    if (why.empty()) return false;
    give_up({ErrorCode::ScriptError, Side::Script, plan_.place.to_string() + ": insert: " + std::string(why)},
            first);
    return true;
  }
  bool refuses(const flow::Message& message, const Event& first) {
    return refuses(message.head != nullptr, message.head && !message.request(), first);
  }
  /// Among messages the error is the answer, or stands in its place; among bytes it is the end.
  void give_up(const Error& error, const Event& first) {
    has_failed_ = true;
    if (!first.is_message_start()) return fail(error);
    give_message(*error_message(error, chunks()), first.head()->is_request() ? answer_sink() : next_sink());
  }
  void give(const flow::Message& message) {
    if (message.head) {
      const Ref<flow::Message> copy = message.copy();
      settle_framing(*copy);
      give_message(*copy, next_sink());
      return;
    }
    for (const buffer::Slice& slice : message.body.slices()) output(Event::data(slice));
  }

  const InsertPlan& plan_;
  bool has_inserted_ = false;
  bool has_failed_ = false;
  std::unique_ptr<Event> first_;
};

std::unique_ptr<flow::Filter> InsertPlan::make() const { return std::make_unique<Insert>(*this); }

class DumpPlan final : public flow::FilterPlan {
 public:
  std::unique_ptr<flow::Filter> make() const override;
  std::string tag;
  bool prints_data = false;
};

class Dump final : public flow::Filter {
 public:
  explicit Dump(const DumpPlan& plan) : plan_(plan) {}

 private:
  void on_event(Event&& event) override {
    if (!plan_.prints_data)
      log::info((plan_.tag.empty() ? "dump " : "dump " + plan_.tag + " ") + flow::describe(event));
    else if (event.is_data()) print(event.slice().view());
    output(std::move(event));
  }
  bool is_movable() const override { return true; }
  static void print(std::string_view bytes) {
    std::fwrite(bytes.data(), 1, bytes.size(), stdout);
    std::fflush(stdout);
  }
  const DumpPlan& plan_;
};

std::unique_ptr<flow::Filter> DumpPlan::make() const { return std::make_unique<Dump>(*this); }

}  // namespace

Result<std::unique_ptr<flow::FilterPlan>> make_timeout_plan(FilterCall& call) {
  auto plan = std::make_unique<TimeoutPlan>();
  plan->wait = from_option(call.arguments[0].value);
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

Result<std::unique_ptr<flow::FilterPlan>> make_insert_plan(FilterCall& call) {
  auto plan = std::make_unique<InsertPlan>();
  const Argument& given = call.arguments[0];
  if (given.hook()) {
    plan->hook = Ref<flow::Hook>(given.hook());
  } else if (auto* message = given.value.object_as<flow::Message>()) {
    plan->message = Ref<flow::Message>(message);
  } else {
    plan->message = make_ref<flow::Message>();
    plan->message->set_body(buffer::buffer_of(*given.value.string(), call.services.runtime.chunks));
  }
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

Result<std::unique_ptr<flow::FilterPlan>> make_dump_plan(FilterCall& call) {
  auto plan = std::make_unique<DumpPlan>();
  if (const std::string* tag = call.arguments[0].value.string()) plan->tag = *tag;
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

Result<std::unique_ptr<flow::FilterPlan>> make_print_plan(FilterCall&) {
  auto plan = std::make_unique<DumpPlan>();
  plan->prints_data = true;
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

Result<std::unique_ptr<flow::FilterPlan>> make_serve_plan(FilterCall& call) {
  auto handler = std::make_unique<HandlePlan>();
  handler->name = "serveHTTP";
  handler->place = call.place;
  handler->moment = Moment::Message;
  handler->replaces = true;
  if (flow::Hook* hook = call.arguments[0].hook()) {
    handler->hook = Ref<flow::Hook>(hook);
  } else {
    handler->replacement = Ref<flow::Message>(call.arguments[0].value.object_as<flow::Message>());
    if (!handler->replacement->response())
      return Error{ErrorCode::ScriptError, Side::Script,
                   "serveHTTP: a request answers nothing; give a response"};
  }
  handler->body_bytes_max = call.options.size("limit", limits::collected_body_bytes_max);
  auto inner = make_ref<flow::PipelinePlan>(call.services.runtime, "serveHTTP", call.place);
  inner->add(std::move(handler));
  call.arguments[0].value = Value(Ref<Object>(inner));
  return DemuxHttpPlan::make_plan(call);
}

}  // namespace perilune::filter
