#include "flow/context.hpp"

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

Message* Context::request() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->request_) return context->request_.get();
  return nullptr;
}

Message* Context::response() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->request_) return context->response_.get();
  return nullptr;
}

UpstreamInfo* Context::upstream() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->upstream_) return context->upstream_.get();
  return nullptr;
}

ExchangeControl* Context::control() const {
  for (const Context* context = this; context; context = context->parent_.get())
    if (context->request_) return context->control_;
  return nullptr;
}

UpstreamInfo& Context::make_upstream() {
  if (!upstream_) upstream_ = std::make_unique<UpstreamInfo>();
  return *upstream_;
}

}  // namespace perilune::flow
