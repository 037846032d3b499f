#include "edge/session.hpp"

#include <utility>

#include "base/log.hpp"
#include "flow/trusted_proxies.hpp"

namespace perilune::edge {

Session::Session(flow::Runtime& runtime, std::unique_ptr<net::Stream> stream, SessionHandler& handler,
                 const SessionOptions& options)
    : handler_(&handler), channel_(runtime, std::move(stream), *this, options.channel) {
  follow(options);
}

void Session::follow(const SessionOptions& options) {
  rules = &options.rules;
  const bool is_trusted = rules->trusted_proxies && rules->trusted_proxies->trusts(ip());
  trusted_proxies = is_trusted ? rules->trusted_proxies : nullptr;
}

void Session::start(flow::PipelinePlan& plan) {
  channel_.set_read_valve(input_valve_);
  channel_.set_write_valve(output_valve_);
  channel_.start();
  start_pipeline(plan);
}

void Session::start_pipeline(flow::PipelinePlan& plan) {
  context_ = flow::Context::make_session(this, loop().now());
  pipeline_ =
      flow::Pipeline::create(plan, context_, {input_valve_, output_valve_, *this, flow::Role::Session});
  pipeline_->watch_quiet(&after_events_task_);
  pipeline_->start();
}

Session::Departure Session::leave(flow::Leaving how) {
  if (is_over_ || output_ended_) return Departure::Stays;
  if (how == flow::Leaving::Move && is_movable())
    return pipeline_->leave(how) ? Departure::AtRest : Departure::Busy;
  pipeline_->leave(flow::Leaving::Close);
  return Departure::Stays;
}

void Session::move(flow::PipelinePlan& plan, SessionHandler& handler, const SessionOptions& options) {
  buffer::Buffer unused = pipeline_->take_unused();
  after_events_task_.withdraw();
  is_rest_to_tell_ = false;
  pipeline_->end(nullptr);
  context_->set_client(nullptr);
  handler_ = &handler;
  follow(options);
  times_left_to_protocol_ = false;
  has_moved = true;
  channel_.set_options(options.channel);
  start_pipeline(plan);
  while (!unused.empty() && !is_over_) pipeline_->on_event(flow::Event::data(unused.take_slice()));
}

net::Address Session::peer() const { return channel_.is_open() ? channel_.stream().peer() : net::Address{}; }

std::string Session::local_ip() const {
  return channel_.is_open() ? channel_.stream().local().host : std::string();
}

uint16_t Session::local_port() const {
  return channel_.is_open() ? channel_.stream().local().port : uint16_t{0};
}

void Session::leave_time_to_protocol() {
  times_left_to_protocol_ = true;
  channel_.set_idle_timeout(Duration::max());
}

void Session::on_channel_data(buffer::Slice slice) {
  if (output_ended_ && !pipeline_->wants_input()) {
    // Lingering: what still comes is read so that the kernel does not reset the connection before the client
    // has read its answer; that is a matter of the time after the answer is out, and of a generous number of
    // bytes.
    drained_bytes_ += static_cast<uint32_t>(slice.size());
    if (drained_bytes_ > limits::linger_bytes_max) over(nullptr);
    return;
  }
  pipeline_->on_event(flow::Event::data(std::move(slice)));
}

void Session::on_channel_end() {
  input_ended_ = true;
  if (!output_ended_ || pipeline_->wants_input()) pipeline_->on_event(flow::Event::stream_end());
  finish_if_done();
}

void Session::on_channel_failed(ErrorCode code) {
  const Error error{code == ErrorCode::Reset ? ErrorCode::ClientGone : code, Side::Client, {}};
  if (code == ErrorCode::WriteTimeout) log_cut(error);
  over(code == ErrorCode::IdleTimeout ? nullptr : &error);
}

void Session::on_channel_flushed() { finish_if_done(); }

void Session::on_event(flow::Event&& event) {
  if (is_over_) return;
  if (output_ended_) {
    // All was said to the client, and then the pipeline failed: nobody takes what the client still sends.
    if (event.is_stream_end() && event.error()) {
      pipeline_->stop_input();
      finish_if_done();
    }
    return;
  }
  if (event.is_data()) {
    channel_.write(std::move(event.slice()));
  } else if (event.is_stream_end()) {
    output_ended_ = true;
    if (const Error* error = event.error()) {
      if (!times_left_to_protocol_) log_cut(*error);
      cut(*error);
      return;
    }
    if (!expects_no_more_) channel_.shutdown();
    finish_if_done();
  }
}

void Session::finish_if_done() {
  if (is_over_ || !output_ended_ || !channel_.is_flushed()) return;
  if (input_ended_ || expects_no_more_) {
    if (pipeline_->is_quiet()) over(nullptr);
  } else if (!pipeline_->wants_input() && !linger_timer_) {
    linger_timer_ = std::make_unique<LingerTimer>(*this);
    loop().arm(*linger_timer_, limits::linger_timeout);
  }
}

void Session::after_events() {
  finish_if_done();
  if (std::exchange(is_rest_to_tell_, false) && !is_over_) handler_->on_session_at_rest(*this);
}

void Session::on_linger_timer() { over(nullptr); }

void Session::log_cut(const Error& error) const {
  log::write(error.side == Side::Client ? log::Level::Info : log::Level::Warn,
             error.to_string() + " [client " + ip() + "] -> cut");
}

void Session::cut(const Error& error) {
  if (is_over_) return;
  channel_.reset_on_close();
  over(&error);
}

void Session::over(const Error* error) {
  if (is_over_) return;
  is_over_ = true;
  after_events_task_.withdraw();
  if (linger_timer_) linger_timer_->disarm();
  pipeline_->end(error);
  context_->set_client(nullptr);
  loop().release_later(Ref<Object>(this));
  handler_->on_session_over(*this);
  channel_.close();
}

}  // namespace perilune::edge
