#include "filter/connect.hpp"

namespace perilune::filter {

using flow::Event;

Result<std::unique_ptr<flow::FilterPlan>> ConnectPlan::make_plan(FilterCall& call) {
  auto plan = std::make_unique<ConnectPlan>();
  plan->services = &call.services;
  const Argument& target = call.arguments[0];
  if (target.hook()) {
    plan->hook = Ref<flow::Hook>(target.hook());
  } else {
    auto address = net::Address::parse(*target.value.string());
    if (address.has_error()) return address.error();
    plan->address = std::move(*address);
  }
  plan->dial.timeout = call.options.time("connectTimeout", limits::connect_timeout);
  plan->read_timeout = call.options.time("readTimeout", limits::read_timeout);
  plan->channel.write_timeout = call.options.time("writeTimeout", limits::write_timeout);
  plan->channel.idle_timeout = call.options.time("idleTimeout", Duration::max());
  plan->channel.buffer_bytes_max = call.options.size("bufferLimit", limits::buffer_bytes_max);
  if (const Argument* bind = call.options.find("bind")) {
    std::string text = *bind->value.string();
    if (text.find(':') == std::string::npos) text += ":0";
    auto address = net::Address::parse(text);
    if (address.has_error()) return address.error();
    plan->dial.bind = std::move(*address);
  }
  return std::unique_ptr<flow::FilterPlan>(std::move(plan));
}

std::unique_ptr<flow::Filter> ConnectPlan::make() const { return std::make_unique<Connect>(*this); }

void Connect::on_start() {
  if (pipeline().role() != flow::Role::Message) begin();
}

void Connect::begin() {
  has_begun_ = true;
  if (plan_.hook) run_hook(*plan_.hook, flow::HookShape::Context);
  else dial(plan_.address);
}

void Connect::on_hook_result() {
  if (call_.status == flow::HookStatus::Failed) {
    give_up(call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, {}});
    return;
  }
  const std::string* target = call_.value.string();
  if (!target) {
    give_up({ErrorCode::ScriptError, Side::Script,
             plan_.place.to_string() + ": connect: the target function gave " + show(call_.value) +
                 ", not \"host:port\""});
    return;
  }
  auto address = net::Address::parse(*target);
  if (address.has_error())
    give_up({ErrorCode::ScriptError, Side::Script,
             plan_.place.to_string() + ": connect: " + address.error().detail});
  else dial(*address);
}

void Connect::dial(const net::Address& address) {
  flow::UpstreamInfo& info = context().make_upstream();
  info.endpoint = address.to_string();
  info.read_timeout = plan_.read_timeout;
  dial_begun_ = loop().now();
  dial_ = std::make_unique<edge::Dial>(pipeline().runtime(), plan_.services->network, *this);
  dial_->start(address, plan_.dial);
}

void Connect::on_dialled(Result<std::unique_ptr<net::Stream>> stream) {
  std::unique_ptr<edge::Dial> finished = std::move(dial_);
  if (stream.has_error()) {
    give_up(stream.error());
    return;
  }
  flow::UpstreamInfo& info = context().make_upstream();
  info.is_connected = true;
  info.connect_time = loop().now() - dial_begun_;
  info.probe = this;
  if (info.connected_task) loop().defer(*info.connected_task);
  if (pipeline().role() == flow::Role::Connection) context().let_go_of_parent();
  channel_ = std::make_unique<edge::Channel>(pipeline().runtime(), std::move(*stream), *this, plan_.channel);
  channel_->set_read_valve(output_valve());
  channel_->set_write_valve(pipeline().input_valve());
  channel_->start();
  input_hold_.release();
  if (!waiting_.empty()) channel_->write(std::move(waiting_));
  waiting_.clear();
  if (input_ended_) end_input();
}

void Connect::process(Event&& event) {
  if (event.is_data()) {
    if (!has_begun_) begin();
    if (channel_) {
      channel_->write(std::move(event.slice()));
      return;
    }
    waiting_.append_compact(std::move(event.slice()), chunks());
    if (!input_hold_ && waiting_.size() > plan_.channel.buffer_bytes_max) input_hold_ = input_valve().hold();
  } else if (event.is_stream_end()) {
    input_ended_ = true;
    if (event.error()) {
      if (channel_) channel_->reset_on_close();
      output(std::move(event));
    } else if (channel_) {
      end_input();
    } else if (!has_begun_) {
      output(Event::stream_end());
    }
  }
}

void Connect::end_input() {
  channel_->shutdown();
  if (is_staying_ || channel_->is_flushed()) return;
  is_staying_ = true;
  pipeline().begin_stay();
}

void Connect::end_stay() {
  if (std::exchange(is_staying_, false)) pipeline().end_stay();
}

void Connect::on_channel_flushed() {
  if (channel_->is_flushed()) end_stay();
}

void Connect::note_progress() {
  if (channel_) context().make_upstream().bytes_sent = channel_->bytes_written();
}

void Connect::on_channel_data(buffer::Slice slice) {
  if (!is_ended()) output(Event::data(std::move(slice)));
}

void Connect::on_channel_end() {
  note_progress();
  if (!is_ended()) output(Event::stream_end());
}

void Connect::on_channel_failed(ErrorCode code) {
  note_progress();
  end_stay();
  // Its silence is the upstream's, whatever the client does: a 504, not a 408.
  if (code == ErrorCode::IdleTimeout) code = ErrorCode::ReadTimeout;
  give_up({code, Side::Upstream, context().make_upstream().endpoint});
}

void Connect::give_up(Error error) {
  if (pipeline().role() == flow::Role::Session) plan_.services->stats.count(error.code);
  if (!is_ended()) output(Event::stream_end(std::make_unique<Error>(std::move(error))));
}

void Connect::on_stop() {
  WaitingFilter::on_stop();
  input_hold_.release();
  dial_.reset();
  if (!channel_) return;
  // A malformed answer or a silence ends it from our side, and what was written must not be sent again.
  note_progress();
  context().make_upstream().probe = nullptr;
  // A stream that was cut on the other side must not look complete on this one.
  if (pipeline().end_error()) channel_->reset_on_close();
  channel_->close();
}

void Connect::on_reset() {
  WaitingFilter::on_reset();
  has_begun_ = input_ended_ = is_staying_ = false;
  waiting_.clear();
  channel_.reset();
}

}  // namespace perilune::filter
