#pragma once

#include <string>

#include "filter/registry.hpp"
#include "upstream/cluster_options.hpp"

namespace perilune::filter {

/// An option that is a value, or a function of ctx which is asked for each request.
template <typename T>
struct Setting {
  T value = {};
  Ref<flow::Hook> hook = {};
};

/// The options of `forward`, and of `upstream:request`.
struct ForwardSettings {
  Setting<Duration> timeout{Duration::max()};      ///< to the answer's head
  Setting<Duration> try_timeout{Duration::max()};
  Setting<std::string> endpoint;                   ///< pins a member by its name; empty: none
  Setting<Value> key;                              ///< for hashing
  Setting<std::string> pool;                       ///< connections of one are not used by another
  Setting<std::string> host{"client"};             ///< "client", "endpoint" or a name
  std::optional<upstream::RetryOptions> retry;     ///< none: the cluster's
  std::optional<upstream::HedgeOptions> hedge;
  bool forwarded = true;  ///< appends X-Forwarded-For, sets X-Forwarded-Proto and -Host
  Duration tunnel_idle_timeout = limits::tunnel_idle_timeout;
};

/// Errors (Side::Script): a sentence that names the option.
Result<ForwardSettings> forward_settings(const Options& options);

}  // namespace perilune::filter
