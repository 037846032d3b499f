#pragma once

#include <lua.hpp>
#include <map>
#include <string>

#include "filter/program.hpp"
#include "filter/registry.hpp"
#include "script/objects.hpp"
#include "script/stack.hpp"

namespace perilune::script {

class Interpreter;

/// Turns `listen`, `pipeline` and the filters' methods of a script into a Program, while it is loaded.
/// Methods and their arguments follow filter::filter_specs(); there is nothing here about any one filter.
class Builder {
 public:
  explicit Builder(Interpreter& interpreter) : interpreter_(interpreter) {}
  Builder(const Builder&) = delete;
  Builder& operator=(const Builder&) = delete;

  /// Adds `listen` and `pipeline` to the table at the top of the stack.
  void bind(lua_State* L);
  /// Adds the primitives of lua/plugins.lua to the table at the top of the stack: filter_methods,
  /// is_pipeline, plugin_list, place, begin_plugin, end_plugin.
  void bind_plugins(lua_State* L);
  void begin(filter::Program& program) { program_ = &program; }
  void end();
  /// What is being built; null outside of loading.
  filter::Program* program() const { return program_; }

 private:
  static Outcome listen(lua_State* L);
  static Outcome pipeline(lua_State* L);
  static Outcome add_filter(lua_State* L);
  static Outcome find_filter(lua_State* L);
  static int begin_plugin(lua_State* L);
  static int end_plugin(lua_State* L);

  Ref<filter::PipelineScope> scope_of(const std::string& file);
  Ref<flow::PipelinePlan> make_anonymous(const Place& place);

  Interpreter& interpreter_;
  filter::Program* program_ = nullptr;
  std::map<std::string, Ref<filter::PipelineScope>> scopes_;  // by file
  /// Where calls of plugins' functions are under way: their file, and its own scope.
  std::vector<std::pair<std::string, Ref<filter::PipelineScope>>> outer_scopes_;
  int methods_ = LUA_NOREF;
};

/// Reads the arguments of one call that a script makes, against what is accepted. Failures are sentences that
/// begin with the function's name.
class ArgumentReader {
 public:
  ArgumentReader(Interpreter& interpreter, lua_State* L, std::string_view function)
      : interpreter_(interpreter), L_(L), function_(function) {}

  /// Where names of pipelines belong; without one they stay strings.
  void use_scope(filter::PipelineScope& scope, const Place& place) {
    scope_ = &scope;
    place_ = &place;
  }
  /// Reads from stack index `first` on: positional arguments, then a table of options.
  Result<void> read(int first, std::span<const filter::ArgumentSpec> specs,
                    std::span<const filter::OptionSpec> options);

  std::vector<filter::Argument> arguments;
  filter::Options options;

 private:
  bool is_options_table(int index, std::span<const filter::OptionSpec> specs) const;
  /// With `has_first` what stands at 1 is no option; neither is what stands under one of `others`.
  Result<void> read_options(int index, std::span<const filter::OptionSpec> specs, bool has_first = false,
                            std::span<const std::string_view> others = {});
  Result<filter::Argument> read_value(int index, uint32_t accepts, std::string_view choices);
  /// Warns of a function that does not take what it is called with.
  void look_at_parameters(int index, std::string_view gives);
  Result<filter::Argument> read_list(int index, uint32_t accepts);
  Result<filter::Argument> read_endpoints(int index);
  Result<filter::Argument> read_endpoint();
  Error fail(std::string sentence) const;

  Interpreter& interpreter_;
  lua_State* L_;
  std::string_view function_;
  filter::PipelineScope* scope_ = nullptr;
  const Place* place_ = nullptr;
};

}  // namespace perilune::script
