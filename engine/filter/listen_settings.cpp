#include "filter/listen_settings.hpp"

#include <filesystem>

namespace perilune::filter {
namespace {

flow::AccessFormat format_of(std::string_view name) {
  if (name == "json") return flow::AccessFormat::Json;
  return name == "common" ? flow::AccessFormat::Common : flow::AccessFormat::Combined;
}

Result<std::optional<AccessLogSettings>> access_log_of(const Argument& given, const Place& place) {
  if (given.value.is_false()) return std::optional<AccessLogSettings>();
  AccessLogSettings settings;
  if (const std::string* format = given.value.string()) settings.format = format_of(*format);
  const Options members(given.members);
  settings.format = given.members.empty() ? settings.format : format_of(members.text("format", "combined"));
  if (const Argument* file = members.find("file")) {
    const std::string& path = *file->value.string();
    if (path.empty())
      return Error{ErrorCode::ScriptError, Side::Script,
                   "option \"accessLog\": file expects a path, got an empty string"};
    settings.file = (std::filesystem::path(place.file).parent_path() / path).string();
  }
  return std::optional<AccessLogSettings>(std::move(settings));
}

}  // namespace

Result<ListenSettings> listen_settings(const Options& options, const Place& place) {
  ListenSettings settings;
  if (const Argument* given = options.find("trustedProxies")) {
    settings.trusted_proxies = std::make_unique<flow::TrustedProxies>();
    for (const Value& network : given->list)
      if (auto added = settings.trusted_proxies->add(*network.string()); !added)
        return Error{ErrorCode::ScriptError, Side::Script,
                     "option \"trustedProxies\": " + added.error().detail};
  }
  if (const Argument* given = options.find("accessLog")) {
    auto log = access_log_of(*given, place);
    if (!log) return log.error();
    settings.access_log = std::move(*log);
  }
  return settings;
}

}  // namespace perilune::filter
