#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "algo/shared_dictionary.hpp"
#include "base/error.hpp"
#include "base/place.hpp"
#include "base/time.hpp"
#include "base/value.hpp"
#include "filter/exchange_stats.hpp"
#include "flow/hook.hpp"
#include "flow/pipeline.hpp"
#include "http/date.hpp"
#include "net/network.hpp"
#include "stats/metrics.hpp"
#include "upstream/cluster_record.hpp"

namespace perilune::filter {

class PipelineScope;
class UpstreamObject;

/// What filters of one worker stand on.
struct Services {
  flow::Runtime& runtime;
  net::Network& network;
  ExchangeStats stats = {};
  LogLimit log_limit = {};
  /// What the scripts count.
  stats::Registry metrics = {};
  /// The Date field of this second.
  http::DateText date = {};
  Instant date_until{};  // when its second is over
  /// The clusters of the process, and which of its workers this is.
  std::shared_ptr<upstream::ClusterBoard> clusters = std::make_shared<upstream::ClusterBoard>();
  unsigned worker = 0;
  /// The dictionaries of the process.
  std::shared_ptr<algo::SharedDictionaries> dictionaries = std::make_shared<algo::SharedDictionaries>();
  /// The upstreams of the worker's scripts.
  std::vector<UpstreamObject*> upstreams = {};
};

/// What an argument or option may be. Several are joined with |.
enum Accepts : uint32_t {
  Function = 1 << 0,  // a Ref<flow::Hook>
  Text = 1 << 1,      // a string
  Number = 1 << 2,    // any finite number
  Boolean = 1 << 3,
  MessageObject = 1 << 4,   // a Ref<flow::Message>
  PipelineObject = 1 << 5,  // a Ref<flow::PipelinePlan>; a pipeline's name is accepted too and resolved
  Time = 1 << 6,       // seconds or "5s"; false and math.huge mean never. Stored in seconds, never = infinity
  Size = 1 << 7,       // bytes or "16k". Stored as a number of bytes
  Count = 1 << 8,      // a whole number of at least 0
  TextList = 1 << 9,   // a list of strings
  Anything = 1 << 10,  // any value, a table by its identity
  Upstream = 1 << 11,  // a Ref<UpstreamObject>
  /// A list of endpoints: strings, or tables of one string and endpoint_options(). In `items`.
  EndpointList = 1 << 12,
  MixedList = 1 << 13,   // a list of strings and numbers, or one of them
  Percentile = 1 << 14,  // "p95": stored as a string; together with Time
  Table = 1 << 15,       // a table of the options that the spec has as members
  Plugins = 1 << 16,     // a Ref<PluginList>
  FiniteTime = 1 << 17,  // a time that cannot be never. Stored in seconds
};

/// One positional argument of a filter.
struct ArgumentSpec {
  std::string_view name;
  uint32_t accepts;
  bool is_required = true;
  /// What a function there is called with.
  std::string_view gives = "ctx";
  /// Said of a value of the wrong kind.
  std::string_view hint = {};
};

/// One named option.
struct OptionSpec {
  std::string_view name;
  uint32_t accepts;
  /// For Text: the words that are allowed, separated by '|'; empty for any.
  std::string_view choices = {};
  /// A table of these may stand there as well.
  std::span<const OptionSpec> members = {};
  /// Said of a value of the wrong kind: `write retry = { attempts = 3 }`.
  std::string_view hint = {};
  /// What a function there is called with.
  std::string_view gives = "ctx";
};

struct Option;

/// A value given by the script, checked against its spec. Lists are in `list`, tables of options in
/// `members`.
struct Argument {
  Value value;
  std::vector<Value> list = {};
  std::vector<Option> members;  // without = {}, at which Clang 14 asks for the size of Option
  std::vector<Argument> items = {};

  bool is_given() const { return !value.is_nil() || !list.empty(); }
  flow::Hook* hook() const { return value.object_as<flow::Hook>(); }
};

struct Option {
  std::string_view name;  // points into a spec
  Argument argument;
};

/// Options of one call by name. Absent ones give the fallback.
class Options {
 public:
  Options() = default;
  explicit Options(std::vector<Option> members) : values_(std::move(members)) {}
  void set(std::string_view name, Argument argument);
  const Argument* find(std::string_view name) const;
  /// Duration::max() for never.
  Duration time(std::string_view name, Duration fallback) const;
  uint64_t size(std::string_view name, uint64_t fallback) const;
  uint64_t count(std::string_view name, uint64_t fallback) const;
  double number(std::string_view name, double fallback) const;
  bool boolean(std::string_view name, bool fallback) const;
  std::string_view text(std::string_view name, std::string_view fallback) const;
  Ref<flow::Hook> hook(std::string_view name) const;
  const std::vector<Option>& all() const { return values_; }

 private:
  std::vector<Option> values_;
};

struct FilterSpec;

/// One call of a filter's method in a script, with arguments checked against the spec.
struct FilterCall {
  const FilterSpec& spec;
  Services& services;
  Place place;
  std::vector<Argument> arguments;  // as many as the spec has; absent ones are nil
  Options options;
  /// The named pipelines of the script's file.
  Ref<PipelineScope> scope;
  /// The pipeline that the filter is added to.
  Ref<flow::PipelinePlan> pipeline;
};

/// A filter as scripts may call it: the one description from which arguments are checked and documentation
/// and editor annotations are compared.
struct FilterSpec {
  /// As the script calls it; "listen" is among them though it is an entrance.
  std::string_view name;
  std::span<const ArgumentSpec> arguments;
  std::span<const OptionSpec> options;
  /// Builds the plan. Errors (Side::Script) say what is wrong with the arguments in a sentence.
  Result<std::unique_ptr<flow::FilterPlan>> (*make)(FilterCall& call);
};

/// The kind of a value in words, for messages: "nil", "a string", "a table".
std::string describe(const Value& value);
/// The value itself where it is short: "5", "\"soon\"", "nan"; else its kind.
std::string show(const Value& value);

/// Builds the plan of one call and says where it stands. Errors as FilterSpec::make.
Result<std::unique_ptr<flow::FilterPlan>> make_filter(FilterCall& call);
/// Every filter there is, by name.
std::span<const FilterSpec> filter_specs();
const FilterSpec* find_filter(std::string_view name);
/// The options of the entrance `listen`.
std::span<const OptionSpec> listen_options();
/// What an endpoint in a list may say beside its address.
std::span<const OptionSpec> endpoint_options();
/// Who else has an option of that name: "upstream", "listen and connect"; empty when nobody has, or too many.
std::string option_owners(std::string_view option);

/// Checks one value against what is accepted and brings it into its stored form. Errors (Side::Script): a
/// sentence such as `expects a number of seconds or "5s", got a table`.
Result<Value> check_value(uint32_t accepts, std::string_view choices, Value value);
/// 95 of "p95": above 0 and below 100; 0 for what is no percentile.
double percentile_of(std::string_view text);
/// A stored Time as a duration; Duration::max() for never.
Duration from_option(const Value& value);
/// What is accepted, in words: "a function or a string".
std::string describe(uint32_t accepts);

/// The named pipelines of one file, or of one call of a plugin's function, which sees those of its file as
/// well. A name may be referred to before it is defined.
class PipelineScope final : public Object {
 public:
  explicit PipelineScope(flow::Runtime& runtime, Ref<PipelineScope> file = {})
      : runtime_(runtime), file_(std::move(file)) {}

  /// The pipeline of that name for reference; made empty when it is not there yet.
  Ref<flow::PipelinePlan> refer(std::string_view name, const Place& place);
  /// Defines it. Errors (Side::Script): it is defined already, and where.
  Result<Ref<flow::PipelinePlan>> define(std::string_view name, const Place& place);
  /// At run time: null when there is none.
  flow::PipelinePlan* find(std::string_view name) const;
  /// After loading: the first name that is referred to and not defined, with the nearest defined one.
  Result<void> check() const;
  std::vector<std::string_view> names() const;
  std::string_view nearest_to(std::string_view name) const;

 private:
  struct Entry {
    std::string name;
    Ref<flow::PipelinePlan> plan;
    Place place;
    bool is_defined;
  };
  Ref<flow::PipelinePlan> add(std::string_view name, const Place& place);
  Entry* entry(std::string_view name);
  const Entry* entry(std::string_view name) const;

  flow::Runtime& runtime_;
  Ref<PipelineScope> file_;
  std::vector<Entry> entries_;
};

}  // namespace perilune::filter
