#include <vector>

#include "algo/percentile.hpp"
#include "script/bind_algo.hpp"

namespace perilune::script {
namespace {

constexpr const char* metatable = "Percentile";

struct PercentileBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  algo::Percentile percentile;

  explicit PercentileBox(algo::Percentile made) : percentile(std::move(made)) {}
};

PercentileBox& self(lua_State* L) { return check_userdata<PercentileBox>(L, 1, "a Percentile"); }

Outcome make(lua_State* L) {
  if (!lua_istable(L, 1)) return Outcome::error(argument_message(L, 1, "a list of numbers"));
  std::vector<double> bounds;
  const auto count = static_cast<int>(lua_objlen(L, 1));
  for (int i = 1; i <= count; ++i) {
    lua_rawgeti(L, 1, i);
    if (lua_type(L, -1) != LUA_TNUMBER) {
      return Outcome::error("algo.Percentile: bound " + std::to_string(i) + " expects a number, got " +
                            describe_value(L, -1));
    }
    bounds.push_back(lua_tonumber(L, -1));
    lua_pop(L, 1);
  }
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TNUMBER)
      return Outcome::error("algo.Percentile: a list of numbers has no key " + describe_value(L, -2));
  }
  auto made = algo::Percentile::make(std::move(bounds));
  if (made.has_error()) return Outcome::error("algo.Percentile: " + made.error().detail);
  new_userdata<PercentileBox>(L, metatable, std::move(made.value()));
  return 1;
}

double number(lua_State* L) {
  if (lua_type(L, 2) != LUA_TNUMBER) raise_argument(L, 2, "a number");
  return lua_tonumber(L, 2);
}

int observe(lua_State* L) {
  algo::Percentile& percentile = self(L).percentile;
  percentile.observe(number(L));
  return 0;
}

int calculate(lua_State* L) {
  const algo::Percentile& percentile = self(L).percentile;
  return push(L, percentile.calculate(number(L)));
}

int reset(lua_State* L) {
  self(L).percentile.reset();
  return 0;
}

}  // namespace

void bind_percentile(lua_State* L, BindingContext& context) {
  make_class(L, context, metatable, "percentile:",
             {{"observe(value)", &observe}, {"calculate(percent)", &calculate}, {"reset()", &reset}},
             &destroy_userdata<PercentileBox>);
  lua_pop(L, 1);
  add_functions(L, context, "algo.", {{"Percentile(bounds)", &outcome_function<make>}});
}

}  // namespace perilune::script
