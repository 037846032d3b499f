#pragma once

#include "filter/message_output.hpp"
#include "filter/registry.hpp"
#include "filter/tunnel_clock.hpp"
#include "filter/waiting_filter.hpp"
#include "upstream/connection_pool.hpp"
#include "upstream/kept_request.hpp"

namespace perilune::filter {

/// `muxHTTP(p, key, options)`: sends messages over connections that live longer than a message; each is a
/// pipeline of `p`. Errors come out as responses: those of `connect`, QueueFull, QueueTimeout, ReadTimeout,
/// BadResponse.
class MuxHttpPlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }
  void each_target(const std::function<void(const flow::PipelinePlan&)>& visit) const override {
    visit(*target);
  }

  void retire() override { pool->retire(); }
  void drain() override { pool->drain(); }

  Services* services = nullptr;
  Ref<flow::PipelinePlan> target;
  /// Decides the key; null: a fixed one.
  Ref<flow::Hook> key_hook;
  /// Nil: no key, nobody shares.
  Value key;
  bool has_key = false;
  Duration tunnel_idle_timeout = limits::tunnel_idle_timeout;
  std::unique_ptr<upstream::ConnectionPool> pool;
};

class MuxHttp final : public WaitingFilter,
                      public upstream::ClientExchange,
                      public upstream::PoolWaiter,
                      public flow::ValveWatcher,
                      private TunnelOwner {
 public:
  explicit MuxHttp(const MuxHttpPlan& plan) : plan_(plan), tunnel_(plan.services->runtime.loop, *this) {}

 private:
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  void on_stop() override;
  void on_reset() override;
  void on_response(flow::Event&& event) override;
  void on_exchange_failed(upstream::ExchangeFailure failure) override;
  flow::Valve& request_valve() override { return pipeline().input_valve(); }
  bool is_response_held() const override { return output_valve().is_held(); }
  void on_session(upstream::ClientSession& session, bool is_reused) override;
  void on_pool_failed(const Error& error) override;
  void on_valve_changed(flow::Valve& valve) override;

  void find_key();
  void lease(const Value& key);
  void begin(upstream::ClientSession& session, bool is_reused);
  void send(flow::Event&& event);
  void fail(const Error& error);
  bool may_send_again(const upstream::ExchangeFailure& failure) const;
  void keep(flow::Event& event);
  void keep_no_more();
  void send_kept();
  void send_again();
  void retry();
  void on_tunnel_idle() override;

  const MuxHttpPlan& plan_;
  Ref<message::RequestHead> request_;
  Value key_;
  bool is_private_ = false;
  upstream::ClientSession* session_ = nullptr;
  upstream::KeptRequest kept_;
  bool keeps_ = true;
  bool has_retried_ = false;
  bool was_bystander_ = false;  // it was sent again because another request's failure took its connection
  bool is_answered_ = false;    // its answer came, or an error in its place
  TunnelClock tunnel_;
  loop::MemberTask<MuxHttp, &MuxHttp::retry> retry_task_{*this};
};

}  // namespace perilune::filter
