#include "sim/listener.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "sim/stream.hpp"

namespace perilune::sim {

SimListener::SimListener(SimNetwork& network, const net::Address& asked, const net::Address& bound,
                         const net::ListenOptions& options, net::ListenHandler& handler)
    : SimTarget(network.driver_),
      network_(network),
      asked_(asked),
      bound_(bound),
      backlog_max_(static_cast<size_t>(std::max(options.backlog, 1))),
      handler_(&handler) {
  network_.world_.listeners_.push_back(this);
}

SimListener::~SimListener() {
  std::erase(network_.world_.listeners_, this);
  while (!backlog_.empty()) accept_one();
}

bool SimListener::takes(const net::Address& target) const {
  if (bound_ == target) return true;
  const bool is_any = bound_.host == "0.0.0.0" || bound_.host == "::";
  return is_any && bound_.kind == target.kind && bound_.port == target.port;
}

void SimListener::push(SimConnection& connection) {
  backlog_.push_back(&connection);
  make_ready(Other);
}

void SimListener::resume() {
  is_paused_ = false;
  if (!backlog_.empty()) make_ready(Other);
}

void SimListener::hand_over(net::ListenHandler& handler, const net::ListenOptions& options) {
  handler_ = &handler;
  backlog_max_ = static_cast<size_t>(std::max(options.backlog, 1));
}

void SimListener::accept_one() {
  SimConnection& connection = *backlog_.front();
  backlog_.pop_front();
  handler_->on_accept(std::make_unique<SimStream>(network_, connection, SimConnection::Server));
}

void SimListener::on_ready(uint8_t) {
  SimDriver& driver = driver_;
  while (!backlog_.empty() && !is_paused_ && !rest_timer_.is_armed()) {
    if (!network_.has_descriptors()) {
      network_.loop_.arm(rest_timer_, limits::accept_pause);
      return handler_->on_accept_paused(
          {ErrorCode::Resources, Side::Engine, bound_.to_string() + ": Too many open files"});
    }
    if (!handler_->may_accept()) return;
    accept_one();
    if (!driver.is_current(this)) return;  // destroyed by its handler
  }
}

}  // namespace perilune::sim
