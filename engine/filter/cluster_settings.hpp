#pragma once

#include <vector>

#include "filter/registry.hpp"
#include "upstream/cluster_options.hpp"

namespace perilune::filter {

/// What `upstream(name, options)` says.
struct ClusterSettings {
  upstream::ClusterOptions cluster;
  /// Of `connect`, for its connections.
  Options connect;
};

/// The options of `upstream`.
std::span<const OptionSpec> upstream_options();
/// Reads them. Errors (Side::Script): ScriptError with a sentence that names the option: a value out of its
/// range, a name or address that is none, options that contradict each other.
Result<ClusterSettings> cluster_settings(const Options& options);

/// The endpoints of a list (Accepts::EndpointList), each once. Errors (Side::Script): a sentence about the
/// item.
Result<std::vector<upstream::EndpointSpec>> endpoint_specs(const Argument& list);

}  // namespace perilune::filter
