#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

TEST(BindRouter, FindsValuesOfAnyType) {
  LuaLibrary lua;
  lua.run(
      "t = {} f = function() end r = algo.URLRouter { ['/*'] = 'root', ['/hi/*'] = t, ['a.org/x'] = f,"
      "['/no'] = false, ['/n'] = 5 }");
  expect_all(lua, {
                      {"return r:find(nil, '/')", "root |  | /*"},
                      {"local v, rest, pattern = r:find('b.org', '/hi/a/b?c') return v == t, rest, pattern",
                       "true | a/b | /hi/*"},
                      {"local v, rest, pattern = r:find('A.org:80', '/x') return v == f, rest, pattern",
                       "true |  | a.org/x"},
                      {"return r:find(nil, '/no')", "false |  | /no"},
                      {"return r:find(nil, '/n')", "5 |  | /n"},
                      {"return algo.URLRouter():find(nil, '/')", "nil"},
                      {"r:add('/new', 'n') return r:find(nil, '/new')", "n |  | /new"},
                      {"r:add('/new', 'm') return (r:find(nil, '/new'))", "m"},
                  });
  lua.collect();
  EXPECT_EQ(lua.run("local v = r:find(nil, '/hi') return v == t"), "true");
}

TEST(BindRouter, WrongUsesAreNamed) {
  LuaLibrary lua;
  lua.run("r = algo.URLRouter {}");
  expect_all(
      lua,
      {
          {"algo.URLRouter(5)",
           "error: script.lua:1: algo.URLRouter: routes (argument 1) expects a table, got 5"},
          {"algo.URLRouter { '/a' }", "error: script.lua:1: algo.URLRouter: patterns are strings, got 1"},
          {"r:find('a')",
           "error: script.lua:1: router:find: path (argument 2) expects a string, got nothing"},
          {"r:find({}, '/')",
           "error: script.lua:1: router:find: host (argument 1) expects a string or nil, got a table"},
          {"r.find('a', '/')",
           "error: script.lua:1: router:find: called with '.'? Use ':'; the receiver expects a URLRouter, "
           "got \"a\""},
          {"r:add('/a')", "error: script.lua:1: router:add: value (argument 2) expects a value, got nothing"},
          {"r:add(5, 5)", "error: script.lua:1: router:add: pattern (argument 1) expects a string, got 5"},
      });
  const std::string error = lua.run("algo.URLRouter { ['/a/*/b'] = 1 }");
  EXPECT_TRUE(error.starts_with("error: script.lua:1: algo.URLRouter: ")) << error;
  EXPECT_NE(error.find("/a/*/b"), std::string::npos) << error;
}

TEST(BindRouter, OfTwoPatternsThatClashTheSecondByNameIsToldOf) {
  LuaLibrary lua;
  for (char letter = 'A'; letter <= 'P'; ++letter) {
    char code[128];
    std::snprintf(code, sizeof code, "algo.URLRouter { ['/x%c'] = 1, ['/x%%%02X'] = 2 }", letter, letter);
    const std::string error = lua.run(code);
    EXPECT_NE(error.find(std::string("the pattern \"/x") + letter), std::string::npos)
        << code << ": " << error;
  }
}

TEST(BindBalancer, SelectsInItsWay) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"local b = algo.RoundRobinLoadBalancer { 'a:1', { 'b:2', weight = 2 } } local s = '' "
           "for i = 1, 6 do s = s .. b:select() .. ' ' end return s",
           "b:2 a:1 b:2 b:2 a:1 b:2 "},
          {"local b = algo.LeastWorkLoadBalancer { 'a', 'b' } local x, y = b:select(), b:select() "
           "b:deselect('a')"
           "return x, y, b:select()",
           "a | b | a"},
          {"local b = algo.HashingLoadBalancer { 'a', 'b', 'c' } return b:select('k') == b:select('k'), "
           "b:select(5) == b:select(5)",
           "true | true"},
          {"local b = algo.RoundRobinLoadBalancer { 'a' } b:set('a', 0) local none = b:select() b:set('z', 1)"
           "return none, b:select()",
           "nil | z"},
          {"local b = algo.LeastWorkLoadBalancer {} b:deselect('x') return b:select()", "nil"},
      });
}

TEST(BindBalancer, WrongTargetsAreNamed) {
  LuaLibrary lua;
  const std::string front = "error: script.lua:1: algo.RoundRobinLoadBalancer: ";
  expect_all(
      lua,
      {
          {"algo.RoundRobinLoadBalancer()",
           (front + "targets (argument 1) expects a list of targets, got nil").c_str()},
          {"algo.RoundRobinLoadBalancer { a = 1 }",
           (front + "a map of targets has no order: write a list, { \"a:1\", { \"b:2\", weight = 2 } }; got "
                    "the key \"a\"")
               .c_str()},
          {"algo.RoundRobinLoadBalancer { 'a', 5 }", (front + "target 2 expects a string, got 5").c_str()},
          {"algo.RoundRobinLoadBalancer { 'a', 'a' }", (front + "target 2 is there twice: \"a\"").c_str()},
          {"algo.RoundRobinLoadBalancer { { 'a', wieght = 1 } }",
           (front + "target 1: unknown key \"wieght\"; did you mean \"weight\"?").c_str()},
          {"algo.RoundRobinLoadBalancer { { 'a', weight = 1.5 } }",
           (front + "target 1: weight expects a whole number from 0 to 1000000, got 1.5").c_str()},
          {"algo.RoundRobinLoadBalancer { 'a' }:select({})",
           "error: script.lua:1: balancer:select: key (argument 1) expects a string, a number or nil, got a "
           "table"},
          {"algo.RoundRobinLoadBalancer { 'a' }:set('a', -1)",
           "error: script.lua:1: balancer:set: weight (argument 2) expects a whole number from 0 to 1000000, "
           "got -1"},
      });
}

TEST(BindPercentile, ObservesAndCalculates) {
  LuaLibrary lua;
  expect_all(
      lua, {
               {"local p = algo.Percentile { 10, 20 } local none = p:calculate(50) for i = 1, 10 do "
                "p:observe(15) end "
                "return none, p:calculate(50)",
                "nil | 15"},
               {"local p = algo.Percentile { 10 } p:observe(1) p:reset() return p:calculate(1)", "nil"},
               {"algo.Percentile(5)",
                "error: script.lua:1: algo.Percentile: bounds (argument 1) expects a list of numbers, got 5"},
               {"algo.Percentile { 1, 'x' }",
                "error: script.lua:1: algo.Percentile: bound 2 expects a number, got \"x\""},
               {"algo.Percentile { 1 }:observe('x')",
                "error: script.lua:1: percentile:observe: value (argument 1) expects a number, got \"x\""},
           });
  EXPECT_TRUE(lua.run("algo.Percentile { 2, 1 }").starts_with("error: script.lua:1: algo.Percentile: "));
}

TEST(BindAlgo, HashAndUuid) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"return algo.hash('a') == algo.hash('a'), algo.hash('a') == algo.hash('b'), algo.hash(1) == "
           "algo.hash(2)",
           "true | false | false"},
          {"local h = algo.hash('x') return h == math.floor(h) and h >= 0 and h < 2^53", "true"},
          {"algo.hash({})",
           "error: script.lua:1: algo.hash: value (argument 1) expects a string or a number, got a table"},
          {"local a, b = algo.uuid(), algo.uuid() return a ~= b, (a:gsub('%x', 'x')), a:sub(15, 15), "
           "(a:sub(20, 20):find('[89ab]'))",
           "true | xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx | 4 | 1"},
      });
}

}  // namespace
}  // namespace perilune::script
