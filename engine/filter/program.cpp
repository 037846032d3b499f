#include "filter/program.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/text.hpp"
#include "filter/carriers.hpp"
#include "filter/connect.hpp"
#include "filter/forward.hpp"
#include "filter/mux_http.hpp"
#include "filter/route.hpp"
#include "filter/use.hpp"

namespace perilune::filter {
namespace {

Error at(const Place& place, const std::string& sentence) {
  return {ErrorCode::ScriptError, Side::Script, place.to_string() + ": " + sentence};
}

Result<void> check_answers(const flow::PipelinePlan& plan) {
  const flow::FilterPlan* first = nullptr;
  for (const auto& filter : plan.filters()) {
    if (first && filter->name == "timeout")
      return at(filter->place, "timeout limits the wait for an answer from behind it: put it in front of " +
                                   first->name + " at " + first->place.to_string());
    if (!filter->answers()) continue;
    if (first)
      return at(filter->place, filter->name + " can never be reached by requests: " + first->name + " at " +
                                   first->place.to_string() + " answers already");
    first = filter.get();
  }
  return {};
}

/// Without a key, or with one for all, the target must be the same for all, or requests ride to the wrong
/// upstream.
Result<void> check_mux(const flow::FilterPlan& filter) {
  const auto* mux = dynamic_cast<const MuxHttpPlan*>(&filter);
  if (!mux || mux->key_hook) return {};
  for (const auto& inner : mux->target->filters()) {
    const auto* connect = dynamic_cast<const ConnectPlan*>(inner.get());
    if (connect && connect->is_dynamic())
      return at(
          filter.place,
          "muxHTTP needs a key" + std::string(mux->has_key ? " that a function gives" : "") +
              ": connect at " + connect->place.to_string() + " chooses its target by a function, and " +
              (mux->has_key ? "with one key for all" : "without a key") +
              " a request may ride on a connection to another target; write muxHTTP(p, function(ctx) return "
              "ctx.target end)");
  }
  return {};
}

/// A pipeline that others than `use` lead to directly is no part of a chain.
Result<void> check_next(const flow::PipelinePlan& plan, const std::string& leader) {
  for (const auto& filter : plan.filters())
    if (filter->name == "next")
      return at(filter->place, "next goes on with the rest of a chain, and " + leader +
                                   " leads here: it is for pipelines that use leads to");
  return {};
}

/// Somebody has to answer in what demuxHTTP leads to, and at the end of a chain.
Result<void> check_somebody_answers(const flow::FilterPlan& filter) {
  const flow::PipelinePlan* answerer = nullptr;
  const bool is_mux = filter.name == "muxHTTP";
  if (const auto* use = dynamic_cast<const UsePlan*>(&filter)) answerer = use->chain.back().get();
  else if (filter.name == "demuxHTTP" || is_mux)
    filter.each_target([&](const flow::PipelinePlan& target) { answerer = &target; });
  if (!answerer || answerer->answering_filter()) return {};
  // Bytes that nobody sends on come back, and a codec at the end makes them an answer.
  if (is_mux && !answerer->filters().empty() && answerer->filters().back()->name == "encodeHTTPResponse")
    return {};
  return at(
      filter.place,
      "nobody answers in " + label_of(*answerer) + " (" + answerer->place().to_string() +
          (is_mux ? "): end it with connect"
                  : "): end it with forward, muxHTTP, route or a replaceMessage that gives a response"));
}

/// Hashing by nothing is a choice at random, which nobody asks for by that name.
Result<void> check_forward(const flow::FilterPlan& filter) {
  const auto* forward = dynamic_cast<const ForwardPlan*>(&filter);
  if (!forward || !forward->upstream) return {};
  const upstream::ClusterOptions& options = forward->upstream->cluster->options();
  const bool has_key = options.key || forward->settings.key.is_given || forward->settings.endpoint.is_given;
  if (!algo::goes_by_key(options.balance.kind) || has_key) return {};
  return at(filter.place,
            "forward: upstream " + in_quotes(forward->upstream->name) +
                " balances by a key, and nobody says which; add key = function(ctx) return ctx.client.ip "
                "end, to its options or to these");
}

}  // namespace

void Program::link() {
  std::vector<Ref<flow::PipelinePlan>> entrances;
  for (const ListenPlan& listen : listens) entrances.push_back(listen.pipeline);
  add_missing_next(pipelines, entrances);
}

Program::~Program() {
  for (const auto& plan : pipelines) plan->dismantle();
}

void Program::start() {
  for (const auto& each : upstreams) each->start();
}

void Program::retire() {
  for (const auto& each : upstreams) each->retire();
  for (const auto& plan : pipelines)
    for (const auto& filter : plan->filters()) filter->retire();
}

void Program::drain() {
  for (const auto& each : upstreams) each->drain();
  for (const auto& plan : pipelines)
    for (const auto& filter : plan->filters()) filter->drain();
}

Result<void> Program::check() const {
  for (const auto& scope : scopes)
    if (auto result = scope->check(); result.has_error()) return result.error();
  for (const auto& plan : pipelines) {
    if (auto result = check_answers(*plan); result.has_error()) return result.error();
  }
  if (auto result = check_circles(*this); result.has_error()) return result.error();
  if (auto result = check_carriers(*this); result.has_error()) return result.error();
  for (const auto& plan : pipelines) {
    for (const auto& filter : plan->filters()) {
      if (auto result = check_mux(*filter); result.has_error()) return result.error();
      if (auto result = check_forward(*filter); result.has_error()) return result.error();
      if (auto result = check_somebody_answers(*filter); result.has_error()) return result.error();
      if (filter->name == "demuxHTTP" || filter->name == "muxHTTP") {
        Result<void> result;
        filter->each_target(
            [&](const flow::PipelinePlan& target) { result = check_next(target, filter->name); });
        if (result.has_error()) return result.error();
      }
      const bool is_session_handler = filter->name == "handleSessionStart";
      bool is_listen = false;
      for (const ListenPlan& listen : listens) is_listen = is_listen || listen.pipeline == plan;
      if (is_session_handler && !is_listen)
        return at(filter->place,
                  "handleSessionStart stands in a listen pipeline only: elsewhere no session starts");
    }
  }
  for (const ListenPlan& listen : listens)
    if (auto result = check_next(*listen.pipeline, "listen"); result.has_error()) return result.error();
  for (const ListenPlan& listen : listens)
    if (listen.pipeline->filters().empty() ||
        (!listen.pipeline->answering_filter() &&
         listen.pipeline->filters().back()->name != "encodeHTTPResponse"))
      return at(listen.place, "nobody answers behind listen: add demuxHTTP, serveHTTP, route or connect");
  return {};
}

std::vector<const flow::PipelinePlan*> unreached(const Program& program,
                                                 std::span<const flow::PipelinePlan* const> roots) {
  // Looked up only, never walked through: its order means nothing.
  std::unordered_set<const flow::PipelinePlan*> reached;
  std::vector<const flow::PipelinePlan*> open;
  const auto reach = [&](const flow::PipelinePlan& plan) {
    if (reached.insert(&plan).second) open.push_back(&plan);
  };
  for (const ListenPlan& listen : program.listens) reach(*listen.pipeline);
  for (const flow::PipelinePlan* root : roots) reach(*root);
  while (!open.empty()) {
    const flow::PipelinePlan* plan = open.back();
    open.pop_back();
    for (const auto& filter : plan->filters()) filter->each_target(reach);
  }
  std::vector<const flow::PipelinePlan*> left;
  for (const auto& plan : program.pipelines)
    if (!reached.contains(plan.get())) left.push_back(plan.get());
  return left;
}

namespace {

bool has_filter(const Program& program, bool (*is_wanted)(const flow::FilterPlan&)) {
  return std::ranges::any_of(program.pipelines, [&](const auto& plan) {
    return std::ranges::any_of(plan->filters(), [&](const auto& filter) { return is_wanted(*filter); });
  });
}

}  // namespace

bool has_open_route(const Program& program) {
  return has_filter(program, [](const flow::FilterPlan& filter) {
    const auto* route = dynamic_cast<const RoutePlan*>(&filter);
    return route && route->hook && route->known_targets.empty();
  });
}

bool asks_a_route(const Program& program) {
  const auto left = unreached(program);
  return std::ranges::any_of(program.pipelines, [&](const auto& plan) {
    if (std::ranges::find(left, plan.get()) != left.end()) return false;
    return std::ranges::any_of(plan->filters(), [](const auto& filter) {
      const auto* route = dynamic_cast<const RoutePlan*>(filter.get());
      return route && route->hook;
    });
  });
}

bool has_open_use(const Program& program) {
  return has_filter(program, [](const flow::FilterPlan& filter) {
    const auto* use = dynamic_cast<const UsePlan*>(&filter);
    return use && use->hook;
  });
}

}  // namespace perilune::filter
