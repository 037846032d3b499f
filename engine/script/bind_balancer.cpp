#include <bit>
#include <cmath>
#include <vector>

#include "algo/balancer.hpp"
#include "algo/hash.hpp"
#include "script/bind_algo.hpp"

namespace perilune::script {
namespace {

constexpr const char* metatable = "LoadBalancer";

/// The userdata's environment holds the targets' names, target n at n + 1.
struct BalancerBox {
  static constexpr char tag = 0;
  const void* kind = &tag;
  std::unique_ptr<algo::Balancer> balancer;

  explicit BalancerBox(std::unique_ptr<algo::Balancer> made) : balancer(std::move(made)) {}
};

BalancerBox& self(lua_State* L) { return check_userdata<BalancerBox>(L, 1, "a load balancer"); }

std::optional<uint32_t> weight_at(lua_State* L, int index) {
  const double weight = lua_type(L, index) == LUA_TNUMBER ? lua_tonumber(L, index) : -1;
  if (!(weight >= 0) || weight > algo::Balancer::weight_max || weight != std::floor(weight))
    return std::nullopt;
  return static_cast<uint32_t>(weight);
}

constexpr const char* weight_expectation = "a whole number from 0 to 1000000";

/// Reads the list at stack index 1: names, or { name, weight = n }.
class TargetList {
 public:
  TargetList(lua_State* state, const char* function) : L(state), function_(function) {}
  std::vector<algo::BalancerTarget> targets;

  std::optional<std::string> read() {
    if (!lua_istable(L, 1)) return argument_message(L, 1, "a list of targets");
    const size_t count = lua_objlen(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
      lua_pop(L, 1);
      const double key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
      if (key >= 1 && key <= static_cast<double>(count)) continue;
      return wrong(
          "a map of targets has no order: write a list, { \"a:1\", { \"b:2\", weight = 2 } }; got the key " +
          describe_value(L, -1));
    }
    for (size_t i = 1; i <= count; ++i) {
      lua_rawgeti(L, 1, static_cast<int>(i));
      if (auto problem = read_target(i)) return problem;
      lua_settop(L, 1);
    }
    return std::nullopt;
  }

 private:
  std::string wrong(const std::string& what) { return std::string(function_) + ": " + what; }

  std::optional<std::string> read_target(size_t position) {
    const std::string label = "target " + std::to_string(position);
    uint32_t weight = 1;
    if (lua_istable(L, -1)) {
      lua_pushnil(L);
      while (lua_next(L, -2) != 0) {
        lua_pop(L, 1);
        const bool is_name = lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) == 1;
        if (!is_name && string_at(L, -1) != "weight") {
          static constexpr std::string_view known[] = {"weight"};
          const std::string near = suggestion(string_at(L, -1).value_or(std::string_view()), known);
          return wrong(label + ": unknown key " + describe_value(L, -1) +
                       (near.empty() ? "; a target is { \"host:port\", weight = 2 }" : near));
        }
      }
      lua_getfield(L, -1, "weight");
      if (!lua_isnil(L, -1)) {
        const auto given = weight_at(L, -1);
        if (!given)
          return wrong(label + ": weight expects " + weight_expectation + ", got " + describe_value(L, -1));
        weight = *given;
      }
      lua_rawgeti(L, -2, 1);
    }
    const auto name = string_at(L, -1);
    if (!name || name->empty()) return wrong(label + " expects a string, got " + describe_value(L, -1));
    for (const auto& other : targets)
      if (other.name == *name) return wrong(label + " is there twice: " + describe_value(L, -1));
    targets.push_back({std::string(*name), weight});
    return std::nullopt;
  }

  lua_State* const L;
  const char* const function_;
};

template <typename Balancer>
Outcome make(lua_State* L) {
  lua_settop(L, 1);
  const std::string_view signature = signature_of(L);
  const std::string name(signature.substr(0, signature.find('(')));
  TargetList list(L, name.c_str());
  if (auto wrong = list.read()) return Outcome::error(std::move(*wrong));
  lua_createtable(L, static_cast<int>(list.targets.size()), 0);
  int place = 0;
  for (const auto& target : list.targets) {
    push_text(L, target.name);
    lua_rawseti(L, -2, ++place);
  }
  new_userdata<BalancerBox>(L, metatable, std::make_unique<Balancer>(std::move(list.targets)));
  lua_pushvalue(L, -2);
  lua_setfenv(L, -2);
  return 1;
}

int select(lua_State* L) {
  algo::Balancer& balancer = *self(L).balancer;
  std::optional<uint64_t> key;
  if (const auto text = string_at(L, 2)) key = algo::hash(*text);
  else if (lua_type(L, 2) == LUA_TNUMBER) key = algo::hash(std::bit_cast<uint64_t>(lua_tonumber(L, 2)));
  else if (!lua_isnoneornil(L, 2)) raise_argument(L, 2, "a string, a number or nil");
  const auto chosen = balancer.select(key);
  if (!chosen) {
    lua_pushnil(L);
    return 1;
  }
  lua_getfenv(L, 1);
  lua_rawgeti(L, -1, static_cast<int>(*chosen) + 1);
  return 1;
}

int deselect(lua_State* L) {
  algo::Balancer& balancer = *self(L).balancer;
  const auto name = string_at(L, 2);
  if (!name) raise_argument(L, 2, "a string");
  if (const auto index = balancer.find(*name)) balancer.deselect(*index);
  return 0;
}

int set(lua_State* L) {
  algo::Balancer& balancer = *self(L).balancer;
  const auto name = string_at(L, 2);
  if (!name || name->empty()) raise_argument(L, 2, "a string");
  const auto weight = weight_at(L, 3);
  if (!weight) raise_argument(L, 3, weight_expectation);
  balancer.set(*name, *weight);
  lua_getfenv(L, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, static_cast<int>(*balancer.find(*name)) + 1);
  return 0;
}

}  // namespace

void bind_balancers(lua_State* L, BindingContext& context) {
  make_class(L, context, metatable, "balancer:",
             {{"select(key)", &select}, {"deselect(target)", &deselect}, {"set(target, weight)", &set}},
             &destroy_userdata<BalancerBox>);
  lua_pop(L, 1);
  add_functions(L, context, "algo.",
                {{"RoundRobinLoadBalancer(targets)", &outcome_function<make<algo::RoundRobinBalancer>>},
                 {"LeastWorkLoadBalancer(targets)", &outcome_function<make<algo::LeastWorkBalancer>>},
                 {"HashingLoadBalancer(targets)", &outcome_function<make<algo::HashingBalancer>>}});
}

}  // namespace perilune::script
