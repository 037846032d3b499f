#include "filter/graph.hpp"

#include <algorithm>
#include <unordered_set>

#include "base/text.hpp"
#include "filter/route.hpp"

namespace perilune::filter {
namespace {

using flow::PipelinePlan;
using PlanSet = std::unordered_set<const PipelinePlan*>;

const ListenPlan* listen_of(const Program& program, const PipelinePlan& plan) {
  const auto found = std::ranges::find_if(
      program.listens, [&](const ListenPlan& listen) { return listen.pipeline.get() == &plan; });
  return found == program.listens.end() ? nullptr : &*found;
}

/// The pipelines in the order in which they are told: those of listen first.
std::vector<const PipelinePlan*> in_order(const Program& program) {
  std::vector<const PipelinePlan*> plans;
  for (const ListenPlan& listen : program.listens) plans.push_back(listen.pipeline.get());
  for (const auto& plan : program.pipelines)
    if (!listen_of(program, *plan)) plans.push_back(plan.get());
  return plans;
}

/// What is written down. A filter that names a target twice, as a use may, leads there twice.
std::vector<GraphJoint> certain_joints(const PipelinePlan& plan, const PlanSet& known) {
  std::vector<GraphJoint> joints;
  for (size_t line = 0; line < plan.filters().size(); ++line)
    plan.filters()[line]->each_target([&](const PipelinePlan& target) {
      if (known.contains(&target)) joints.push_back({line, &target, true});
    });
  return joints;
}

void add_choices(std::vector<GraphJoint>& joints, const Program& program, const PipelinePlan& plan,
                 const PlanSet& led_to) {
  for (size_t line = 0; line < plan.filters().size(); ++line) {
    const auto* route = dynamic_cast<const RoutePlan*>(plan.filters()[line].get());
    if (!route || !route->hook || !route->known_targets.empty()) continue;
    for (const PipelinePlan* other : in_order(program)) {
      const bool is_known = route->scope->find(other->name()) == other;
      if (is_known && other != &plan && !listen_of(program, *other) && !led_to.contains(other))
        joints.push_back({line, other, false});
    }
  }
}

/// For Mermaid: its texts are HTML, and end with a quote.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : shown(text)) {
    switch (c) {
      case '"': result += "#quot;"; break;
      case '<': result += "#lt;"; break;
      case '>': result += "#gt;"; break;
      case '#': result += "#35;"; break;
      default: result += c;
    }
  }
  return result;
}

}  // namespace

std::vector<std::vector<GraphJoint>> graph_joints(const Program& program) {
  PlanSet known, led_to;
  for (const auto& plan : program.pipelines) known.insert(plan.get());
  std::vector<std::vector<GraphJoint>> all;
  for (const auto& plan : program.pipelines) {
    all.push_back(certain_joints(*plan, known));
    for (const GraphJoint& joint : all.back()) led_to.insert(joint.target);
  }
  for (size_t i = 0; i < all.size(); ++i) add_choices(all[i], program, *program.pipelines[i], led_to);
  return all;
}

std::string graph_text(const Program& program) {
  const auto joints = graph_joints(program);
  std::string text;
  for (const PipelinePlan* plan : in_order(program)) {
    const ListenPlan* listen = listen_of(program, *plan);
    text += listen ? "listen " + listen->address.to_string() + "\n" : label_of(*plan) + "\n";
    const auto at = std::ranges::find(program.pipelines, plan, [](const auto& each) { return each.get(); });
    const auto& own = joints[static_cast<size_t>(at - program.pipelines.begin())];
    for (size_t line = 0; line < plan->filters().size(); ++line) {
      const auto& filter = plan->filters()[line];
      text += "  " + filter->name;
      bool is_first = true;
      for (const GraphJoint& joint : own) {
        if (joint.line != line) continue;
        // A use goes through all of them, a route to one.
        const bool is_in_turn = is_first || filter->name == "use";
        text += (is_in_turn ? joint.is_certain ? " -> " : " -> perhaps " : " or ") + label_of(*joint.target);
        is_first = false;
      }
      text += "    (" + filter->place.to_string() + ")\n";
    }
  }
  return text;
}

std::string graph_mermaid(const Program& program) {
  const auto joints = graph_joints(program);
  std::string text = "flowchart TD\n";
  const auto id_of = [&](const PipelinePlan* plan) {
    const auto at = std::ranges::find(program.pipelines, plan, [](const auto& each) { return each.get(); });
    return "p" + std::to_string(at - program.pipelines.begin());
  };
  for (const auto& plan : program.pipelines) {
    const ListenPlan* listen = listen_of(program, *plan);
    std::string title = listen                 ? "listen " + listen->address.to_string()
                        : plan->name().empty() ? plan->place().to_string()
                                               : plan->name();
    title = escaped(title);
    for (const auto& filter : plan->filters()) title += "<br>" + filter->name;
    text += "  " + id_of(plan.get()) + "[\"" + title + "\"]\n";
  }
  for (size_t i = 0; i < joints.size(); ++i) {
    const PipelinePlan& plan = *program.pipelines[i];
    size_t turn = 0;
    for (size_t j = 0; j < joints[i].size(); ++j) {
      const GraphJoint& joint = joints[i][j];
      const std::string& name = plan.filters()[joint.line]->name;
      turn = j > 0 && joints[i][j - 1].line == joint.line ? turn + 1 : 1;
      text += "  " + id_of(&plan) + (joint.is_certain ? " -->|" : " -.->|") + name;
      if (name == "use") text += " " + std::to_string(turn);  // arrows have no order of their own
      text += "| " + id_of(joint.target) + "\n";
    }
  }
  return text;
}

}  // namespace perilune::filter
