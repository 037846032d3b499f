#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/worker.hpp"

namespace perilune::app {

/// Loads the scripts into a worker of its own that opens nothing, and shows it to `use`. The sentence of what
/// is wrong, empty when all is well.
std::string load_alone(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files,
                       const std::function<void(const Worker&)>& use,
                       std::shared_ptr<script::LoadLimit> limit = nullptr);

/// Loads them in a thread of its own: whatever they do at their top, even for ever, harms nobody. The
/// sentence of what is wrong, also when it takes longer than limits::load_time_max; empty when all is well.
std::string try_scripts(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files);

}  // namespace perilune::app
