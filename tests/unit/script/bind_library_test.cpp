#include "base/log.hpp"
#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

TEST(BindUrl, Parses) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"local u = url.parse('HTTP://ann:pw@Example.org:8080/a%20b?x=1&y=a+b#top') "
           "return u.scheme, u.user, u.password, u.host, u.port, u.path, u.pathname, u.query.y, u.fragment, "
           "u.authority",
           "http | ann | pw | example.org | 8080 | /a%20b?x=1&y=a+b | /a%20b | a b | top | Example.org:8080"},
          {"local u = url.parse('https://example.org') return u.port, u.path, u.pathname, next(u.query), "
           "u.fragment, u.user",
           "443 | / | / | nil | nil | nil"},
          {"local u = url.parse('/only/path?q') return u.scheme, u.host, u.port, u.path",
           "nil | nil | nil | /only/path?q"},
          {"return url.parse('http://[::1]:1/').host", "[::1]"},
          {"return url.parse('http://a b/')", "nil | not a URL: \"http://a b/\": leftover"},
          {"return url.parse('a:[')", "nil | not a URL: \"a:[\": nothing behind the scheme"},
          {"return url.parse('a:?')", "nil | not a URL: \"a:?\": nothing behind the scheme"},
          {"return url.normalize('a:#')", "nil | not a URL: \"a:#\": nothing behind the scheme"},
          {"return url.resolve('a:%', '/b')", "nil | the base is not a whole URL with a scheme: \"a:%\""},
          {"return url.resolve('/b', 'c')", "nil | the base is not a whole URL with a scheme: \"/b\""},
          {"return url.parse('a:b').path, url.parse('a:/').path, url.parse('?:?').path", "b | / | ?:?"},
          {"url.parse(5)", "error: script.lua:1: url.parse: text (argument 1) expects a string, got 5"},
      });
}

TEST(BindUrl, EncodesDecodesAndResolves) {
  LuaLibrary lua;
  expect_all(lua,
             {
                 {"return url.encode('a b/ü~'), url.decode('a%20b%2F+'), url.decode('%4')",
                  "a%20b%2F%C3%BC~ | a b/+ | nil | a \"%\" is not followed by two hex digits"},
                 {"return url.query({ b = 2, a = 'x y', c = { 1, true }, d = 'p&q=r' })",
                  "a=x%20y&b=2&c=1&c=true&d=p%26q%3Dr"},
                 {"return url.query({})", ""},
                 {"url.query({ a = {{}} })",
                  "error: script.lua:1: url.query: \"a\" expects a string, a number, a boolean or a "
                  "list of them, got a table"},
                 {"return url.resolve('http://a/b/c?d', '../e?f')", "http://a/e?f"},
                 {"return url.resolve('/b', 'c')", "nil | the base is not a whole URL with a scheme: \"/b\""},
                 {"return url.normalize('HTTP://A/b/../%7ec')", "http://a/~c"},
                 {"url.encode()",
                  "error: script.lua:1: url.encode: text (argument 1) expects a string, got nothing"},
                 {"url.resolve('a')",
                  "error: script.lua:1: url.resolve: reference (argument 2) expects a string, got nothing"},
             });
}

TEST(BindCodec, BothWaysAndStrict) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"return base64.encode(''), base64.encode('f'), base64.encode('fo'), base64.encode('foo'), "
           "base64.encode('foob')",
           " | Zg== | Zm8= | Zm9v | Zm9vYg=="},
          {"return base64.decode('Zm9vYg=='), base64.decode('Zm9vYg'), base64.decode('')", "foob | foob | "},
          {"return base64.encodeURL('\\251\\255\\254'), base64.encode('\\251\\255\\254'), "
           "base64.encodeURL('f')",
           "-__- | +//+ | Zg"},
          {"return base64.decode('-__-') == base64.decode('+//+'), base64.encode(Data('foo'))",
           "true | Zm9v"},
          {"return base64.decode('Zm9v!')", "nil | base64 of 5 characters cannot be whole"},
          {"return base64.decode('Zm9vZ!==')", "nil | not base64 at character 6"},
          {"return base64.decode('Zh==')", "nil | not base64: bits are left over at the end"},
          {"return base64.decode('Zg===')", "nil | base64 of 5 characters cannot be whole"},
          {"return base64.decode('Z m9v')", "nil | base64 of 5 characters cannot be whole"},
          {"base64.encode(nil)",
           "error: script.lua:1: base64.encode: bytes (argument 1) expects a string or Data, got nil"},
          {"return hex.encode('\\0\\255az'), hex.decode('00fF617A') == '\\0\\255az'", "00ff617a | true"},
          {"return hex.decode('0')", "nil | hex of 1 digits cannot be whole"},
          {"return hex.decode('0g')", "nil | not hex at digit 2"},
      });
}

TEST(BindTime, ClocksAndDates) {
  LuaLibrary lua;
  expect_all(lua,
             {
                 {"return time.now(), time.monotonic(), time.format()",
                  "784111777.5 | 1.5 | Sun, 06 Nov 1994 08:49:37 GMT"},
                 {"return time.format(0), time.format(951782400)",
                  "Thu, 01 Jan 1970 00:00:00 GMT | Tue, 29 Feb 2000 00:00:00 GMT"},
                 {"return time.parse('Sun, 06 Nov 1994 08:49:37 GMT')", "784111777"},
                 {"return time.parse('Sunday, 06-Nov-94 08:49:37 GMT')", "784111777"},
                 {"return time.parse('Sun Nov  6 08:49:37 1994')", "784111777"},
                 {"return time.parse('Sun, 31 Feb 1994 08:49:37 GMT')",
                  "nil | not an HTTP date: \"Sun, 31 Feb 1994 08:49:37 GMT\""},
                 {"return time.parse('Sun, 06 Nov 1994 08:49:37 GMTx')",
                  "nil | not an HTTP date: \"Sun, 06 Nov 1994 08:49:37 GMTx\""},
                 {"return time.format(-1)", "nil | a date is from 1970 to 9999"},
                 {"return time.format(0/0)", "nil | a date is from 1970 to 9999"},
                 {"time.format('now')",
                  "error: script.lua:1: time.format: seconds (argument 1) expects a number, got \"now\""},
             });
}

TEST(BindOs, EnvironmentIsReadThroughTheHost) {
  LuaLibrary lua;
  expect_all(lua, {
                      {"return os.env.HOME, os.env.NOPE", "/home/ann | nil"},
                      {"os.env.X = 1", "error: script.lua:1: os.env can only be read"},
                      {"return os.env[1]", "error: script.lua:1: os.env: a name is a string, got 1"},
                      {"return type(os.time)", "function"},
                  });
}

class CapturedLog {
 public:
  CapturedLog() {
    log::capture([this](std::string_view line) { lines.emplace_back(line); });
  }
  ~CapturedLog() {
    log::capture(nullptr);
    log::set_level(log::Level::Info);
  }
  std::vector<std::string> lines;
};

TEST(BindLog, TextFieldsAndLevels) {
  LuaLibrary lua;
  CapturedLog captured;
  EXPECT_EQ(lua.run("log.info('done', { status = 200, path = '/a b', ok = true, list = {}, msg = Message{ "
                    "path = '/' } })"),
            "");
  lua.run("log.debug('not seen', 5)");
  lua.run("log.warn(5) log.error(nil) log.info('x', nil)");
  lua.run("log.info('two\\nlines\\27[0m', { evil = 'a\\nb' })");
  ASSERT_EQ(captured.lines.size(), 5u);
  EXPECT_EQ(captured.lines[0], "info  done list={} msg=\"GET /\" ok=true path=\"/a b\" status=200");
  EXPECT_EQ(captured.lines[1], "warn  5");
  EXPECT_EQ(captured.lines[2], "error (nil)");
  EXPECT_EQ(captured.lines[3], "info  x");
  EXPECT_EQ(captured.lines[4], "info  two\\nlines\\x1b[0m evil=\"a\\nb\"");
  lua.run("log.info({ a = 1, b = { 'x', true } }, { deep = { a = { 1, 2 } }, fn = print, odd = { print } })");
  EXPECT_EQ(captured.lines.back(),
            "info  {\"a\":1,\"b\":[\"x\",true]} deep=\"{\\\"a\\\":[1,2]}\" fn=(function) odd=(table)");
  log::set_level(log::Level::Debug);
  lua.run("log.debug('seen')");
  EXPECT_EQ(captured.lines.back(), "debug seen");
}

TEST(BindLog, WrongUsesAreNamed) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"log.info()", "error: script.lua:1: log.info: text (argument 1) expects a text, got nothing"},
          {"log.info('x', 5)", "error: script.lua:1: log.info: fields (argument 2) expects a table, got 5"},
          {"log.info('x', { 5 })", "error: script.lua:1: log: names of fields are strings"},
          {"local t = {} for i = 1, 33 do t['k' .. i] = i end log.info('x', t)",
           "error: script.lua:1: log: more than 32 fields"},
      });
}

}  // namespace
}  // namespace perilune::script
