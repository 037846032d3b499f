#include "filter/route.hpp"

#include "filter/message_output.hpp"

namespace perilune::filter {

using flow::Event;

Result<std::unique_ptr<flow::FilterPlan>> RoutePlan::make_plan(FilterCall& call) {
  auto plan = std::make_unique<RoutePlan>();
  plan->scope = call.scope;
  const Argument& target = call.arguments[0];
  if (target.hook()) plan->hook = Ref<flow::Hook>(target.hook());
  else plan->target = Ref<flow::PipelinePlan>(target.value.object_as<flow::PipelinePlan>());
  for (const Value& name : call.arguments[1].list)
    plan->known_targets.push_back(call.scope->refer(*name.string(), call.place));
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> RoutePlan::make() const { return std::make_unique<Route>(*this); }

void RoutePlan::each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const {
  if (target) visit(*target);
  for (const auto& known : known_targets) visit(*known);
}

void Route::Outlet::on_event(Event&& event) {
  if (event.is_message_start() && event.head()->is_request()) {
    route_.give_up({ErrorCode::NoAnswer, Side::Script,
                    "no filter of pipeline \"" + route_.chosen_->plan().name() + "\" answered"});
    return;
  }
  if (!route_.has_failed_) route_.output(std::move(event));
}

void Route::on_start() {
  if (pipeline().role() == flow::Role::Message) return;
  is_asked_ = true;
  if (plan_.hook) run_hook(*plan_.hook, flow::HookShape::Context);
  else choose(*plan_.target);
}

void Route::process(Event&& event) {
  if (has_failed_) return;
  if (chosen_) {
    chosen_->on_event(std::move(event));
    return;
  }
  if (!plan_.hook) {
    choose(*plan_.target);
    if (chosen_) chosen_->on_event(std::move(event));
    return;
  }
  if (is_asked_) return;
  is_asked_ = has_first_ = true;
  first_ = std::move(event);
  run_hook(*plan_.hook, flow::HookShape::Context);
}

void Route::on_hook_result() {
  if (call_.status == flow::HookStatus::Failed) {
    give_up(call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, {}});
    return;
  }
  if (auto* target = call_.value.object_as<flow::PipelinePlan>()) {
    choose(*target);
  } else if (const std::string* name = call_.value.string()) {
    if (flow::PipelinePlan* found = plan_.scope->find(*name)) {
      choose(*found);
    } else {
      const std::string_view near = plan_.scope->nearest_to(*name);
      give_up({ErrorCode::ScriptError, Side::Script,
               plan_.place.to_string() + ": route: there is no pipeline \"" + *name + "\"" +
                   (near.empty() ? "" : "; did you mean \"" + std::string(near) + "\"?")});
      return;
    }
  } else if (call_.value.is_nil() || call_.value.is_false()) {
    give_up({ErrorCode::NoRoute, Side::Client, {}});
    return;
  } else {
    give_up({ErrorCode::ScriptError, Side::Script,
             plan_.place.to_string() + ": route: the function gave " + show(call_.value) +
                 ", not a pipeline, its name or nil"});
    return;
  }
  if (has_first_ && chosen_) {
    has_first_ = false;
    chosen_->on_event(std::move(first_));
  }
}

void Route::choose(flow::PipelinePlan& target) {
  const auto refuse = [&](const std::string& why) {
    give_up({ErrorCode::ScriptError, Side::Script, plan_.place.to_string() + ": route: " + why});
  };
  if (plan_.carriers != 0 && (plan_.carriers & target.takes) == 0)
    return refuse("pipeline \"" + target.name() + "\" takes " +
                  (target.takes == flow::bit_of(flow::Carrier::Bytes) ? "bytes, and here are HTTP messages"
                                                                      : "HTTP messages, and here are bytes"));
  if (pipeline().depth() >= limits::routes_max)
    return refuse("more than " + std::to_string(limits::routes_max) + " routes in a row lead to pipeline \"" +
                  target.name() + "\": is it a circle?");
  chosen_ = flow::Pipeline::create(target, pipeline().share_context(),
                                   {pipeline().input_valve(), pipeline().output_valve(), outlet_, pipeline().role()});
  chosen_->continue_from(pipeline());
  chosen_->start();
}

void Route::give_up(const Error& error) {
  if (has_failed_ || is_ended()) return;
  has_failed_ = true;
  const bool is_message = pipeline().role() == flow::Role::Message && (!has_first_ || first_.is_message_start());
  if (is_message) give_message(*error_message(error, chunks()), answer_sink());
  else output(Event::stream_end(std::make_unique<Error>(error)));
}

void Route::on_stop() {
  WaitingFilter::on_stop();
  if (chosen_) chosen_->end(pipeline().end_error());
}

void Route::on_reset() {
  WaitingFilter::on_reset();
  chosen_.reset();
  first_ = Event::stream_end();
  has_first_ = is_asked_ = has_failed_ = false;
}

}  // namespace perilune::filter
