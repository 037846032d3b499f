#include "upstream/health_probe.hpp"

#include "base/text.hpp"

namespace perilune::upstream {

using flow::Event;
using Verdict = ProbeResult::Verdict;

namespace {

constexpr std::string_view user_agent = "perilune-health";

/// "10.0.0.1:80: Connection refused" of 10.0.0.1:80 is "Connection refused": the log names the endpoint
/// already.
std::string words_of(const Error& error, std::string_view target) {
  std::string_view detail = error.detail;
  if (detail.starts_with(target)) {
    detail.remove_prefix(target.size());
    if (detail.starts_with(": ")) detail.remove_prefix(2);
    else if (!detail.empty()) detail = error.detail;
  }
  if (!detail.empty()) return std::string(detail);
  std::string sentence(code_sentence(error.code));
  sentence[0] = to_lower(sentence[0]);
  return sentence;
}

ProbeResult result_of(const Error& error, std::string_view target) {
  const bool is_theirs = error.side == Side::Upstream && error.code != ErrorCode::Resources;
  return {is_theirs ? Verdict::Failed : Verdict::Unsure, words_of(error, target)};
}

}  // namespace

TcpProbe::TcpProbe(flow::Runtime& runtime, net::Network& network, HealthProbeHandler& handler)
    : handler_(handler), dial_(std::make_unique<edge::Dial>(runtime, network, *this)) {}

void TcpProbe::start(const net::Address& target) {
  target_ = target.to_string();
  dial_->start(target, edge::DialOptions{Duration::max()});
}

void TcpProbe::on_dialled(Result<std::unique_ptr<net::Stream>> stream) {
  handler_.on_probe_done(stream.has_error() ? result_of(stream.error(), target_)
                                            : ProbeResult{Verdict::Passed, "connected"});
}

HttpProbe::HttpProbe(flow::Runtime& runtime, flow::PipelinePlan& connections, const HealthOptions& options,
                     HealthProbeHandler& handler)
    : runtime_(runtime), connections_(connections), options_(options), handler_(&handler) {}

void HttpProbe::start(const net::Address& target) {
  target_ = target.to_string();
  const auto context = flow::Context::make_detached(runtime_.loop.now());
  context->set_key(Value(target_));
  session_ = make_ref<ClientSession>(runtime_, *this, ClientSessionOptions{});
  pipeline_ = flow::Pipeline::create(
      connections_, context,
      {session_->wire_input(), session_->wire_output(), *session_, flow::Role::Connection});
  session_->attach(*pipeline_, *context);
  pipeline_->start();
  session_->begin(*this, *make_request(target));
  session_->send(*this, Event::message_end());
}

Ref<message::RequestHead> HttpProbe::make_request(const net::Address& target) const {
  auto head = message::RequestHead::make();
  head->method = "GET";
  head->path = options_.path;
  const bool is_unix = target.kind == net::Address::Kind::Unix;
  head->headers.add("Host", !options_.host.empty() ? options_.host : is_unix ? "localhost" : target_);
  head->headers.add("User-Agent", user_agent);
  return head;
}

void HttpProbe::stop() {
  handler_ = nullptr;
  if (session_) session_->cut(Error{ErrorCode::Cancelled, Side::Engine, {}});
}

std::string_view HttpProbe::missing() const {
  const flow::UpstreamInfo* info = pipeline_ ? pipeline_->context().upstream() : nullptr;
  if (status_ != 0) return "the answer did not end";
  return info && info->is_connected ? "no answer" : "not connected";
}

void HttpProbe::on_response(Event&& event) {
  if (event.is_message_start()) {
    if (event.is_interim()) return;
    status_ = event.response()->status;
    const bool is_expected = status_ >= options_.status_min && status_ <= options_.status_max;
    if (!is_expected) finish(Verdict::Failed, "status " + std::to_string(status_));
  } else if (event.is_data()) {
    body_bytes_ += event.slice().size();
    if (body_bytes_ >= limits::drain_bytes_max) finish(Verdict::Passed, "status " + std::to_string(status_));
  } else if (event.is_message_end()) {
    if (const Error* error = event.error()) fail(*error);
    else finish(Verdict::Passed, "status " + std::to_string(status_));
  }
}

void HttpProbe::on_session_finished(ClientSession&) {
  pipeline_->end(nullptr);
  // Behind the pipeline and the session, which may call it until they are gone.
  runtime_.loop.release_later(Ref<Object>(this));
}

void HttpProbe::fail(const Error& error) {
  ProbeResult result = result_of(error, target_);
  finish(result.verdict, std::move(result.reason));
}

void HttpProbe::finish(Verdict verdict, std::string reason) {
  if (handler_) std::exchange(handler_, nullptr)->on_probe_done({verdict, std::move(reason)});
}

}  // namespace perilune::upstream
