#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/worker.hpp"

namespace perilune::app {

/// Loads the scripts into a worker of its own that opens nothing, in a thread of its own: whatever they do at
/// their top, even for ever, harms nobody. Then shows it to `use`, which may be empty, in that thread, while
/// the caller waits. The sentence of what is wrong, also when it takes longer than limits::load_time_max;
/// empty when all is well.
std::string try_scripts(const std::vector<std::string>& paths, std::shared_ptr<script::ScriptFiles> files,
                        const std::function<void(const Worker&)>& use = {});

}  // namespace perilune::app
