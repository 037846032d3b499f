#include "filter/carriers.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "filter/route.hpp"
#include "filter/use.hpp"

namespace perilune::filter {
namespace {

using flow::Carrier;
using flow::PipelinePlan;

enum class Needs : uint8_t { Either, Bytes, Messages };

/// What a filter takes, and what is behind it; filters that are not here take either and change nothing.
struct Rule {
  std::string_view name;
  Needs needs;
  bool changes = false;
};
constexpr std::array rules = {
    Rule{"connect", Needs::Bytes},
    Rule{"decodeHTTPRequest", Needs::Bytes, true},
    Rule{"decodeHTTPResponse", Needs::Bytes, true},
    Rule{"demuxHTTP", Needs::Bytes},
    Rule{"encodeHTTPRequest", Needs::Messages, true},
    Rule{"encodeHTTPResponse", Needs::Messages, true},
    Rule{"forward", Needs::Messages},
    Rule{"handleMessage", Needs::Messages},
    Rule{"handleMessageBody", Needs::Messages},
    Rule{"handleMessageEnd", Needs::Messages},
    Rule{"handleMessageStart", Needs::Messages},
    Rule{"muxHTTP", Needs::Messages},
    Rule{"replaceMessage", Needs::Messages},
    Rule{"replaceMessageBody", Needs::Messages},
    Rule{"replaceMessageStart", Needs::Messages},
    Rule{"serveHTTP", Needs::Bytes},
    Rule{"timeout", Needs::Messages},
};

Rule rule_of(std::string_view name) {
  for (const Rule& rule : rules)
    if (rule.name == name) return rule;
  return {name, Needs::Either};
}

Carrier other(Carrier carrier) { return carrier == Carrier::Bytes ? Carrier::Messages : Carrier::Bytes; }

/// What to write instead.
std::string_view advice(std::string_view filter, Carrier here) {
  if (here == Carrier::Bytes)
    return filter == "forward" ? "put demuxHTTP in front: listen(…):demuxHTTP(pipeline():forward(…))"
           : filter == "muxHTTP"
               ? "put demuxHTTP in front: listen(…):demuxHTTP(\"web\"), and pipeline(\"web\"):muxHTTP(…)"
           : filter.starts_with("encode")
               ? "decode first"
               : "it belongs into the pipeline that demuxHTTP leads to, or behind decodeHTTPRequest";
  if (filter == "connect")
    return "send them with muxHTTP(\"upstream\"), and let pipeline(\"upstream\") connect";
  if (filter == "serveHTTP") return "write replaceMessage(function(req) … end)";
  return "they were decoded already";
}

class Walk {
 public:
  explicit Walk(const Program& program) : program_(program) {}

  Result<void> all() {
    for (const auto& plan : program_.pipelines) note(*plan);
    for (const ListenPlan& listen : program_.listens) enter(*listen.pipeline, Carrier::Bytes);
    // What a function may choose is known by name at best: the named ones that nothing else leads to.
    if (dynamic_carriers_.size() == 1)
      for (const auto& plan : program_.pipelines)
        if (!plan->name().empty() && !is_reached(*plan)) enter(*plan, *dynamic_carriers_.begin());
    if (failure_) return *failure_;
    return {};
  }

 private:
  std::string label_of(const PipelinePlan& plan) const {
    for (const ListenPlan& listen : program_.listens)
      if (listen.pipeline.get() == &plan) return "this listen pipeline";
    return plan.name().empty() ? "the pipeline of " + plan.place().to_string()
                               : "pipeline " + in_quotes(plan.name());
  }

  bool is_reached(const PipelinePlan& plan) const {
    return seen_.contains({&plan, Carrier::Bytes}) || seen_.contains({&plan, Carrier::Messages});
  }

  void fail(const Place& place, const std::string& sentence) {
    if (!failure_)
      failure_ = Error{ErrorCode::ScriptError, Side::Script, place.to_string() + ": " + sentence};
  }

  void enter(const PipelinePlan& plan, Carrier entry) {
    if (failure_ || !seen_.emplace(&plan, entry).second) return;
    Carrier here = entry;
    for (const auto& filter : plan.filters()) {
      const Rule rule = rule_of(filter->name);
      const Needs got = here == Carrier::Bytes ? Needs::Bytes : Needs::Messages;
      if (rule.needs != Needs::Either && rule.needs != got) return mismatch(plan, *filter, here);
      follow(*filter, here);
      if (rule.changes) here = other(here);
    }
    if (here != entry && !plan.filters().empty())
      fail(plan.filters().back()->place,
           label_of(plan) + (entry == Carrier::Bytes
                                 ? " takes bytes and ends with messages: add encodeHTTPResponse()"
                                 : " takes messages and ends with bytes: add decodeHTTPResponse()"));
  }

  void follow(const flow::FilterPlan& filter, Carrier here) {
    if (const auto* route = dynamic_cast<const RoutePlan*>(&filter)) {
      route->carriers |= flow::bit_of(here);
      if (route->hook && route->known_targets.empty()) dynamic_carriers_.insert(here);
      filter.each_target([&](const PipelinePlan& target) { enter(target, here); });
      return;
    }
    if (const auto* use = dynamic_cast<const UsePlan*>(&filter)) {
      use->carriers |= flow::bit_of(here);
      for (const auto& link : use->chain) {
        enter(*link, here);
        if (link->changes_carrier) here = other(here);
      }
      return;
    }
    if (filter.name == "serveHTTP") return;  // what is inside is ours
    filter.each_target([&](const PipelinePlan& target) {
      enter(target, filter.name == "muxHTTP" ? Carrier::Bytes : Carrier::Messages);
    });
  }

  void mismatch(const PipelinePlan& plan, const flow::FilterPlan& filter, Carrier here) {
    const bool has_bytes = here == Carrier::Bytes;
    fail(filter.place, filter.name + (has_bytes ? " takes HTTP messages, and " : " takes bytes, and ") +
                           label_of(plan) +
                           (has_bytes ? " carries bytes here: " : " carries HTTP messages here: ") +
                           std::string(advice(filter.name, here)));
  }

  /// What a pipeline takes, by its own filters alone, of which the first that is particular decides; and
  /// whether its next() carries the same.
  static void note(PipelinePlan& plan) {
    bool is_particular = false;
    bool is_changed = false;
    for (const auto& filter : plan.filters()) {
      const Rule rule = rule_of(filter->name);
      if (filter->name == "next") plan.changes_carrier = is_changed;
      is_changed ^= rule.changes;
      if (is_particular || rule.needs == Needs::Either) continue;
      is_particular = true;
      plan.takes = flow::bit_of(rule.needs == Needs::Bytes ? Carrier::Bytes : Carrier::Messages);
    }
  }

  const Program& program_;
  std::set<std::pair<const PipelinePlan*, Carrier>> seen_;
  std::set<Carrier> dynamic_carriers_;
  std::optional<Error> failure_;
};

}  // namespace

Result<void> check_carriers(const Program& program) { return Walk(program).all(); }

namespace {

/// Follows what leads on with the same context and no function in between: fixed routes, and the chains of
/// use.
class CircleWalk {
 public:
  Result<void> enter(const PipelinePlan& plan) {
    const auto earlier = std::find(path_.begin(), path_.end(), &plan);
    if (earlier != path_.end()) return circle(earlier);
    if (!seen_.insert(&plan).second) return {};
    path_.push_back(&plan);
    for (const auto& filter : plan.filters()) {
      const auto* route = dynamic_cast<const RoutePlan*>(filter.get());
      if (!dynamic_cast<const UsePlan*>(filter.get()) && !(route && route->target)) continue;
      Result<void> result;
      filter->each_target([&](const PipelinePlan& target) {
        if (result.has_value()) result = enter(target);
      });
      if (result.has_error()) return result;
    }
    path_.pop_back();
    return {};
  }

 private:
  using Path = std::vector<const PipelinePlan*>;

  static std::string name_of(const PipelinePlan& plan) {
    return plan.name().empty() ? label_of(plan) : in_quotes(plan.name());
  }

  Result<void> circle(Path::const_iterator begin) const {
    std::string names;
    for (auto step = begin; step != path_.end(); ++step) names += name_of(**step) + " → ";
    const auto& filters = path_.back()->filters();
    const auto guilty = std::ranges::find_if(
        filters, [](const auto& filter) { return filter->name == "route" || filter->name == "use"; });
    return Error{ErrorCode::ScriptError, Side::Script,
                 (*guilty)->place.to_string() + ": " + (*guilty)->name + " leads in a circle: " + names +
                     name_of(**begin)};
  }

  Path path_;
  std::set<const PipelinePlan*> seen_;
};

}  // namespace

Result<void> check_circles(const Program& program) {
  CircleWalk walk;
  for (const auto& begin : program.pipelines)
    if (auto result = walk.enter(*begin); result.has_error()) return result.error();
  return {};
}

}  // namespace perilune::filter
