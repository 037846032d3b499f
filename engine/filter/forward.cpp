#include "filter/forward.hpp"

#include "filter/sticky_cookie.hpp"
#include "filter/upstream_object.hpp"
#include "http/max_forwards.hpp"

namespace perilune::filter {

using flow::Event;
using Question = ForwardPlan::Question;
using namespace std::literals;

namespace {

constexpr std::string_view name_of(Question question) {
  constexpr std::string_view names[] = {"upstream", "timeout", "tryTimeout", "endpoint",
                                        "key",      "pool",    "tenant",     "host"};
  return names[static_cast<size_t>(question)];
}

}  // namespace

ForwardPlan::ForwardPlan(Services& its_services, Ref<UpstreamObject> its_upstream, Ref<flow::Hook> chooser,
                         ForwardSettings its_settings)
    : services(its_services),
      upstream(std::move(its_upstream)),
      choose_cluster(std::move(chooser)),
      settings(std::move(its_settings)) {
  const auto ask = [&](Question question, const Ref<flow::Hook>& hook) {
    if (hook) questions.emplace_back(question, hook.get());
  };
  ask(Question::Cluster, choose_cluster);
  ask(Question::Timeout, settings.timeout.hook);
  ask(Question::TryTimeout, settings.try_timeout.hook);
  ask(Question::Endpoint, settings.endpoint.hook);
  // What the cluster says of keys is known once it is chosen.
  if (settings.key.hook || !settings.key.is_given)
    questions.emplace_back(Question::Key, settings.key.hook.get());
  ask(Question::Pool, settings.pool.hook);
  ask(Question::Tenant, settings.tenant.hook);
  ask(Question::Host, settings.host.hook);
}

Result<std::unique_ptr<flow::FilterPlan>> ForwardPlan::make_plan(FilterCall& call) {
  auto settings = forward_settings(call.options);
  if (settings.has_error()) return settings.error();
  const Argument& target = call.arguments[0];
  return std::unique_ptr<flow::FilterPlan>(std::make_unique<ForwardPlan>(
      call.services, Ref<UpstreamObject>(target.value.object_as<UpstreamObject>()),
      Ref<flow::Hook>(target.hook()), std::move(*settings)));
}

std::unique_ptr<flow::Filter> ForwardPlan::make() const { return std::make_unique<Forward>(*this); }

void Forward::process(Event&& event) {
  if (event.is_message_start() && event.request()) {
    request_ = Ref<message::RequestHead>(event.request());
    if (http::count_hop(*request_) == http::Hop::Last) {
      is_answered_ = true;
      output(Event::message_start(http::answer_at_last_hop(*request_)));
      output(Event::message_end());
      return;
    }
    begin();
    return;
  }
  if (!request_) {
    // Bytes that are no message: somebody forgot to decode them.
    if (event.is_data()) fail({ErrorCode::ScriptError, Side::Script, "forward takes messages, not bytes"});
    return;
  }
  if (event.is_stream_end() && event.error()) {
    exchange_.stop();
    return;
  }
  if (event.is_message_end() && event.error() && !exchange_.is_running() && !is_answered_) {
    fail(*event.error());
    return;
  }
  tunnel_.note_activity();
  exchange_.send(std::move(event));
}

// ── options that are functions

void Forward::begin() {
  output_valve().set_watcher(this);
  if (plan_.upstream) cluster_ = plan_.upstream->cluster;
  if (cluster_) prepare(exchange_plan_, plan_.settings, cluster_->options());
  next_question_ = 0;
  ask();
}

void Forward::ask() {
  while (next_question_ < plan_.questions.size()) {
    flow::Hook* hook = plan_.questions[next_question_].second;
    if (!hook) hook = cluster_->options().key.get();
    if (hook) {
      run_hook(*hook, flow::HookShape::Context);
      return;
    }
    ++next_question_;
  }
  start();
}

void Forward::on_hook_result() {
  if (call_.status == flow::HookStatus::Failed) {
    fail(call_.failure ? *call_.failure : Error{ErrorCode::ScriptError, Side::Script, {}});
    return;
  }
  const Question question = plan_.questions[next_question_++].first;
  if (const auto error = take_answer(question)) fail(*error);
  else ask();
}

std::optional<Error> Forward::take_answer(Question question) {
  const Value& value = call_.value;
  const auto wrong = [&](const std::string& expected) {
    return Error{ErrorCode::ScriptError, Side::Script,
                 plan_.place.to_string() + ": forward: the function for " + std::string(name_of(question)) +
                     " gave " + show(value) + ", which is not " + std::string(expected)};
  };
  const auto time = [&](Duration& target) -> std::optional<Error> {
    if (value.is_nil()) return std::nullopt;
    auto checked = check_value(Time, {}, value);
    if (checked.has_error()) return wrong("a time: " + checked.error().detail);
    target = from_option(*checked);
    return std::nullopt;
  };
  switch (question) {
    case Question::Cluster:
      if (auto* object = value.object_as<UpstreamObject>()) cluster_ = object->cluster;
      else return wrong("an upstream; return what upstream(…) gave");
      prepare(exchange_plan_, plan_.settings, cluster_->options());
      return std::nullopt;
    case Question::Timeout: return time(exchange_plan_.timeout);
    case Question::TryTimeout: return time(exchange_plan_.try_timeout);
    case Question::Key:
      exchange_plan_.key = hash_of_key(value);
      if (!exchange_plan_.key && !value.is_nil()) return wrong("a string, a number or a boolean");
      return std::nullopt;
    case Question::Tenant:
      exchange_plan_.tenant = tenant_of(value);
      if (!hash_of_key(value) && !value.is_nil()) return wrong("a string, a number or a boolean");
      return std::nullopt;
    case Question::Pool:
      if (const std::string* text = value.string()) exchange_plan_.tag = *text;
      else if (value.number()) exchange_plan_.tag = show(value);
      else if (!value.is_nil()) return wrong("a string or a number");
      return std::nullopt;
    case Question::Host:
      if (const std::string* text = value.string()) {
        // What a client said may be in it: it must not end the field.
        if (const auto checked = check_host(*text); !checked) return wrong("a name for the Host field");
        set_host(exchange_plan_, *text);
      } else if (!value.is_nil()) {
        return wrong("a string");
      }
      return std::nullopt;
    case Question::Endpoint: {
      if (value.is_nil()) return std::nullopt;
      if (!value.string()) return wrong("an endpoint such as \"10.0.0.1:8080\"");
      const auto identity = identity_of(*value.string());
      if (identity.has_error()) return wrong("an endpoint: " + identity.error().detail);
      exchange_plan_.identity = *identity;
      exchange_plan_.is_pinned = true;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

// ── the request

void Forward::start() {
  const upstream::ClusterOptions& options = cluster_->options();
  const ForwardSettings& settings = plan_.settings;
  if (!options.sticky.cookie.empty() && !exchange_plan_.is_pinned) {
    stuck_to_ = sticky_endpoint(request_->headers, options.sticky.cookie);
    exchange_plan_.identity = stuck_to_;
  }
  if (settings.forwarded.value_or(options.request.forwarded)) add_forwarded();
  exchange_.start(cluster_, request_, std::move(exchange_plan_));
}

void Forward::add_forwarded() {
  flow::ClientInfo* client = context().client();
  if (!client) return;
  message::Headers& headers = request_->headers;
  std::string hops;
  for (const std::string_view value : headers.all("x-forwarded-for")) hops.append(value).append(", ");
  const std::string ip = client->ip();
  if (!ip.empty()) headers.set("X-Forwarded-For", hops + ip);
  // Whom a proxy is trusted to speak for, it is trusted to say how they came.
  const bool is_trusted = client->trusted_proxies != nullptr;
  if (!is_trusted || !headers.has("x-forwarded-proto")) headers.set("X-Forwarded-Proto", request_->scheme);
  if (const auto host = headers.find(message::Name::Host);
      host && (!is_trusted || !headers.has("x-forwarded-host")))
    headers.set("X-Forwarded-Host", std::string(*host));
}

// ── the answer

void Forward::stick(message::ResponseHead& head) const {
  const upstream::StickyOptions& sticky = cluster_->options().sticky;
  if (sticky.cookie.empty() || stuck_to_ == exchange_.endpoint_identity()) return;
  head.headers.add("Set-Cookie", sticky_cookie(sticky, exchange_.endpoint_identity()));
}

void Forward::on_exchange_event(Event&& event) {
  tunnel_.note_activity();
  if (event.is_message_start() && !event.is_interim()) {
    is_answered_ = true;
    stick(*event.response());
    if (event.head()->body.kind == message::BodyKind::Tunnel)
      tunnel_.start(
          plan_.settings.tunnel_idle_timeout.value_or(cluster_->options().request.tunnel_idle_timeout));
  }
  if (!is_ended()) output(std::move(event));
}

void Forward::on_exchange_failed(const Error& error) { fail(error); }

void Forward::fail(const Error& error) {
  if (is_answered_ || is_ended()) return;
  is_answered_ = true;
  give_message(*error_message(error, chunks()), answer_sink());
}

void Forward::on_valve_changed(flow::Valve&) { exchange_.on_response_valve(); }

void Forward::on_tunnel_idle() {
  if (is_ended()) return;
  exchange_.stop();
  output(Event::message_end(
      {}, std::make_unique<Error>(Error{ErrorCode::IdleTimeout, Side::Engine, "the tunnel was silent"})));
}

void Forward::on_stop() {
  WaitingFilter::on_stop();
  tunnel_.stop();
  exchange_.stop();
  if (request_) output_valve().set_watcher(nullptr);
}

void Forward::on_reset() {
  WaitingFilter::on_reset();
  request_.reset();
  cluster_.reset();
  exchange_plan_ = {};
  stuck_to_.reset();
  is_answered_ = false;
}

}  // namespace perilune::filter
