#include "script/objects.hpp"

#include "script/data_box.hpp"
#include "script/hook.hpp"
#include "script/message_box.hpp"
#include "script/upstream_box.hpp"

namespace perilune::script {
namespace {

struct IdentityBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  Ref<Identity> identity = make_ref<Identity>();
};

int make_weak_table(lua_State* L, const char* mode) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  return luaL_ref(L, LUA_REGISTRYINDEX);
}

int pipeline_to_text(lua_State* L) {
  const auto* box = test_userdata<PipelineBox>(L, 1);
  if (!box || box->plan->name().empty()) lua_pushstring(L, "pipeline");
  else lua_pushfstring(L, "pipeline \"%s\"", box->plan->name().c_str());
  return 1;
}

}  // namespace

void Objects::create(lua_State* L, int chain_index) {
  lua_newtable(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, chain_index);
  lua_setfield(L, -2, "__index");
  set_destructor<PipelineBox>(L, "pipeline");
  lua_pushcfunction(L, pipeline_to_text);
  lua_setfield(L, -2, "__tostring");
  pipeline_metatable_ = luaL_ref(L, LUA_REGISTRYINDEX);

  lua_newtable(L);
  set_destructor<PluginsBox>(L, "plugins");
  plugins_metatable_ = luaL_ref(L, LUA_REGISTRYINDEX);

  lua_newtable(L);
  set_destructor<IdentityBox>(L, "identity");
  identity_metatable_ = luaL_ref(L, LUA_REGISTRYINDEX);
  identities_ = make_weak_table(L, "k");
  originals_ = make_weak_table(L, "v");
}

Value Objects::to_value(lua_State* L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE: return {};
    case LUA_TBOOLEAN: return lua_toboolean(L, index) != 0;
    case LUA_TNUMBER: return static_cast<double>(lua_tonumber(L, index));
    case LUA_TSTRING: {
      size_t size = 0;
      const char* text = lua_tolstring(L, index, &size);
      return std::string_view(text, size);
    }
    case LUA_TUSERDATA:
      if (const auto* box = test_userdata<MessageBox>(L, index); box && box->part == MessagePart::Message)
        return box->message ? Value(Ref<Object>(box->message)) : Value();
      if (const auto* box = test_userdata<PipelineBox>(L, index)) return Ref<Object>(box->plan);
      if (const auto* box = test_userdata<UpstreamBox>(L, index)) return Ref<Object>(box->object);
      if (const auto* box = test_userdata<PluginsBox>(L, index)) return Ref<Object>(box->list);
      if (const auto* box = test_userdata<DataBox>(L, index)) {
        std::string bytes;
        bytes.reserve(box->size());
        box->each([&](std::string_view piece) { bytes.append(piece); });
        return bytes;
      }
      [[fallthrough]];
    default: return identify(L, index);
  }
}

Ref<Object> Objects::identify(lua_State* L, int index) {
  lua_pushvalue(L, index);
  lua_rawgeti(L, LUA_REGISTRYINDEX, identities_);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  auto* box = test_userdata<IdentityBox>(L, -1);
  if (!box) {
    lua_pop(L, 1);
    box = new_userdata<IdentityBox>(L, identity_metatable_);
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    lua_rawgeti(L, LUA_REGISTRYINDEX, originals_);
    lua_pushlightuserdata(L, box->identity.get());
    lua_pushvalue(L, -5);
    lua_rawset(L, -3);
    lua_pop(L, 1);
  }
  lua_pop(L, 3);
  return box->identity;
}

void Objects::push_value(lua_State* L, const Value& value) {
  if (const bool* boolean = value.boolean()) {
    lua_pushboolean(L, *boolean);
  } else if (const double* number = value.number()) {
    lua_pushnumber(L, *number);
  } else if (const std::string* text = value.string()) {
    lua_pushlstring(L, text->data(), text->size());
  } else if (const auto* hook = value.object_as<LuaHook>()) {
    hook->push(L);
  } else if (const auto* identity = value.object_as<Identity>()) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, originals_);
    lua_pushlightuserdata(L, const_cast<Identity*>(identity));
    lua_rawget(L, -2);
    lua_remove(L, -2);
  } else {
    lua_pushnil(L);
  }
}

void Objects::push_pipeline(lua_State* L, Ref<flow::PipelinePlan> plan, Ref<filter::PipelineScope> scope,
                            const Place& place) {
  auto* box = new_userdata<PipelineBox>(L, pipeline_metatable_);
  box->plan = std::move(plan);
  box->scope = std::move(scope);
  box->place = place;
}

PluginsBox* Objects::push_plugins(lua_State* L) { return new_userdata<PluginsBox>(L, plugins_metatable_); }

}  // namespace perilune::script
