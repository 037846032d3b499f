#include "filter/http_client.hpp"

#include "filter/connect_by_key.hpp"
#include "filter/message_output.hpp"
#include "filter/mux_http.hpp"
#include "filter/response_collector.hpp"

namespace perilune::filter {

using flow::Event;

namespace {

Ref<flow::PipelinePlan> make_client_plan(Services& services, const Ref<flow::PipelinePlan>& connection) {
  const Place place = connection->place();
  // Both the key of a request and the target of a connection are what the context has as its key: the
  // address.
  const Ref<flow::Hook> key = key_of_context();
  auto plan = make_ref<flow::PipelinePlan>(services.runtime, "http client", place);
  FilterCall mux{
      *find_filter("muxHTTP"),
      services,
      place,
      {Argument{Value(Ref<Object>(connection)), {}, {}}, Argument{Value(Ref<Object>(key)), {}, {}}},
      {},
      {},
      plan};
  mux.options.set("maxSessions", Argument{Value(0), {}, {}});
  plan->add(std::move(*make_filter(mux)));
  return plan;
}

}  // namespace

class HttpClient::Exchange final : public HttpClientRequest, public flow::Sink {
 public:
  Exchange(HttpClient& client, const HttpClientOptions& options, HttpClientHandler& handler)
      : runtime_(client.services_.runtime), collector_(runtime_, options, handler) {}
  ~Exchange() override {
    if (pipeline_) pipeline_->end(nullptr);
  }

  void start(flow::PipelinePlan& plan, Ref<flow::Message> request, const std::string& target) {
    auto context = flow::Context::make_detached(runtime_.loop.now());
    context->set_key(Value(target));
    context->set_request(request->head);
    pipeline_ = flow::Pipeline::create(plan, context, {input_, output_, *this});
    request_ = std::move(request);
    collector_.start();
    pipeline_->start();
    // The handler is told from the loop, never from within the call that sends.
    runtime_.loop.defer(send_task_);
  }

 private:
  void send() {
    settle_framing(*request_);
    give_message(*request_, *pipeline_);
  }

  void on_event(Event&& event) override { collector_.take(std::move(event)); }

  flow::Runtime& runtime_;
  ResponseCollector collector_;
  flow::Valve input_;
  flow::Valve output_;
  Ref<flow::Pipeline> pipeline_;
  Ref<flow::Message> request_;
  loop::MemberTask<Exchange, &Exchange::send> send_task_{*this};
};

HttpClient::HttpClient(Services& services)
    : services_(services),
      connection_plan_(connect_by_key(services, "http client connection", {"http client", 0})),
      plan_(make_client_plan(services, connection_plan_)) {}
HttpClient::~HttpClient() = default;

void HttpClient::give_back_surplus() {
  plan_->give_back_surplus();
  connection_plan_->give_back_surplus();
}

std::unique_ptr<HttpClientRequest> HttpClient::send(Ref<flow::Message> request, const std::string& target,
                                                    const HttpClientOptions& options,
                                                    HttpClientHandler& handler) {
  auto exchange = std::make_unique<Exchange>(*this, options, handler);
  exchange->start(*plan_, std::move(request), target);
  return exchange;
}

}  // namespace perilune::filter
