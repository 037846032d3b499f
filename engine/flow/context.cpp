#include "flow/context.hpp"

#include "flow/trusted_proxies.hpp"

namespace perilune::flow {

Context::~Context() {
  if (owner) owner->release_context(*this);
}

Ref<Context> Context::make_session(ClientInfo* client, Instant started) {
  auto context = make_ref<Context>();
  context->client_ = client;
  context->started_ = started;
  context->is_session_ = true;
  return context;
}

Ref<Context> Context::make_child(Context& parent, Instant started) {
  auto context = make_ref<Context>();
  context->parent_ = Ref<Context>(&parent);
  context->started_ = started;
  return context;
}

Ref<Context> Context::make_detached(Instant started) {
  auto context = make_ref<Context>();
  context->started_ = started;
  return context;
}

Context* Context::session() {
  Context* context = this;
  while (context && !context->is_session_) context = context->parent_.get();
  return context;
}

ClientInfo* Context::client() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->is_session_) return context->client_;
  return nullptr;
}

Context* Context::client_owner() {
  for (Context* context = this; context; context = context->parent_.get())
    if (context->forwarded_ip_ || context->is_session_) return context;
  return nullptr;
}

std::string Context::client_ip() {
  const Context* owner_of_it = client_owner();
  if (!owner_of_it || !owner_of_it->client()) return {};
  return owner_of_it->forwarded_ip_ ? *owner_of_it->forwarded_ip_ : owner_of_it->client()->ip();
}

void Context::note_forwarded_client(const message::Headers& headers) {
  const ClientInfo* from = client();
  if (!from || !from->trusted_proxies) return;
  std::string ip = from->trusted_proxies->client_of(headers);
  if (!ip.empty()) forwarded_ip_ = std::make_unique<std::string>(std::move(ip));
}

Context* Context::exchange() {
  for (Context* context = this; context; context = context->parent_.get())
    if (context->request_head_) return context;
  return nullptr;
}

Message* Context::request() {
  Context* owner_of_it = exchange();
  if (!owner_of_it) return nullptr;
  if (!owner_of_it->request_) owner_of_it->request_ = Message::of(owner_of_it->request_head_);
  return owner_of_it->request_.get();
}

Message* Context::response() {
  Context* owner_of_it = exchange();
  if (!owner_of_it || !owner_of_it->response_head_) return nullptr;
  if (!owner_of_it->response_) owner_of_it->response_ = Message::of(owner_of_it->response_head_);
  return owner_of_it->response_.get();
}

void Context::set_request(Ref<message::Head> head) {
  request_head_ = std::move(head);
  request_.reset();
}

void Context::set_response(Ref<message::Head> head) {
  Context* owner_of_it = exchange();
  if (!owner_of_it || owner_of_it->response_head_ == head) return;
  owner_of_it->response_head_ = std::move(head);
  owner_of_it->response_.reset();
}

Ref<Message> Context::message_of(const Ref<message::Head>& head) {
  Context* owner_of_it = exchange();
  if (owner_of_it && owner_of_it->request_head_ == head) return Ref<Message>(request());
  if (owner_of_it && !head->is_request()) {
    set_response(head);
    return Ref<Message>(response());
  }
  return Message::of(head);
}

UpstreamInfo* Context::upstream() const {
  for (const Context* context = this; context; context = context->parent_.get()) {
    if (context->upstream_) return context->upstream_.get();
    if (context->connection_) return context->connection_->upstream_.get();
  }
  return nullptr;
}

ExchangeControl* Context::control() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->request_head_) return context->control_;
  return nullptr;
}

UpstreamInfo& Context::make_upstream() {
  if (!upstream_) upstream_ = std::make_unique<UpstreamInfo>();
  return *upstream_;
}

}  // namespace perilune::flow
