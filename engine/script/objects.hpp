#pragma once

#include <lua.hpp>

#include "base/value.hpp"
#include "filter/registry.hpp"
#include "filter/use.hpp"

namespace perilune::script {

/// A table, function or userdata of a script, by identity: the engine can compare it and give it back, no
/// more. There is one for each as long as Lua keeps it, and Lua's reference goes when Lua collects it.
class Identity final : public Object {};

/// What the userdata of a pipeline under construction holds.
struct PipelineBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  Ref<flow::PipelinePlan> plan;
  Ref<filter::PipelineScope> scope;
  /// Where its last filter was added.
  Place place;
};

/// What the userdata of a list of plugins holds; lua/plugins.lua makes it of a script's list.
struct PluginsBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  Ref<filter::PluginList> list = make_ref<filter::PluginList>();
};

/// Values between Lua and the engine.
class Objects {
 public:
  /// Makes the metatables. `chain_index` is a reference to the function that finds filters by name.
  void create(lua_State* L, int chain_index);

  /// The value at `index`: messages and pipelines as such, other objects as an Identity, Data as a string; a
  /// message that is over is nil. Does not raise.
  Value to_value(lua_State* L, int index);
  /// The reverse; a message needs the bindings and is pushed as nil here.
  void push_value(lua_State* L, const Value& value);

  void push_pipeline(lua_State* L, Ref<flow::PipelinePlan> plan, Ref<filter::PipelineScope> scope,
                     const Place& place);

  PluginsBox* push_plugins(lua_State* L);

 private:
  Ref<Object> identify(lua_State* L, int index);

  int pipeline_metatable_ = LUA_NOREF;
  int plugins_metatable_ = LUA_NOREF;
  int identity_metatable_ = LUA_NOREF;
  int identities_ = LUA_NOREF;  // object to its box, weak keys
  int originals_ = LUA_NOREF;   // address of an Identity to the object, weak values
};

}  // namespace perilune::script
