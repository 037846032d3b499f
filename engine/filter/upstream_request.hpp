#pragma once

#include "filter/forward_settings.hpp"
#include "filter/response_collector.hpp"

namespace perilune::filter {

/// `upstream:request(msg, options)`: a request of a script's own to a cluster, by the same balancing, pool,
/// health and retries as those that are forwarded. The handler is told from the loop. Errors: those of
/// upstream::Exchange; ResponseTooLarge, RequestTimeout until the whole response is there.
class UpstreamRequest final : public HttpClientRequest, private upstream::ExchangeOwner {
 public:
  /// `request` is a message of its own: its head is changed.
  UpstreamRequest(flow::Runtime& runtime, Ref<upstream::Cluster> cluster, Ref<flow::Message> request,
                  ForwardSettings settings, HttpClientOptions options, HttpClientHandler& handler);
  std::string_view endpoint() const override { return exchange_.endpoint(); }

 private:
  // ExchangeOwner
  void on_exchange_event(flow::Event&& event) override { collector_.take(std::move(event)); }
  void on_exchange_failed(const Error& error) override { collector_.fail(error); }
  flow::Valve& request_valve() override { return valve_; }
  bool is_response_held() const override { return false; }
  flow::Context& exchange_context() override { return *context_; }
  void send();

  const Ref<upstream::Cluster> cluster_;
  const Ref<flow::Message> request_;
  const ForwardSettings settings_;
  const Ref<flow::Context> context_;
  ResponseCollector collector_;
  flow::Valve valve_;
  upstream::Exchange exchange_;
  loop::MemberTask<UpstreamRequest, &UpstreamRequest::send> send_task_{*this};
};

/// How long a request may take and how large its answer may be, as options and the cluster say.
HttpClientOptions request_limits(const Options& given, const upstream::ClusterOptions& cluster);

}  // namespace perilune::filter
