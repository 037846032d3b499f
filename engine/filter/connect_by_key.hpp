#pragma once

#include "filter/registry.hpp"

namespace perilune::filter {

/// A pipeline that connects to the address in its context's key (upstream::target_of): the wire of
/// connections that a pool of the engine's own keeps. `options` are those of `connect`.
Ref<flow::PipelinePlan> connect_by_key(Services& services, std::string name, const Place& place,
                                       Options options = {});

/// Gives its context's key.
Ref<flow::Hook> key_of_context();

}  // namespace perilune::filter
