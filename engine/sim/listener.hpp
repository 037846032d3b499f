#pragma once

#include <deque>

#include "sim/network.hpp"

namespace perilune::sim {

/// A simulated listening socket with its backlog.
class SimListener final : public net::Listener, public SimTarget {
 public:
  SimListener(SimNetwork& network, const net::Address& asked, const net::Address& bound,
              const net::ListenOptions& options, net::ListenHandler& handler);
  ~SimListener() override;

  net::Address local() const override { return bound_; }
  void pause() override { is_paused_ = true; }
  void resume() override;
  size_t waiting() const override { return backlog_.size(); }
  void hand_over(net::ListenHandler& handler, const net::ListenOptions& options) override;

  const net::Address& asked() const { return asked_; }
  const SimNetwork& network() const { return network_; }
  SimProcess process() const { return network_.process_; }
  bool takes(const net::Address& target) const;
  bool has_room() const { return backlog_.size() < backlog_max_; }
  /// A connection that is complete for the kernel and waits to be accepted.
  void push(SimConnection& connection);

 private:
  friend class SimNetwork;
  void on_ready(uint8_t what) override;
  void on_rested() { make_ready(Other); }
  void accept_one();

  SimNetwork& network_;
  const net::Address asked_;
  const net::Address bound_;
  size_t backlog_max_;
  net::ListenHandler* handler_;
  loop::MemberTimer<SimListener, &SimListener::on_rested> rest_timer_{*this};
  std::deque<SimConnection*> backlog_;
  bool is_paused_ = false;
};

}  // namespace perilune::sim
