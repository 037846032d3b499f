#pragma once

#include "filter/forward_settings.hpp"
#include "filter/message_output.hpp"
#include "filter/tunnel_clock.hpp"
#include "filter/waiting_filter.hpp"
#include "upstream/exchange.hpp"

namespace perilune::filter {

/// `forward(upstream | fn, options)`: sends messages to a cluster, with its balancing, pool, health and
/// retries. Errors come out as responses: those of upstream::Exchange; ScriptError for what a function should
/// not give.
class ForwardPlan final : public flow::FilterPlan {
 public:
  static Result<std::unique_ptr<flow::FilterPlan>> make_plan(FilterCall& call);
  ForwardPlan(Services& its_services, Ref<UpstreamObject> its_upstream, Ref<flow::Hook> chooser,
              ForwardSettings its_settings);
  std::unique_ptr<flow::Filter> make() const override;
  bool answers() const override { return true; }

  /// An option that is asked for, or the choice of the cluster.
  enum class Question : uint8_t { Cluster, Timeout, TryTimeout, Endpoint, Key, Pool, Tenant, Host };

  Services& services;
  /// Null: `choose_cluster` decides.
  const Ref<UpstreamObject> upstream;
  const Ref<flow::Hook> choose_cluster;
  const ForwardSettings settings;
  /// What functions are to be asked, in this order.
  std::vector<std::pair<Question, flow::Hook*>> questions;
};

class Forward final : public WaitingFilter,
                      private upstream::ExchangeOwner,
                      private flow::ValveWatcher,
                      private TunnelOwner {
 public:
  explicit Forward(const ForwardPlan& plan)
      : plan_(plan), exchange_(plan.services.runtime, *this), tunnel_(plan.services.runtime.loop, *this) {}

 private:
  void process(flow::Event&& event) override;
  void on_hook_result() override;
  void on_stop() override;
  void on_reset() override;
  // ExchangeOwner
  void on_exchange_event(flow::Event&& event) override;
  void on_exchange_failed(const Error& error) override;
  flow::Valve& request_valve() override { return pipeline().input_valve(); }
  bool is_response_held() const override { return output_valve().is_held(); }
  flow::Context& exchange_context() override { return context(); }
  void on_valve_changed(flow::Valve& valve) override;
  void on_tunnel_idle() override;

  void begin();
  void ask();
  /// Takes what the function of the last question gave; an error when it is of no use.
  std::optional<Error> take_answer(ForwardPlan::Question question);
  void start();
  void add_forwarded();
  void stick(message::ResponseHead& head) const;
  void fail(const Error& error);

  const ForwardPlan& plan_;
  Ref<message::RequestHead> request_;
  Ref<upstream::Cluster> cluster_;
  upstream::ExchangePlan exchange_plan_;
  upstream::Exchange exchange_;
  TunnelClock tunnel_;
  size_t next_question_ = 0;
  std::optional<uint64_t> stuck_to_;  // by the request's cookie
  bool is_answered_ = false;
};

}  // namespace perilune::filter
