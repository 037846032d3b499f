#pragma once

#include <memory>
#include <optional>
#include <string>

#include "filter/registry.hpp"
#include "flow/access_log.hpp"
#include "flow/trusted_proxies.hpp"

namespace perilune::filter {

struct AccessLogSettings {
  flow::AccessFormat format = flow::AccessFormat::Combined;
  /// Empty for the standard output.
  std::string file;
};

/// What a `listen` says of its clients and exchanges beyond numbers.
struct ListenSettings {
  /// Null where none are trusted.
  std::unique_ptr<flow::TrustedProxies> trusted_proxies;
  std::optional<AccessLogSettings> access_log;
};

/// Reads them from the options of a `listen` that stands at `place`: paths are relative to that file. Errors
/// (Side::Script): ScriptError with a sentence.
Result<ListenSettings> listen_settings(const Options& options, const Place& place);

}  // namespace perilune::filter
