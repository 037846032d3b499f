#include "upstream/connection_pool.hpp"

namespace perilune::upstream {

PooledConnection::PooledConnection(ConnectionPool& pool, ConnectionKey* key,
                                   const ClientSessionOptions& options)
    : session(make_ref<ClientSession>(pool.runtime_, *this, options)), pool_(pool), key_(key) {}

PooledConnection& PooledConnection::of(ClientSession& session) {
  return static_cast<PooledConnection&>(session.owner());
}

void PooledConnection::start(flow::Context* opener) {
  const Instant now = pool_.runtime_.loop.now();
  opened_at_ = now;
  auto context = opener ? flow::Context::make_child(*opener, now) : flow::Context::make_detached(now);
  if (key_) context->set_key(key_->value);
  flow::UpstreamInfo& info = context->make_upstream();
  info.connected_task = &connected_task_;
  info.cluster = pool_.options_.cluster;
  pipeline_ = flow::Pipeline::create(
      *pool_.plan_, context,
      {session->wire_input(), session->wire_output(), *session, flow::Role::Connection});
  session->attach(*pipeline_, *context);
  pipeline_->start();
}

void PooledConnection::on_connected() {
  if (!key_ || session->is_closing()) return;
  if (pool_.observer_ && !std::exchange(is_open_reported_, true))
    pool_.observer_->on_opened(*key_, pool_.runtime_.loop.now() - opened_at_, nullptr);
  if (stage_ != Stage::Opening) return;
  pool_.commit(*this);
  pool_.settle();
}

void PooledConnection::on_session_available(ClientSession&) {
  if (!key_) {
    if (session->is_idle()) session->drain();
    return;
  }
  if (session->is_reserved()) {  // who has it releases it
    is_release_due_ = is_release_due_ || session->is_idle();
    return;
  }
  if (session->is_idle()) {
    is_release_due_ = false;
    session->reserve();  // for the last look at it
    if (!pool_.observer_ || !pool_.observer_->holds_release(*this)) pool_.finish_release(*this);
  } else if (stage_ == Stage::InPool) {
    pool_.serve_by_sharing(*key_);
    pool_.settle();
  }
}

void PooledConnection::on_session_finished(ClientSession&) {
  const Ref<PooledConnection> self(this);
  connected_task_.withdraw();
  pipeline_->context().let_go_of_parent();
  pipeline_->end(nullptr);
  pool_.connection_over(*this);
}

bool PooledConnection::may_move_requests(const ClientSession&) const {
  return key_ && stage_ == Stage::InPool && pool_.policy_.has_room(*key_);
}

}  // namespace perilune::upstream
