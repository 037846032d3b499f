#pragma once

#include <vector>

#include "filter/program.hpp"

namespace perilune::filter {

/// What a filter of a pipeline leads to, as drawings and texts of a program show it.
struct GraphJoint {
  size_t line;  ///< of the filter in its pipeline, from 0
  const flow::PipelinePlan* target;
  bool is_certain;  ///< else a function chooses, and may choose this
};

/// Every joint of every pipeline of the program, in the order of `pipelines`; those of a filter in its own
/// order, which for a `use` is that of the chain. What a filter keeps inside (the pipeline of serveHTTP) is
/// no part of it. A route by a function without names may lead to each pipeline of its file that has a name
/// and that nothing leads to for certain.
std::vector<std::vector<GraphJoint>> graph_joints(const Program& program);

}  // namespace perilune::filter
