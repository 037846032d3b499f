#include "filter/registry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "filter/cluster_settings.hpp"
#include "filter/codecs.hpp"
#include "filter/connect.hpp"
#include "filter/demux_http.hpp"
#include "filter/forward.hpp"
#include "filter/handle.hpp"
#include "filter/mux_http.hpp"
#include "filter/route.hpp"
#include "filter/small_filters.hpp"
#include "filter/upstream_object.hpp"
#include "filter/use.hpp"

namespace perilune::filter {
namespace {

constexpr std::array demux_options = {
    OptionSpec{"connect", Boolean},    OptionSpec{"errorPage", Function, {}, {}, {}, "err, ctx"},
    OptionSpec{"maxHeaderSize", Size}, OptionSpec{"maxHeaders", Count},
    OptionSpec{"maxMessages", Count},  OptionSpec{"maxRequestLine", Size},
    OptionSpec{"pipelining", Count},
};
constexpr std::array serve_options = {
    OptionSpec{"errorPage", Function, {}, {}, {}, "err, ctx"},
    OptionSpec{"limit", Size},
    OptionSpec{"maxHeaderSize", Size},
    OptionSpec{"maxHeaders", Count},
    OptionSpec{"maxMessages", Count},
    OptionSpec{"maxRequestLine", Size},
    OptionSpec{"pipelining", Count},
};
constexpr std::array mux_options = {
    OptionSpec{"idleTimeout", Time},       OptionSpec{"maxMessages", Count}, OptionSpec{"maxSessions", Count},
    OptionSpec{"pipelining", Count},       OptionSpec{"queue", Count},       OptionSpec{"queueTimeout", Time},
    OptionSpec{"tunnelIdleTimeout", Time},
};
constexpr std::array connect_options = {
    OptionSpec{"bind", Text},        OptionSpec{"bufferLimit", Size}, OptionSpec{"connectTimeout", Time},
    OptionSpec{"idleTimeout", Time}, OptionSpec{"readTimeout", Time}, OptionSpec{"writeTimeout", Time},
};
constexpr std::array collect_options = {
    OptionSpec{"limit", Size},
    OptionSpec{"over", Text, "error|pass"},
    OptionSpec{"when", Function},
};
constexpr std::string_view access_formats = "common|combined|json";
constexpr std::array access_log_members = {
    OptionSpec{"file", Text},
    OptionSpec{"format", Text, access_formats},
};
constexpr std::array the_listen_options = {
    OptionSpec{"accessLog", Boolean | Text, access_formats, access_log_members},
    OptionSpec{"backlog", Count},
    OptionSpec{"bufferLimit", Size},
    OptionSpec{"headTimeout", Time},
    OptionSpec{"idleTimeout", Time},
    OptionSpec{"maxConnections", Count},
    OptionSpec{"maxConnectionsPerIP", Count},
    OptionSpec{"minBodyRate", Size},
    OptionSpec{"readTimeout", Time},
    OptionSpec{"trustedProxies", TextList},
    OptionSpec{"writeTimeout", Time},
};

constexpr std::array the_endpoint_options = {OptionSpec{"priority", Count}, OptionSpec{"weight", Count}};

constexpr std::array session_handler = {ArgumentSpec{"handler", Function}};
constexpr std::array end_handler = {ArgumentSpec{"handler", Function, true, "ctx, err"}};
constexpr std::array data_handler = {ArgumentSpec{"handler", Function, true, "data, ctx"}};
constexpr std::array message_handler = {ArgumentSpec{"handler", Function, true, "msg, ctx"}};
constexpr std::array body_handler = {ArgumentSpec{"handler", Function, true, "body, ctx"}};
constexpr std::array pipeline_only = {ArgumentSpec{"pipeline", PipelineObject}};
constexpr std::array mux_arguments = {ArgumentSpec{"pipeline", PipelineObject},
                                      ArgumentSpec{"key", Function | Anything, false}};
constexpr std::array route_arguments = {ArgumentSpec{"target", Function | PipelineObject},
                                        ArgumentSpec{"names", TextList, false}};
constexpr std::array connect_arguments = {
    ArgumentSpec{"target", Function | Text, true, "ctx", "write \"host:port\", such as \"127.0.0.1:8080\""}};
constexpr std::array serve_arguments = {ArgumentSpec{"handler", Function | MessageObject, true, "req, ctx"}};
constexpr std::array replace_arguments = {
    ArgumentSpec{"replacement", Function | MessageObject, true, "msg, ctx"}};
constexpr std::array replace_bytes_arguments = {
    ArgumentSpec{"replacement", Function | Text | MessageObject, true, "data, ctx"}};
constexpr std::array insert_arguments = {ArgumentSpec{"what", Function | Text | MessageObject}};
constexpr std::array tag_arguments = {ArgumentSpec{"tag", Text, false}};
constexpr std::array forward_arguments = {ArgumentSpec{"upstream", Function | Upstream}};
constexpr std::array use_arguments = {ArgumentSpec{"plugins", Function | Plugins},
                                      ArgumentSpec{"pipeline", PipelineObject}};
constexpr std::array timeout_arguments = {ArgumentSpec{"time", Time}};

constexpr std::array specs = {
    FilterSpec{"connect", connect_arguments, connect_options, ConnectPlan::make_plan},
    FilterSpec{"decodeHTTPRequest", {}, {}, make_decode_plan},
    FilterSpec{"decodeHTTPResponse", {}, {}, make_decode_plan},
    FilterSpec{"demuxHTTP", pipeline_only, demux_options, DemuxHttpPlan::make_plan},
    FilterSpec{"dump", tag_arguments, {}, make_dump_plan},
    FilterSpec{"encodeHTTPRequest", {}, {}, make_encode_plan},
    FilterSpec{"encodeHTTPResponse", {}, {}, make_encode_plan},
    FilterSpec{"forward", forward_arguments, forward_options, ForwardPlan::make_plan},
    FilterSpec{"handleData", data_handler, {}, make_handle_plan},
    FilterSpec{"handleExchangeEnd", end_handler, {}, make_handle_plan},
    FilterSpec{"handleMessage", message_handler, collect_options, make_handle_plan},
    FilterSpec{"handleMessageBody", body_handler, collect_options, make_handle_plan},
    FilterSpec{"handleMessageEnd", message_handler, {}, make_handle_plan},
    FilterSpec{"handleMessageStart", message_handler, {}, make_handle_plan},
    FilterSpec{"handleSessionEnd", end_handler, {}, make_handle_plan},
    FilterSpec{"handleSessionStart", session_handler, {}, make_handle_plan},
    FilterSpec{"insert", insert_arguments, {}, make_insert_plan},
    FilterSpec{"muxHTTP", mux_arguments, mux_options, MuxHttpPlan::make_plan},
    FilterSpec{"next", {}, {}, NextPlan::make_plan},
    FilterSpec{"print", {}, {}, make_print_plan},
    FilterSpec{"replaceData", replace_bytes_arguments, {}, make_handle_plan},
    FilterSpec{"replaceMessage", replace_arguments, collect_options, make_handle_plan},
    FilterSpec{"replaceMessageBody", body_handler, collect_options, make_handle_plan},
    FilterSpec{"replaceMessageStart", message_handler, {}, make_handle_plan},
    FilterSpec{"route", route_arguments, {}, RoutePlan::make_plan},
    FilterSpec{"serveHTTP", serve_arguments, serve_options, make_serve_plan},
    FilterSpec{"timeout", timeout_arguments, {}, make_timeout_plan},
    FilterSpec{"use", use_arguments, {}, UsePlan::make_plan},
};

Error refuse(uint32_t accepts, const Value& value) {
  const bool is_odd = value.number() && !std::isfinite(*value.number());
  return {ErrorCode::ScriptError, Side::Script,
          "expects " + describe(accepts) + ", got " + (is_odd ? show(value) : describe(value))};
}

Result<Value> check_time(const Value& value, uint32_t accepts) {
  constexpr double never = std::numeric_limits<double>::infinity();
  const auto wrong = [](const char* sentence) {
    return Error{ErrorCode::ScriptError, Side::Script, sentence};
  };
  if (accepts & FiniteTime) {
    const double* seconds = value.number();
    if (value.is_false() || (seconds && !(*seconds > 0 && *seconds < never)))
      return wrong("it is a time above 0, such as 5 or \"250ms\", and cannot be never");
  }
  if (value.is_false()) return Value(never);
  if (const double* seconds = value.number()) {
    if (*seconds > 0) return Value(*seconds);
    if (std::isnan(*seconds)) return wrong("it is not a number (0/0)");
    return wrong(*seconds == 0 ? "a time of 0 means nothing here; say false for never"
                               : "a time cannot be negative");
  }
  if (const std::string* text = value.string()) {
    const auto duration = parse_duration(*text);
    if (duration && *duration > Duration::zero()) return Value(to_seconds(*duration));
    return Error{ErrorCode::ScriptError, Side::Script,
                 in_quotes(*text) + " is no time; write seconds, or \"250ms\", \"5s\", \"1m\", \"1h\"" +
                     (accepts & Percentile ? ", or a percentile such as \"p95\"" : "")};
  }
  return refuse(accepts, value);
}

/// One that stands for a list of one.
Result<Value> check_item(const Value& value) {
  if (!value.number() || std::isfinite(*value.number())) return value;
  return refuse(MixedList, value);
}

Result<Value> check_size(const Value& value) {
  if (const double* bytes = value.number()) {
    if (*bytes >= 0 && *bytes < 9e15) return Value(std::floor(*bytes));
    if (std::isnan(*bytes)) return Error{ErrorCode::ScriptError, Side::Script, "it is not a number (0/0)"};
    return Error{ErrorCode::ScriptError, Side::Script, "a size is at least 0 and below 9e15 bytes"};
  }
  if (const std::string* text = value.string()) {
    if (const auto bytes = parse_size(*text)) return Value(static_cast<double>(*bytes));
    return Error{ErrorCode::ScriptError, Side::Script,
                 in_quotes(*text) + " is no size; write bytes, or \"16k\", \"1m\", \"2g\""};
  }
  return refuse(Size, value);
}

}  // namespace

std::span<const FilterSpec> filter_specs() { return specs; }
std::span<const OptionSpec> listen_options() { return the_listen_options; }
std::span<const OptionSpec> endpoint_options() { return the_endpoint_options; }

const FilterSpec* find_filter(std::string_view name) {
  for (const FilterSpec& spec : specs)
    if (spec.name == name) return &spec;
  return nullptr;
}

Result<std::unique_ptr<flow::FilterPlan>> make_filter(FilterCall& call) {
  call.arguments.resize(call.spec.arguments.size());
  auto plan = call.spec.make(call);
  if (plan.has_value()) {
    (*plan)->name = std::string(call.spec.name);
    (*plan)->place = call.place;
  }
  return plan;
}

std::string describe(const Value& value) {
  if (value.is_nil()) return "nil";
  if (!value.object()) return "a " + std::string(value.type_name());
  if (auto* message = value.object_as<flow::Message>())
    return !message->head ? "a Data" : message->request() ? "a request" : "a response";
  if (value.object_as<flow::Hook>()) return "a function";
  if (value.object_as<flow::PipelinePlan>()) return "a pipeline";
  if (value.object_as<UpstreamObject>()) return "an upstream";
  if (value.object_as<PluginList>()) return "a list of plugins";
  return "a table";
}

std::string show(const Value& value) {
  if (const std::string* text = value.string()) return in_quotes(*text);
  if (const bool* boolean = value.boolean()) return *boolean ? "true" : "false";
  const double* number = value.number();
  if (!number) return describe(value);
  if (std::isnan(*number)) return "nan";
  if (std::isinf(*number)) return "infinity";
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, *number).ptr};
}

std::string option_owners(std::string_view option) {
  constexpr size_t owners_max = 3;
  const auto has = [&](std::span<const OptionSpec> options) {
    return std::ranges::find(options, option, &OptionSpec::name) != options.end();
  };
  std::vector<std::string_view> owners;
  if (has(listen_options())) owners.push_back("listen");
  if (has(upstream_options())) owners.push_back("upstream");
  for (const FilterSpec& spec : specs)
    if (has(spec.options)) owners.push_back(spec.name);
  if (owners.size() > owners_max) return {};
  std::string text;
  for (size_t i = 0; i < owners.size(); ++i)
    text.append(i == 0 ? "" : i + 1 == owners.size() ? " and " : ", ").append(owners[i]);
  return text;
}

std::string describe(uint32_t accepts) {
  constexpr std::array<std::pair<uint32_t, std::string_view>, 18> words{
      {{Function, "a function"},
       {Text, "a string"},
       {Number, "a number"},
       {Boolean, "true or false"},
       {MessageObject, "a Message"},
       {PipelineObject, "a pipeline or its name"},
       {Time, "a time (seconds or \"5s\")"},
       {FiniteTime, "a time (seconds or \"5s\")"},
       {Size, "a size (bytes or \"16k\")"},
       {Count, "a whole number"},
       {TextList, "a list of strings"},
       {Upstream, "an upstream"},
       {Plugins, "a list of plugins"},
       {EndpointList, "a list of endpoints"},
       {MixedList, "a string, a number or a list of such"},
       {Percentile, "a percentile such as \"p95\""},
       {Table, "a table of options"},
       {Anything, "any value"}}};
  std::string text;
  for (const auto& [bit, word] : words) {
    if ((accepts & bit) == 0) continue;
    if (!text.empty()) text += " or ";
    text += word;
  }
  return text;
}

Result<Value> check_value(uint32_t accepts, std::string_view choices, Value value) {
  if ((accepts & Function) && value.object_as<flow::Hook>()) return value;
  if ((accepts & Boolean) && value.boolean() && !((accepts & Time) && value.is_false())) return value;
  if ((accepts & MixedList) && (value.string() || value.number())) return check_item(value);
  if ((accepts & Percentile) && value.string() && percentile_of(*value.string()) > 0) return value;
  if (accepts & (Time | FiniteTime)) return check_time(value, accepts);
  if (accepts & Size) return check_size(value);
  if ((accepts & Count) && value.number()) {
    const double number = *value.number();
    if (number >= 0 && number == std::floor(number) && number < 9e15) return value;
    return Error{ErrorCode::ScriptError, Side::Script, "expects a whole number of at least 0"};
  }
  if ((accepts & Number) && value.number() && std::isfinite(*value.number())) return value;
  if ((accepts & MessageObject) && value.object_as<flow::Message>()) return value;
  if ((accepts & PipelineObject) && value.object_as<flow::PipelinePlan>()) return value;
  if ((accepts & Upstream) && value.object_as<UpstreamObject>()) return value;
  if ((accepts & Plugins) && value.object_as<PluginList>()) return value;
  if ((accepts & Anything) && !value.is_nil()) return value;
  if ((accepts & Text) && value.string()) {
    if (choices.empty()) return value;
    std::vector<std::string_view> words;
    for (std::string_view rest = choices; !rest.empty();) {
      const size_t bar = rest.find('|');
      words.push_back(rest.substr(0, bar));
      rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
    }
    for (const auto word : words)
      if (word == *value.string()) return value;
    std::string list;
    for (const auto word : words)
      list.append(list.empty() ? "" : " or ").append("\"").append(word).append("\"");
    return Error{ErrorCode::ScriptError, Side::Script,
                 "expects " + list + ", got " + in_quotes(*value.string())};
  }
  return refuse(accepts, value);
}

double percentile_of(std::string_view text) {
  if (!text.starts_with('p')) return 0;
  double percent = 0;
  const auto [end, problem] = std::from_chars(text.data() + 1, text.data() + text.size(), percent);
  const bool is_whole = problem == std::errc() && end == text.data() + text.size();
  return is_whole && percent > 0 && percent < 100 ? percent : 0;
}

Duration from_option(const Value& value) {
  const double* seconds = value.number();
  if (!seconds || std::isinf(*seconds)) return Duration::max();
  return from_seconds(*seconds);
}

void Options::set(std::string_view name, Argument argument) {
  values_.push_back({name, std::move(argument)});
}

const Argument* Options::find(std::string_view name) const {
  for (const auto& [given, argument] : values_)
    if (given == name) return &argument;
  return nullptr;
}

Duration Options::time(std::string_view name, Duration fallback) const {
  const Argument* argument = find(name);
  return argument ? from_option(argument->value) : fallback;
}

uint64_t Options::size(std::string_view name, uint64_t fallback) const {
  const Argument* argument = find(name);
  return argument && argument->value.number() ? static_cast<uint64_t>(*argument->value.number()) : fallback;
}

uint64_t Options::count(std::string_view name, uint64_t fallback) const { return size(name, fallback); }

double Options::number(std::string_view name, double fallback) const {
  const Argument* argument = find(name);
  return argument && argument->value.number() ? *argument->value.number() : fallback;
}

bool Options::boolean(std::string_view name, bool fallback) const {
  const Argument* argument = find(name);
  return argument && argument->value.boolean() ? *argument->value.boolean() : fallback;
}

std::string_view Options::text(std::string_view name, std::string_view fallback) const {
  const Argument* argument = find(name);
  return argument && argument->value.string() ? std::string_view(*argument->value.string()) : fallback;
}

Ref<flow::Hook> Options::hook(std::string_view name) const {
  const Argument* argument = find(name);
  return argument ? Ref<flow::Hook>(argument->hook()) : Ref<flow::Hook>();
}

}  // namespace perilune::filter
