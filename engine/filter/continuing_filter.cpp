#include "filter/continuing_filter.hpp"

#include "base/text.hpp"
#include "filter/message_output.hpp"

namespace perilune::filter {

using flow::Event;

std::string label_of(const flow::PipelinePlan& plan) {
  return plan.name().empty() ? "pipeline at " + plan.place().to_string()
                             : "pipeline " + in_quotes(plan.name(), plan.name().size());
}

void ContinuingFilter::Outlet::on_event(Event&& event) {
  if (event.is_message_start() && event.head()->is_request()) {
    filter_.give_up({ErrorCode::NoAnswer, Side::Script,
                     "no filter of " + label_of(filter_.chosen_->plan()) + " answered"});
    return;
  }
  if (!filter_.has_failed_) filter_.output(std::move(event));
}

void ContinuingFilter::on_start() {
  if (pipeline().role() == flow::Role::Message) return;
  is_asked_ = true;
  decide();
}

void ContinuingFilter::process(Event&& event) {
  if (has_failed_) return;
  if (chosen_) {
    chosen_->on_event(std::move(event));
    return;
  }
  if (is_asked_) return;
  is_asked_ = has_first_ = true;
  first_ = std::move(event);
  decide();
}

void ContinuingFilter::go_on(flow::PipelinePlan& target, const flow::Rest* rest, uint8_t carriers) {
  if (carriers != 0 && (carriers & target.takes) == 0)
    return refuse(label_of(target) + " takes " +
                  (target.takes == flow::bit_of(flow::Carrier::Bytes) ? "bytes, and here are HTTP messages"
                                                                      : "HTTP messages, and here are bytes"));
  if (pipeline().depth() >= limits::routes_max)
    return refuse("more than " + std::to_string(limits::routes_max) + " routes in a row lead to " +
                  label_of(target) + ": is it a circle?");
  chosen_ = flow::Pipeline::create(
      target, pipeline().share_context(),
      {pipeline().input_valve(), pipeline().output_valve(), outlet_, pipeline().role()});
  chosen_->continue_from(pipeline());
  chosen_->set_rest(rest);
  chosen_->start();
  // Its session was to leave meanwhile.
  if (leaving_ && !is_ended()) {
    chosen_->leave(*leaving_);
    if (flow::ClientInfo* client = context().client()) client->on_rest();
  }
  if (!has_first_ || !chosen_) return;
  has_first_ = false;
  chosen_->on_event(std::move(first_));
}

bool ContinuingFilter::gave_up_for_hook() {
  if (call_.status != flow::HookStatus::Failed) return false;
  give_up(call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, {}});
  return true;
}

void ContinuingFilter::refuse(const std::string& sentence) {
  give_up({ErrorCode::ScriptError, Side::Script,
           filter_plan_.place.to_string() + ": " + filter_plan_.name + ": " + sentence});
}

void ContinuingFilter::give_up(const Error& error) {
  if (has_failed_ || is_ended()) return;
  has_failed_ = true;
  const bool is_message =
      pipeline().role() == flow::Role::Message && (!has_first_ || first_.is_message_start());
  if (is_message) give_message(*error_message(error, chunks()), answer_sink());
  else output(Event::stream_end(std::make_unique<Error>(error)));
}

void ContinuingFilter::on_stop() {
  WaitingFilter::on_stop();
  if (chosen_) chosen_->end(pipeline().end_error());
}

void ContinuingFilter::on_reset() {
  WaitingFilter::on_reset();
  chosen_.reset();
  first_ = Event::stream_end();
  has_first_ = is_asked_ = has_failed_ = false;
  leaving_.reset();
}

}  // namespace perilune::filter
