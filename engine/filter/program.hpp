#pragma once

#include <span>
#include <string>
#include <vector>

#include "filter/listen_settings.hpp"
#include "filter/upstream_object.hpp"

namespace perilune::filter {

/// One `listen` of a script.
struct ListenPlan {
  net::Address address;
  Options options;
  Ref<flow::PipelinePlan> pipeline;
  Place place;
  ListenSettings settings;
};

/// Something in a script that loads and is hardly meant: `perilune check` says it.
struct Warning {
  Place place;
  std::string text;
};

/// What loading a script gives: its entrances and pipelines, linked and checked. It lives as long as it runs.
struct Program {
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  /// What `upstream` made, in the order of definition. They outlive the pipelines that lead to them.
  std::vector<Ref<UpstreamObject>> upstreams;
  std::vector<ListenPlan> listens;
  /// One scope for each file of the script.
  std::vector<Ref<PipelineScope>> scopes;
  /// Every pipeline there is, anonymous ones too, in the order of definition.
  std::vector<Ref<flow::PipelinePlan>> pipelines;
  /// What was noticed while it was made.
  std::vector<Warning> warnings;

  /// It serves from now on: its upstreams begin what they do by themselves.
  void start();
  /// Another version took over: what is under way goes on, and nothing is kept for requests to come.
  void retire();
  /// Closes what pipelines keep for coming requests. The program may be destroyed when the loop has settled
  /// after.
  void drain();
  /// Completes what can only be completed when all is there: plugins get the next() that they left out.
  void link();
  /// Checks what can only be checked when all is there: names, that somebody answers, that only one does.
  /// Errors (Side::Script): a sentence with file:line.
  Result<void> check() const;
};

/// The pipelines that neither a listen nor one of `roots` leads to, as far as that is written down; in the
/// order of definition. What the function of a route gives is not.
std::vector<const flow::PipelinePlan*> unreached(const Program& program,
                                                 std::span<const flow::PipelinePlan* const> roots = {});
/// A route goes where its function says, without a list of names.
bool has_open_route(const Program& program);
/// Some `route` to which something leads asks a function: what that gives is found by its name, listed or not.
bool asks_a_route(const Program& program);
/// A use goes through the plugins that its function chooses.
bool has_open_use(const Program& program);

/// The graph of a program: pipelines and what leads where, what a function may choose marked as such.
/// `mermaid` for Mermaid's flowchart text.
std::string graph_text(const Program& program);
std::string graph_mermaid(const Program& program);
/// The same as one drawing of several programs, the text of an SVG file: equal programs give equal bytes.
/// Readable on light and on dark ground.
std::string graph_svg(const std::vector<const Program*>& programs);

}  // namespace perilune::filter
