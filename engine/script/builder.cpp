#include "script/builder.hpp"

#include <cmath>

#include "base/text.hpp"
#include "script/interpreter.hpp"
#include "script/place.hpp"

namespace perilune::script {
namespace {

constexpr std::string_view entrance = "listen";

const char* not_loading = "pipelines are made while the file is loaded, at its top, not in a handler";

std::vector<std::string_view> filter_names() {
  std::vector<std::string_view> names;
  for (const filter::FilterSpec& spec : filter::filter_specs())
    if (spec.name != entrance) names.push_back(spec.name);
  return names;
}

// 8000 → "0.0.0.0:8000"
Result<net::Address> address_at(lua_State* L, int index) {
  const auto fail = [&](std::string sentence) {
    return Error{ErrorCode::ScriptError, Side::Script, "listen: " + std::move(sentence)};
  };
  if (lua_type(L, index) == LUA_TNUMBER) {
    const double port = lua_tonumber(L, index);
    if (port < 0 || port > 65535 || port != std::floor(port))
      return fail("a port is a whole number from 0 to 65535, got " + describe_value(L, index));
    return net::Address{net::Address::Kind::Ip4, "0.0.0.0", static_cast<uint16_t>(port)};
  }
  const auto text = string_at(L, index);
  if (!text)
    return fail("argument 1 (address) expects a port, \"ip:port\" or \"unix:path\", got " +
                describe_value(L, index));
  if (parse_decimal(*text))
    return fail("a port is a number, got the text " + in_quotes(*text) + "; write listen(" +
                std::string(*text) + "), and listen(tonumber(os.env.PORT)) for one from the environment");
  auto address = net::Address::parse(*text);
  if (!address) return fail(address.error().detail);
  if (address->needs_resolving())
    return fail("an address to listen at is an IP address, got the name " + in_quotes(*text));
  return address;
}

}  // namespace

void Builder::bind(lua_State* L) {
  lua_pushcfunction(L, script_function<listen>);
  lua_setfield(L, -2, "listen");
  lua_pushcfunction(L, script_function<pipeline>);
  lua_setfield(L, -2, "pipeline");
  // The methods in a table, by name; its misses are said by find_filter.
  lua_newtable(L);
  for (const filter::FilterSpec& spec : filter::filter_specs()) {
    if (spec.name == entrance) continue;
    push_text(L, spec.name);
    lua_pushlightuserdata(L, const_cast<filter::FilterSpec*>(&spec));
    lua_pushcclosure(L, script_function<add_filter>, 1);
    lua_rawset(L, -3);
  }
  lua_pushvalue(L, -1);
  methods_ = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushcclosure(L, script_function<find_filter>, 1);
  interpreter_.objects.create(L, luaL_ref(L, LUA_REGISTRYINDEX));
}

void Builder::bind_plugins(lua_State* L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, methods_);
  lua_setfield(L, -2, "filter_methods");
  const auto add = [&](const char* name, lua_CFunction function) {
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
  };
  add("begin_plugin", begin_plugin);
  add("end_plugin", end_plugin);
  add("is_pipeline", [](lua_State* asked) -> int {
    return lua_pushboolean(asked, test_userdata<PipelineBox>(asked, 1) != nullptr), 1;
  });
  add("place", [](lua_State* asked) -> int { return push(asked, script_place(asked).to_string()); });
  add("plugin_list", [](lua_State* given) -> int {  // (list of pipelines)
    const auto count = static_cast<int>(lua_objlen(given, 1));
    auto* box = Interpreter::of(given).objects.push_plugins(given);
    for (int i = 1; i <= count; ++i) {
      lua_rawgeti(given, 1, i);
      if (const auto* pipeline = test_userdata<PipelineBox>(given, -1))
        box->list->plugins.push_back(pipeline->plan);
      lua_pop(given, 1);
    }
    return 1;
  });
}

// (a plugin's function): until end_plugin the names of pipelines in its file are of this call alone.
int Builder::begin_plugin(lua_State* L) {
  Builder& self = Interpreter::of(L).builder;
  lua_Debug info;
  lua_pushvalue(L, 1);
  const bool is_script = lua_getinfo(L, ">S", &info) && info.source[0] == '@';
  const std::string file = is_script ? info.source + 1 : "";
  auto own = self.scope_of(file);
  self.scopes_[file] = make_ref<filter::PipelineScope>(self.interpreter_.services.runtime, own);
  self.outer_scopes_.emplace_back(file, std::move(own));
  return 0;
}

int Builder::end_plugin(lua_State* L) {
  Builder& self = Interpreter::of(L).builder;
  auto& [file, own] = self.outer_scopes_.back();
  auto& scope = self.scopes_[file];
  self.program_->scopes.push_back(std::move(scope));
  scope = std::move(own);
  self.outer_scopes_.pop_back();
  return 0;
}

void Builder::end() {
  for (auto& [file, scope] : scopes_) program_->scopes.push_back(scope);
  scopes_.clear();
  program_ = nullptr;
}

Ref<filter::PipelineScope> Builder::scope_of(const std::string& file) {
  auto& scope = scopes_[file];
  if (!scope) scope = make_ref<filter::PipelineScope>(interpreter_.services.runtime);
  return scope;
}

Ref<flow::PipelinePlan> Builder::make_anonymous(const Place& place) {
  auto plan = make_ref<flow::PipelinePlan>(interpreter_.services.runtime, std::string(), place);
  program_->pipelines.push_back(plan);
  return plan;
}

Outcome Builder::listen(lua_State* L) {
  Interpreter& interpreter = Interpreter::of(L);
  Builder& self = interpreter.builder;
  if (!self.program_) return Outcome::error(not_loading);
  if (interpreter.options.tests)
    return Outcome::error(
        "listen: it belongs in the script that test.load loads, not in a file of tests; "
        "proxy:upstream(address, function(req) … end) answers here");
  const Place place = script_place(L);
  auto address = address_at(L, 1);
  if (!address) return Outcome::error(address.error().detail);
  for (const filter::ListenPlan& other : self.program_->listens)
    if (other.address == *address && address->port != 0)
      return Outcome::error("listen: " + address->to_string() + " is listened at already, in " +
                            other.place.to_string());
  ArgumentReader reader(interpreter, L, entrance);
  if (auto read = reader.read(2, {}, filter::listen_options()); !read)
    return Outcome::error(read.error().detail);
  auto settings = filter::listen_settings(reader.options, place);
  if (!settings) return Outcome::error("listen: " + settings.error().detail);
  auto plan = self.make_anonymous(place);
  self.program_->listens.push_back(
      {std::move(*address), std::move(reader.options), plan, place, std::move(*settings)});
  interpreter.objects.push_pipeline(L, std::move(plan), self.scope_of(place.file), place);
  return 1;
}

Outcome Builder::pipeline(lua_State* L) {
  Interpreter& interpreter = Interpreter::of(L);
  Builder& self = interpreter.builder;
  if (!self.program_) return Outcome::error(not_loading);
  const Place place = script_place(L);
  auto scope = self.scope_of(place.file);
  if (lua_isnoneornil(L, 1)) {
    interpreter.objects.push_pipeline(L, self.make_anonymous(place), std::move(scope), place);
    return 1;
  }
  const auto name = string_at(L, 1);
  if (!name)
    return Outcome::error("pipeline: argument 1 (name) expects a string, got " + describe_value(L, 1));
  if (name->empty()) return Outcome::error("pipeline: argument 1 (name) expects a name, got an empty string");
  auto plan = scope->define(*name, place);
  if (!plan) return Outcome::error("pipeline: " + plan.error().detail);
  self.program_->pipelines.push_back(*plan);
  interpreter.objects.push_pipeline(L, std::move(*plan), std::move(scope), place);
  return 1;
}

// (chain, name): upvalue 1 has the methods
Outcome Builder::find_filter(lua_State* L) {
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  if (!lua_isnil(L, -1)) return 1;
  const std::string name(string_at(L, 2).value_or("?"));
  return Outcome::error("there is no filter " + in_quotes(name) + suggestion(name, filter_names()));
}

// (chain, ...): upvalue 1 is the spec
Outcome Builder::add_filter(lua_State* L) {
  const auto& spec = *static_cast<const filter::FilterSpec*>(lua_touserdata(L, lua_upvalueindex(1)));
  const std::string name(spec.name);
  Interpreter& interpreter = Interpreter::of(L);
  auto* box = test_userdata<PipelineBox>(L, 1);
  if (!box)
    return Outcome::error(name + ": call it with a colon, pipeline():" + name + "(...); it was given " +
                          describe_value(L, 1) + " in place of the pipeline");
  if (!interpreter.builder.program_) return Outcome::error(name + ": " + not_loading);
  // A call in tail position has left its function already; the chain still knows its file.
  Place place = script_place(L);
  if (place.file != box->place.file) place = box->place;
  ArgumentReader reader(interpreter, L, spec.name);
  reader.use_scope(*box->scope, place);
  if (auto read = reader.read(2, spec.arguments, spec.options); !read)
    return Outcome::error(read.error().detail);
  filter::FilterCall call{spec,
                          interpreter.services,
                          place,
                          std::move(reader.arguments),
                          std::move(reader.options),
                          box->scope,
                          box->plan};
  auto filter = filter::make_filter(call);
  if (!filter) {
    const std::string& sentence = filter.error().detail;
    return Outcome::error(sentence.starts_with(name + ":") ? sentence : name + ": " + sentence);
  }
  box->plan->add(std::move(*filter));
  box->place = place;
  lua_settop(L, 1);
  return 1;
}

}  // namespace perilune::script
