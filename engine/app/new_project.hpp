#pragma once

#include <string>

namespace perilune::app {

/// `perilune new NAME`: makes the folder NAME with a proxy that works, its test, a page about both, and
/// settings for editors that know lua/types. The exit code: 0, or 1 when NAME is there already or cannot be
/// made; then nothing is left.
int make_project(const std::string& name);

}  // namespace perilune::app
