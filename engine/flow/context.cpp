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
    if (context->has_forwarded_client() || context->is_session_) return context;
  return nullptr;
}

std::string Context::client_ip() {
  const Context* owner_of_it = client_owner();
  if (!owner_of_it || !owner_of_it->client()) return {};
  return owner_of_it->has_forwarded_client() ? owner_of_it->exchange_->forwarded_ip
                                             : owner_of_it->client()->ip();
}

void Context::note_forwarded_client(const message::Headers& headers) {
  const ClientInfo* from = client();
  if (!from || !from->trusted_proxies) return;
  std::string ip = from->trusted_proxies->client_of(headers);
  if (!ip.empty()) own_exchange().forwarded_ip = std::move(ip);
}

Context* Context::exchange() {
  for (Context* context = this; context; context = context->parent_.get())
    if (context->is_exchange()) return context;
  return nullptr;
}

Message* Context::Exchange::made_of(Ref<Message>& message, const Ref<message::Head>& head) {
  if (!message) {
    message = Message::of(head);
    message->is_read_only = is_sealed;
  }
  return message.get();
}

Message* Context::request() {
  Context* owner_of_it = exchange();
  if (!owner_of_it) return nullptr;
  Exchange& mine = *owner_of_it->exchange_;
  return mine.made_of(mine.request, mine.request_head);
}

Message* Context::response() {
  Context* owner_of_it = exchange();
  if (!owner_of_it || !owner_of_it->exchange_->response_head) return nullptr;
  Exchange& mine = *owner_of_it->exchange_;
  return mine.made_of(mine.response, mine.response_head);
}

void Context::seal_messages() {
  Context* owner_of_it = exchange();
  if (!owner_of_it) return;
  Exchange& mine = *owner_of_it->exchange_;
  mine.is_sealed = true;
  for (Message* message : {mine.request.get(), mine.response.get()})
    if (message) message->is_read_only = true;
}

void Context::set_request(Ref<message::Head> head) {
  Exchange& mine = own_exchange();
  mine.request_head = std::move(head);
  mine.request.reset();
}

void Context::set_response(Ref<message::Head> head) {
  Context* owner_of_it = exchange();
  if (!owner_of_it || owner_of_it->exchange_->response_head == head) return;
  owner_of_it->exchange_->response_head = std::move(head);
  owner_of_it->exchange_->response.reset();
}

void Context::note_attempt(bool is_reused) {
  Context* owner_of_it = exchange();
  if (!owner_of_it) return;
  ++owner_of_it->exchange_->attempts;
  owner_of_it->exchange_->is_reused = is_reused;
}

int Context::attempts() {
  const Context* owner_of_it = exchange();
  return owner_of_it ? owner_of_it->exchange_->attempts : 0;
}

bool Context::is_reused() {
  const Context* owner_of_it = exchange();
  return owner_of_it && owner_of_it->exchange_->is_reused;
}

const Value& Context::key() const {
  static const Value none;
  return key_ ? *key_ : none;
}

Ref<Message> Context::message_of(const Ref<message::Head>& head) {
  Context* owner_of_it = exchange();
  if (owner_of_it && owner_of_it->exchange_->request_head == head) return Ref<Message>(request());
  if (owner_of_it && !head->is_request()) {
    set_response(head);
    return Ref<Message>(response());
  }
  return Message::of(head);
}

UpstreamInfo* Context::upstream() const {
  for (const Context* context = this; context; context = context->parent_.get()) {
    if (context->upstream_) return context->upstream_.get();
    if (context->exchange_ && context->exchange_->connection)
      return context->exchange_->connection->upstream_.get();
  }
  return nullptr;
}

ExchangeControl* Context::control() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->is_exchange()) return context->exchange_->control;
  return nullptr;
}

UpstreamInfo& Context::make_upstream() {
  if (!upstream_) upstream_ = std::make_unique<UpstreamInfo>();
  return *upstream_;
}

}  // namespace perilune::flow
