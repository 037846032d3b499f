#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "filter/cluster_stats.hpp"
#include "filter/upstream_request.hpp"
#include "script/interpreter.hpp"
#include "script/library.hpp"
#include "script/message_box.hpp"
#include "script/place.hpp"
#include "script/upstream_box.hpp"

namespace perilune::script {
namespace {

constexpr const char* class_name = "Upstream";

// ── definition

/// `upstream(name, options)`
Outcome define(lua_State* L) {
  const auto fail = [](const std::string& sentence) { return Outcome::error("upstream: " + sentence); };
  Interpreter& interpreter = Interpreter::of(L);
  filter::Program* program = interpreter.builder.program();
  if (!program) return fail("upstreams are made while the file is loaded, at its top, not in a handler");
  const Place place = script_place(L);
  const auto name = string_at(L, 1);
  if (!name || name->empty())
    return fail("argument 1 (name) expects a name, got " + (name ? "an empty string" : describe_value(L, 1)));
  for (const auto& other : program->upstreams)
    if (other->name == *name)
      return fail("upstream " + in_quotes(*name) + " is defined already at " + other->place.to_string());
  ArgumentReader reader(interpreter, L, "upstream");
  if (auto read = reader.read(2, {}, filter::upstream_options()); !read)
    return Outcome::error(read.error().detail);
  auto settings = filter::cluster_settings(reader.options);
  if (!settings) return fail(settings.error().detail);
  auto object =
      filter::UpstreamObject::make(interpreter.services, std::string(*name), place, std::move(*settings));
  if (!object) return fail(object.error().detail);
  program->upstreams.push_back(*object);
  new_userdata<UpstreamBox>(L, class_name)->object = std::move(*object);
  return 1;
}

// ── methods; each is called by its front in lua/upstream.lua with what the script gave

filter::UpstreamObject* object_at(lua_State* L) {
  const auto* box = test_userdata<UpstreamBox>(L, 1);
  return box ? box->object.get() : nullptr;
}

Outcome no_object(lua_State* L, const std::string& method) {
  return Outcome::error("Upstream:" + method + ": call it with a colon, on what upstream() gave, not on " +
                        describe_value(L, 1));
}

/// The object that a method other than `request` is called of; else what is wrong: there is none, or it has
/// not started. What a file says at its top changes nothing before all of it is found right.
Outcome started_object(lua_State* L, const std::string& method, filter::UpstreamObject*& object) {
  object = object_at(L);
  if (!object) return no_object(L, method);
  if (!Interpreter::of(L).is_loading()) return 0;
  return Outcome::error(
      "Upstream:" + method +
      ": upstreams start when the whole script is loaded; at the top of a file give endpoints to "
      "upstream(), and call " +
      method + " in a handler, every or after");
}

class UpstreamWait final : public Wait, public filter::HttpClientHandler {
 public:
  UpstreamWait(Coroutine& coroutine, const filter::UpstreamObject& object, Ref<flow::Message> message,
               filter::ForwardSettings settings, const filter::HttpClientOptions& limits)
      : Wait(coroutine),
        request_(interpreter().services.runtime, object.cluster, std::move(message), std::move(settings),
                 limits, *this) {}

  void on_response(Result<Ref<flow::Message>> response) override {
    response_ = std::move(response);
    wake();
  }

  int push_results(lua_State* L) override {
    if (!response_) {
      lua_pushnil(L);
      push_error(L, response_.error(), request_.endpoint());
      return 2;
    }
    push_made_message(L, interpreter().bindings, std::move(*response_));
    return 1;
  }

 private:
  Result<Ref<flow::Message>> response_ = Error{ErrorCode::Internal, Side::Engine, {}};
  filter::UpstreamRequest request_;
};

/// A request as it is sent: the script's message may be static, or one that goes elsewhere too.
Ref<flow::Message> own_request(const flow::Message& given) {
  auto message = given.copy();
  message->is_read_only = false;
  // Of a body that was not collected there is nothing to send.
  if (!message->has_body) message->head->body = {};
  return message;
}

struct RequestParts {
  const filter::UpstreamObject* object = nullptr;
  Ref<flow::Message> message;
  filter::ForwardSettings settings;
  filter::HttpClientOptions limits;
};

Outcome read_request(lua_State* L, RequestParts& parts) {
  const auto fail = [](const std::string& sentence) {
    return Outcome::error("Upstream:request: " + sentence);
  };
  parts.object = object_at(L);
  if (!parts.object) return no_object(L, "request");
  const auto* box = test_userdata<MessageBox>(L, 2);
  const flow::Message* message = box && box->part == MessagePart::Message ? box->message : nullptr;
  if (!message || !message->request())
    return fail("argument 1 (msg) expects a request, as Message { path = \"/\" } is one, got " +
                (message && message->head ? "a response" : describe_value(L, 2)));
  if (message->body_source)
    return fail("a body that a function gives cannot be sent by request; give a string");
  ArgumentReader reader(Interpreter::of(L), L, "Upstream:request");
  if (auto read = reader.read(3, {}, filter::request_options); !read)
    return Outcome::error(read.error().detail);
  auto settings = filter::forward_settings(reader.options);
  if (!settings) return fail(settings.error().detail);
  parts.limits = filter::request_limits(reader.options, parts.object->cluster->options());
  parts.settings = std::move(*settings);
  parts.message = own_request(*message);
  return 0;
}

// (upstream, message, options) → cancelled, response or nil, err
int request(lua_State* L) {
  Coroutine& coroutine = Coroutine::of(L);
  coroutine.require_wait(L, "Upstream:request");
  {
    RequestParts parts;
    const Outcome outcome = read_request(L, parts);
    if (!outcome.failure())
      return coroutine.suspend(
          L, std::make_unique<UpstreamWait>(coroutine, *parts.object, std::move(parts.message),
                                            std::move(parts.settings), parts.limits));
    push_text(L, *outcome.failure());
  }
  raise_at_script(L);
}

// (upstream, endpoints)
Outcome set(lua_State* L) {
  filter::UpstreamObject* object = nullptr;
  if (Outcome outcome = started_object(L, "set", object); outcome.failure()) return outcome;
  if (object->cluster->options().discovery)
    return Outcome::error("Upstream:set: the endpoints of " + in_quotes(object->name) + " come from DNS");
  constexpr std::array arguments = {filter::ArgumentSpec{"endpoints", filter::EndpointList}};
  ArgumentReader reader(Interpreter::of(L), L, "Upstream:set");
  if (auto read = reader.read(2, arguments, {}); !read) return Outcome::error(read.error().detail);
  const auto specs = filter::endpoint_specs(reader.arguments[0]);
  if (!specs) return Outcome::error("Upstream:set: argument 1 (endpoints): " + specs.error().detail);
  object->cluster->record().set_members(*specs, object->cluster->loop().now());
  return 0;
}

void set_number(lua_State* L, const char* name, double number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, name);
}
void set_number(lua_State* L, const char* name, uint64_t number) {
  set_number(L, name, static_cast<double>(number));
}
void set_flag(lua_State* L, const char* name, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, name);
}

void set_times(lua_State* L, const char* name, const filter::DurationTotals& totals) {
  const filter::DurationSummary summary = totals.summary();
  lua_createtable(L, 0, 5);
  set_number(L, "count", summary.count);
  set_number(L, "mean", summary.mean);
  set_number(L, "p50", summary.p50);
  set_number(L, "p95", summary.p95);
  set_number(L, "p99", summary.p99);
  lua_setfield(L, -2, name);
}

/// Adds to the table at the top of the stack.
void set_totals(lua_State* L, const filter::ClusterTotals& totals) {
  lua_createtable(L, 0, 10);
  set_number(L, "total", totals.connections);
  set_number(L, "active", totals.leased);
  set_number(L, "idle", totals.idle);
  set_number(L, "connecting", totals.connecting);
  set_number(L, "failed", totals.connect_failed);
  set_number(L, "timedOut", totals.connect_timeout);
  set_number(L, "closedIdle", totals.closed_idle);
  set_number(L, "unexpectedData", totals.unexpected_data);
  set_number(L, "evicted", totals.closed[static_cast<size_t>(algo::CloseReason::Evicted)]);
  set_number(L, "overflow", totals.overflow);
  lua_setfield(L, -2, "connections");
  lua_createtable(L, 0, 6);
  set_number(L, "total", totals.requests);
  set_number(L, "active", totals.active);
  set_number(L, "pending", totals.waiting);
  set_number(L, "retried", totals.retried);
  set_number(L, "cancelled", totals.cancelled);
  set_number(L, "failed", totals.failed);
  lua_setfield(L, -2, "requests");
  set_number(L, "reuse", totals.reuse());
  set_times(L, "queueWait", totals.queue_wait);
  set_times(L, "connectTime", totals.connect_time);
  set_times(L, "answerTime", totals.answer_time);
}

void set_state(lua_State* L, const upstream::EndpointRecord& endpoint) {
  set_text(L, "health", filter::health_name(endpoint.health.load(std::memory_order_relaxed)));
  set_flag(L, "ejected", endpoint.is_ejected.load(std::memory_order_relaxed));
  set_number(L, "weight", uint64_t{endpoint.weight.load(std::memory_order_relaxed)});
  set_number(L, "priority", uint64_t{endpoint.priority.load(std::memory_order_relaxed)});
}

Outcome stats(lua_State* L) {
  filter::UpstreamObject* object = nullptr;
  if (Outcome outcome = started_object(L, "stats", object); outcome.failure()) return outcome;
  object->cluster->publish();
  const upstream::ClusterRecord& record = object->cluster->record();
  lua_createtable(L, 0, 7);
  set_totals(L, filter::totals_of(record));
  const auto members = record.members();
  lua_createtable(L, 0, static_cast<int>(members.size()));
  for (const upstream::EndpointRef& endpoint : members) {
    push_text(L, endpoint->name);
    lua_createtable(L, 0, 10);
    set_totals(L, filter::totals_of(*endpoint));
    set_state(L, *endpoint);
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "endpoints");
  return 1;
}

Outcome endpoints(lua_State* L) {
  filter::UpstreamObject* object = nullptr;
  if (Outcome outcome = started_object(L, "endpoints", object); outcome.failure()) return outcome;
  const auto members = object->cluster->record().members();
  lua_createtable(L, static_cast<int>(members.size()), 0);
  for (size_t i = 0; i < members.size(); ++i) {
    lua_createtable(L, 0, 6);
    set_text(L, "address", members[i]->name);
    set_state(L, *members[i]);
    set_number(L, "active", uint64_t{members[i]->active.load(std::memory_order_relaxed)});
    lua_rawseti(L, -2, static_cast<int>(i + 1));
  }
  return 1;
}

/// The endpoint that argument 2 names, in the form of endpoints; empty for all. An error when there is none.
std::optional<std::string> endpoint_at(lua_State* L, const filter::UpstreamObject& object,
                                       std::string& name) {
  if (lua_isnoneornil(L, 2)) return std::nullopt;
  const auto text = string_at(L, 2);
  if (!text)
    return "argument 1 (endpoint) expects a string such as \"10.0.0.1:8080\", got " + describe_value(L, 2);
  const auto address = net::Address::parse(*text);
  name = address ? address->to_string() : std::string(*text);
  const auto members = object.cluster->record().members();
  std::vector<std::string_view> known;
  for (const upstream::EndpointRef& member : members) known.push_back(member->name);
  if (std::ranges::find(known, name) != known.end()) return std::nullopt;
  return "upstream " + in_quotes(object.name) + " has no endpoint " + in_quotes(*text) +
         suggestion(*text, known);
}

Outcome explain(lua_State* L) {
  filter::UpstreamObject* object = nullptr;
  if (Outcome outcome = started_object(L, "explain", object); outcome.failure()) return outcome;
  std::string name;
  if (auto wrong = endpoint_at(L, *object, name)) return Outcome::error("Upstream:explain: " + *wrong);
  push_text(L, object->cluster->explain(name));
  return 1;
}

Outcome drain(lua_State* L) {
  filter::UpstreamObject* object = nullptr;
  if (Outcome outcome = started_object(L, "drain", object); outcome.failure()) return outcome;
  std::string name;
  if (auto wrong = endpoint_at(L, *object, name)) return Outcome::error("Upstream:drain: " + *wrong);
  object->cluster->record().renew_connections(name);
  return 0;
}

int to_text(lua_State* L) {
  const auto* object = object_at(L);
  push_text(L, object ? "upstream " + in_quotes(object->name) : "upstream");
  return 1;
}

// (table of methods, function that refuses other fields)
int set_methods(lua_State* L) {
  luaL_newmetatable(L, class_name);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "__index");
  lua_pushvalue(L, 2);
  lua_setfield(L, -2, "__newindex");
  return 0;
}

}  // namespace

void bind_upstream(lua_State* L) {
  luaL_newmetatable(L, class_name);
  set_destructor<UpstreamBox>(L, "upstream");
  lua_pushcfunction(L, to_text);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  const luaL_Reg functions[] = {
      {"upstream_define", script_function<define>},
      {"upstream_methods", set_methods},
      {"upstream_request", request},
      {"upstream_set", script_function<set>},
      {"upstream_stats", script_function<stats>},
      {"upstream_endpoints", script_function<endpoints>},
      {"upstream_explain", script_function<explain>},
      {"upstream_drain", script_function<drain>},
      {nullptr, nullptr},
  };
  luaL_setfuncs(L, functions, 0);
}

}  // namespace perilune::script
