#include "filter/upstream_request.hpp"

#include "filter/message_output.hpp"

namespace perilune::filter {

UpstreamRequest::UpstreamRequest(flow::Runtime& runtime, Ref<upstream::Cluster> cluster,
                                 Ref<flow::Message> request, ForwardSettings settings,
                                 HttpClientOptions options, HttpClientHandler& handler)
    : cluster_(std::move(cluster)),
      request_(std::move(request)),
      settings_(std::move(settings)),
      context_(flow::Context::make_detached(runtime.loop.now())),
      collector_(runtime, options, handler),
      exchange_(runtime, *this) {
  context_->set_request(request_->head);
  collector_.start();
  // The handler is told from the loop, never from within the call that sends.
  runtime.loop.defer(send_task_);
}

void UpstreamRequest::send() {
  settle_framing(*request_);
  upstream::ExchangePlan plan;
  prepare(plan, settings_, cluster_->options());
  exchange_.start(cluster_, Ref<message::RequestHead>(request_->request()), std::move(plan));
  for (const buffer::Slice& slice : request_->body.slices()) exchange_.send(flow::Event::data(slice));
  exchange_.send(flow::Event::message_end(request_->trailers));
}

HttpClientOptions request_limits(const Options& given, const upstream::ClusterOptions& cluster) {
  HttpClientOptions limits;
  if (given.find("timeout")) limits.timeout = given.time("timeout", limits.timeout);
  else if (cluster.request.timeout != Duration::max()) limits.timeout = cluster.request.timeout;
  limits.body_bytes_max = given.size("bodyLimit", limits.body_bytes_max);
  return limits;
}

}  // namespace perilune::filter
