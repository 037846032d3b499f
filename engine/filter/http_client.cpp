#include "filter/http_client.hpp"

#include "filter/connect.hpp"
#include "filter/message_output.hpp"
#include "filter/mux_http.hpp"

namespace perilune::filter {

using flow::Event;

namespace {

/// Both the key of a request and the target of a connection are what the context has as its key: the address.
class KeyOfContext final : public flow::Hook {
 public:
  void run(flow::HookCall& call) override {
    call.value = call.context->key();
    call.status = flow::HookStatus::Returned;
  }
  void cancel(flow::HookCall&) override {}
};

Place place_of_client() { return {"http client", 0}; }

Ref<flow::PipelinePlan> make_connection_plan(Services& services) {
  const Place place = place_of_client();
  const Ref<flow::Hook> key(new KeyOfContext());
  auto connection = make_ref<flow::PipelinePlan>(services.runtime, "http client connection", place);
  FilterCall connect{*find_filter("connect"), services, place, {Argument{Value(Ref<Object>(key)), {}, {}}}, {}, {}, connection};
  connection->add(std::move(*make_filter(connect)));
  return connection;
}

Ref<flow::PipelinePlan> make_client_plan(Services& services, const Ref<flow::PipelinePlan>& connection) {
  const Place place = place_of_client();
  const Ref<flow::Hook> key(new KeyOfContext());
  auto plan = make_ref<flow::PipelinePlan>(services.runtime, "http client", place);
  FilterCall mux{*find_filter("muxHTTP"),
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
      : runtime_(client.services_.runtime), options_(options), handler_(&handler) {}
  ~Exchange() override {
    if (pipeline_) pipeline_->end(nullptr);
  }

  void start(flow::PipelinePlan& plan, Ref<flow::Message> request, const std::string& target) {
    auto context = flow::Context::make_detached(runtime_.loop.now());
    context->set_key(Value(target));
    context->set_request(request->head);
    pipeline_ = flow::Pipeline::create(plan, context, {input_, output_, *this});
    request_ = std::move(request);
    if (options_.timeout != Duration::max()) runtime_.loop.arm(timer_, options_.timeout);
    pipeline_->start();
    // The handler is told from the loop, never from within the call that sends.
    runtime_.loop.defer(send_task_);
  }

 private:
  void send() {
    settle_framing(*request_);
    give_message(*request_, *pipeline_);
  }

  void on_event(Event&& event) override {
    if (!handler_) return;
    if (event.is_message_start()) {
      if (event.is_interim()) return;
      auto* head = event.response();
      if (!head) return;
      response_ = flow::Message::of(event.head());
      response_->has_body = true;
      if (head->error) finish(*head->error);
    } else if (event.is_data() && response_) {
      if (response_->body.size() + event.slice().size() > options_.body_bytes_max) {
        finish(Error{ErrorCode::ResponseTooLarge, Side::Upstream,
                     "the body is larger than " + std::to_string(options_.body_bytes_max) + " bytes"});
        return;
      }
      response_->body.append_compact(std::move(event.slice()), runtime_.chunks);
    } else if (event.is_message_end()) {
      if (const Error* error = event.error()) {
        finish(*error);
        return;
      }
      response_->trailers = std::move(event.trailers());
      finish(response_);
    }
  }

  void on_timer() { finish(Error{ErrorCode::RequestTimeout, Side::Upstream, {}}); }

  void finish(Result<Ref<flow::Message>> result) {
    if (!handler_) return;
    timer_.disarm();
    HttpClientHandler* handler = std::exchange(handler_, nullptr);
    // It may let go of this exchange.
    handler->on_response(std::move(result));
  }

  flow::Runtime& runtime_;
  const HttpClientOptions options_;
  HttpClientHandler* handler_;
  flow::Valve input_;
  flow::Valve output_;
  Ref<flow::Pipeline> pipeline_;
  Ref<flow::Message> request_;
  Ref<flow::Message> response_;
  loop::MemberTask<Exchange, &Exchange::send> send_task_{*this};
  loop::MemberTimer<Exchange, &Exchange::on_timer> timer_{*this};
};

HttpClient::HttpClient(Services& services)
    : services_(services),
      connection_plan_(make_connection_plan(services)),
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
