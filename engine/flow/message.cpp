#include "flow/message.hpp"

#include "flow/hook.hpp"

namespace perilune::flow {

Message::Message() = default;

Message::~Message() {
  if (script_owner) script_owner->release_message(*this);
}

Ref<Message> Message::copy() const {
  auto message = make_ref<Message>();
  if (const auto* as_request = request()) message->head = as_request->copy();
  else if (const auto* as_response = response()) message->head = as_response->copy();
  message->body = body;
  message->has_body = has_body;
  message->body_replaced = body_replaced;
  message->body_source = body_source;
  if (trailers) {
    message->trailers = make_ref<message::Trailers>();
    message->trailers->headers = trailers->headers;
  }
  return message;
}

void Message::set_body(buffer::Buffer new_body) {
  body = std::move(new_body);
  has_body = true;
  body_replaced = true;
  body_source.reset();
  trailers.reset();
  if (!head) return;
  make_head_own();
  head->headers.remove({message::Name::ContentLength, message::Name::ContentEncoding, message::Name::ETag});
  head->body = {message::BodyKind::Length, body.size()};
}

}  // namespace perilune::flow
