#include "script_world.hpp"

namespace perilune::script {
namespace {

class SharedTest : public ScriptTest {
 protected:
  std::string run(const std::string& body) {
    return world.result("local d = shared('d', { size = '1m' })\nhook('f', function() " + body + " end)");
  }
};

TEST_F(SharedTest, KeepsEachKindOfValue) {
  EXPECT_EQ(
      run("d:set('n', 1.5) d:set('s', 'a\\0b') d:set('t', true) d:set('f', false) "
          "return table.concat({d:get('n') + 1, #d:get('s'), tostring(d:get('t')), tostring(d:get('f')), "
          "tostring(d:get('x'))}, ' ')"),
      "2.5 3 true false nil");
}

TEST_F(SharedTest, ATableIsACopy) {
  EXPECT_EQ(run("local t = { 1, { x = 'y' } } d:set('t', t) t[2].x = 'z' local a, b = d:get('t'), d:get('t') "
                "a[1] = 9 return b[1] .. b[2].x"),
            "1y");
}

TEST_F(SharedTest, AMessageComesBackWhole) {
  EXPECT_EQ(
      run("local m = Message { status = 404, headers = { ['X-A'] = {'1', '2'}, etag = 'e' }, body = 'gone' } "
          "d:set('m', m) local c = d:get('m') "
          "return c.status .. ' ' .. table.concat(c.headers:all('x-a'), '+') .. ' ' .. c.headers.etag .. ' ' "
          ".. c.body"),
      "404 1+2 e gone");
  EXPECT_EQ(run("d:set('m', Message { method = 'POST', path = '/a?b' }) local c = d:get('m') return c.method "
                ".. c.path"),
            "POST/a?b");
}

TEST_F(SharedTest, SaysHowLongAValueIsFresh) {
  ASSERT_EQ(run("d:set('a', 'x', { ttl = '10s', stale = 5 }) d:set('b', 'y') return select(2, d:get('b')) == "
                "math.huge"),
            "true");
  EXPECT_EQ(world.load("local d = shared 'd'; hook('get', function() local v, left = d:get('a') return "
                       "tostring(v) .. tostring(left) end)"),
            "");
  EXPECT_EQ(world.outcome("get"), "x10");
  world.advance(14s);
  EXPECT_EQ(world.outcome("get"), "x-4");
  world.advance(1s);
  EXPECT_EQ(world.outcome("get"), "nilnil");
}

TEST_F(SharedTest, AddsCountsAndRemoves) {
  EXPECT_EQ(run("return tostring(d:add('l', 1)) .. tostring(d:add('l', 2)) .. d:get('l') .. d:incr('l') .. "
                "d:incr('l', -5) .. "
                "d:incr('new', 3) .. tostring(d:remove('l')) .. tostring(d:remove('l')) .. #d:keys()"),
            "truefalse12-33truefalse1");
}

TEST_F(SharedTest, AValueThatIsTooLargeIsAnError) {
  EXPECT_EQ(run("local ok, err = d:set('a', ('x'):rep(100000)) return tostring(ok) .. ' ' .. err.code"),
            "nil overflow");
}

TEST_F(SharedTest, OneNameIsOneDictionaryAndOutlivesTheScript) {
  ASSERT_EQ(run("shared('d'):set('a', 'x') return d:get('a')"), "x");
  world.start();
  EXPECT_EQ(
      world.result("hook('f', function() return shared('d'):get('a') .. tostring(shared('e'):get('a')) end)"),
      "xnil");
}

TEST_F(SharedTest, ASizeHoldsOnceTheScriptServes) {
  ASSERT_EQ(run("for i = 1, 100 do d:set('k' .. i, ('x'):rep(1000)) end return #d:keys()"), "100");
  world.start();
  ASSERT_EQ(world.load("shared('d', { size = '64k' }) hook('f', function() return #shared('d'):keys() end)"),
            "");
  EXPECT_EQ(world.outcome("f"), "100") << "it may yet be found wrong";
  world.interpreter->start();
  EXPECT_LT(std::stoi(world.outcome("f")), 64);
}

struct Mistake {
  const char* body;
  const char* sentence;
};

class SharedMistakes : public testing::TestWithParam<Mistake> {
 protected:
  ScriptWorld world;
};

TEST_P(SharedMistakes, AreSaid) {
  EXPECT_EQ(
      world.result("local d = shared 'd'\nhook('f', function() " + std::string(GetParam().body) + " end)"),
      "failed: main.lua:2: " + std::string(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    All, SharedMistakes,
    testing::Values(
        Mistake{"d:gett('a')",
                "a shared dictionary has no \"gett\"; did you mean \"get\"?; values are read by get(key)"},
        Mistake{"d.x = 1", "a shared dictionary is written by set(key, value), not by .x = …"},
        Mistake{"d.get('a')", "shared:get: write dictionary:get(…), with a colon"},
        Mistake{"d:get(1)", "shared:get: argument 1 (key) expects a string, got 1"},
        Mistake{"d:set('a', print)",
                "shared:set: argument 2 (value) expects a boolean, a number, a string, a Message or a table "
                "of plain data, got a function"},
        Mistake{"d:set('a', 1, { tll = 1 })", "shared:set: unknown option \"tll\"; did you mean \"ttl\"?"},
        Mistake{"d:set('a', 1, { ttl = 0 })", "shared:set: option \"ttl\" expects a time above 0, got 0"},
        Mistake{"d:set('a', 'x') d:incr('a')", "shared:incr: the value of \"a\" is no number"},
        Mistake{"d:incr('a', 'x')", "shared:incr: argument 2 (by) expects a number, got \"x\""},
        Mistake{"d:keys(-1)", "shared:keys: argument 1 (limit) expects a whole number of at least 0, got -1"},
        Mistake{"shared('a', { size = 5 })",
                "shared: option \"size\" expects bytes or \"64m\", at least \"64k\", got 5"},
        Mistake{"shared(5)", "shared: argument 1 (name) expects a name, got 5"}));

}  // namespace
}  // namespace perilune::script
