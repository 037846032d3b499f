#include "filter/response_collector.hpp"

namespace perilune::filter {

void ResponseCollector::take(flow::Event&& event) {
  if (!handler_) return;
  if (event.is_message_start()) {
    if (event.is_interim()) return;
    auto* head = event.response();
    if (!head) return;
    response_ = flow::Message::of(event.head());
    response_->has_body = true;
    if (head->error) finish(*head->error);
  } else if (event.is_data() && response_) {
    if (response_->body.size() + event.slice().size() > options_.body_bytes_max) {
      finish(Error{ErrorCode::ResponseTooLarge, Side::Upstream,
                   "the body is larger than " + std::to_string(options_.body_bytes_max) + " bytes"});
      return;
    }
    response_->body.append_compact(std::move(event.slice()), runtime_.chunks);
  } else if (event.is_message_end()) {
    if (const Error* error = event.error()) {
      finish(*error);
      return;
    }
    response_->trailers = std::move(event.trailers());
    finish(response_);
  }
}

void ResponseCollector::finish(Result<Ref<flow::Message>> result) {
  if (!handler_) return;
  timer_.disarm();
  HttpClientHandler* handler = std::exchange(handler_, nullptr);
  handler->on_response(std::move(result));
}

}  // namespace perilune::filter
