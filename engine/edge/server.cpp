#include "edge/server.hpp"

#include "base/log.hpp"

namespace perilune::edge {

Server::Server(flow::Runtime& runtime, flow::PipelinePlan& plan, const ServerOptions& options)
    : runtime_(runtime), plan_(&plan), options_(options) {}

Server::~Server() {
  PERILUNE_EXPECT(sessions_.empty(), "a server ends after its sessions");
}

Result<void> Server::listen(net::Network& network, const net::Address& address) {
  auto listener = network.listen(address, options_.listen, *this);
  if (listener.has_error()) return listener.error();
  listener_ = std::move(*listener);
  return {};
}

void Server::on_accept(std::unique_ptr<net::Stream> stream) {
  if (options_.connections_per_ip_max > 0) {
    size_t& open = connections_by_ip_[stream->peer().host];
    if (open >= options_.connections_per_ip_max) {
      stream->reset_on_close();
      return;
    }
    ++open;
  }
  auto session = make_ref<Session>(runtime_, std::move(stream), *this, options_.session);
  session->id = ++accepted_;
  session->add_reference();  // the list's
  sessions_.push_back(*session);
  ++sessions_count_;
  if (options_.connections_max > 0 && sessions_count_ >= options_.connections_max && !is_at_limit_) {
    is_at_limit_ = true;
    listener_->pause();
  }
  session->start(*plan_);
}

void Server::on_accept_paused(const Error& error) {
  // It tries again ten times a second; one line tells of the whole shortage.
  if (runtime_.loop.now() < next_pause_log_) return;
  next_pause_log_ = runtime_.loop.now() + 10s;
  log::warn("accept paused: " + error.to_string());
}

void Server::on_session_over(Session& session) {
  sessions_.erase(sessions_.iterator_to(session));
  --sessions_count_;
  if (options_.connections_per_ip_max > 0) {
    const auto entry = connections_by_ip_.find(session.ip());
    if (entry != connections_by_ip_.end() && --entry->second == 0) connections_by_ip_.erase(entry);
  }
  session.drop_reference();
  if (is_at_limit_ && listener_) {
    is_at_limit_ = false;
    listener_->resume();
  }
}

void Server::stop_accepting() { listener_.reset(); }

void Server::cut_all(const Error& error) {
  while (!sessions_.empty()) sessions_.front().cut(error);
}

}  // namespace perilune::edge
