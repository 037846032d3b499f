#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

TEST(BindHeaders, ReadInAnyCaseAndReplace) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  auto& headers = message->head->headers;
  headers.add("Host", "a");
  headers.add("X-Many", "1");
  headers.add("x-many", "2");
  lua.set("req", *message);
  expect_all(
      lua,
      {
          {"return req.headers.host, req.headers.HOST, req.headers['x-many'], req.headers.nope",
           "a | a | 1 | nil"},
          {"return req.headers:get('X-MANY'), table.concat(req.headers:all('x-many'), '+')", "1 | 1+2"},
          {"req.headers:add('X-MANY', 3) return table.concat(req.headers:all('x-many'), '+')", "1+2+3"},
          {"req.headers['x-many'] = ' new ' return table.concat(req.headers:all('x-many'), '+')", "new"},
          {"req.headers['x-many'] = { 'p', 7 } return table.concat(req.headers:all('x-many'), '+')", "p+7"},
          {"req.headers['x-many'] = {} return req.headers['x-many']", "nil"},
          {"req.headers.Host = nil return req.headers.host", "nil"},
          {"req.headers.host = 'b.org' return req.host", "b.org"},
      });
}

TEST(BindHeaders, ThereIsOneHostAndItIsAHost) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  message->head->headers.add("Host", "a");
  lua.set("req", *message);
  const char* const no_host =
      "error: script.lua:1: headers: the value of \"host\" expects a host with or without a port, such as "
      "\"a.com:8080\"";
  const char* const second = "error: script.lua:1: headers: a message has one \"Host\": assign it";
  expect_all(lua, {
                      {"req.headers.host = 'a b'", no_host},
                      {"req.headers.host = '/x'", no_host},
                      {"req.headers.host = ''", no_host},
                      {"req.headers.host = 'a,b'", no_host},
                      {"req.headers.host = 'u@a'", no_host},
                      {"req.headers.host = 'a:65536'", no_host},
                      {"req.headers.host = { 'a\\0' }", no_host},
                      {"req.headers:add('Host', 'b')", second},
                      {"req.headers.Host = { 'a', 'b' }", second},
                      {"Message { path = '/', headers = { Host = { 'a', 'b' } } }",
                       "error: script.lua:1: Message: headers: a message has one \"Host\": assign it"},
                      {"req.headers.host = '[::1]:80' return #req.headers:all('host')", "1"},
                      {"req.headers.host = nil req.headers:add('Host', 'b') return req.host", "b"},
                  });
}

TEST(BindHeaders, EachGoesInOrderAndKeepsCase) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  message->head->headers.add("Host", "a");
  message->head->headers.add("X-Y", "1");
  message->head->headers.add("x-y", "2");
  lua.set("req", *message);
  expect_all(lua, {
                      {"local s = '' for name, value in req.headers:each() do s = s .. name .. '=' .. value "
                       ".. ' ' end return s",
                       "Host=a X-Y=1 x-y=2 "},
                  });
  // The library's own pairs looks for this.
  ASSERT_EQ(luaL_loadstring(lua.L, "return req.headers"), 0);
  lua_call(lua.L, 0, 1);
  ASSERT_TRUE(luaL_getmetafield(lua.L, -1, "__pairs"));
  lua_insert(lua.L, -2);
  lua_call(lua.L, 1, 1);
  lua_call(lua.L, 0, 2);
  EXPECT_EQ(string_at(lua.L, -2), "Host");
  EXPECT_EQ(string_at(lua.L, -1), "a");
}

TEST(BindHeaders, ATableOfHeadersIsSentInTheOrderOfNames) {
  LuaLibrary lua;
  expect_all(lua,
             {
                 {"local m = Message { headers = { b = 1, a = 'x', ['set-cookie'] = { 'p=1', 'q=2' }, Z = "
                  "true and 3 } }"
                  "local s = '' for n, v in m.headers:each() do s = s .. n .. '=' .. v .. ' ' end return s",
                  "Z=3 a=x b=1 set-cookie=p=1 set-cookie=q=2 "},
             });
}

TEST(BindHeaders, WhatWouldBreakTheWireIsRefused) {
  LuaLibrary lua;
  lua.run("h = Message{}.headers");
  const char* control =
      "error: script.lua:1: headers: the value of \"a\" holds CR, LF, NUL or another control character";
  expect_all(
      lua,
      {
          {"h.a = 'x\\r\\ny: z'", control},
          {"h.a = 'x\\ny'", control},
          {"h.a = 'x\\0y'", control},
          {"h.a = 'x\\127'", control},
          {"h:add('a', '\\27')", control},
          {"h.a = { 'ok', 'x\\ry' }", control},
          {"return h.a", "nil"},
          {"h['a b'] = 'x'",
           "error: script.lua:1: headers: a name holds a character that names may not have"},
          {"h['a:'] = 'x'", "error: script.lua:1: headers: a name holds a character that names may not have"},
          {"h['a\\r\\nb'] = 'x'",
           "error: script.lua:1: headers: a name holds a character that names may not have"},
          {"h[''] = 'x'", "error: script.lua:1: headers: a name is empty"},
          {"h[1] = 'x'", "error: script.lua:1: a header name is a string, got 1"},
          {"h.a = true",
           "error: script.lua:1: headers: the value of \"a\" expects a string, a number or a list of them, "
           "got true"},
          {"h.a = { {} }",
           "error: script.lua:1: headers: the value of \"a\" expects a string, a number or a list of them, "
           "got a table"},
          {"h:add('a')",
           "error: script.lua:1: headers:add: value (argument 2) expects a string or a number, got nothing"},
          {"h:get(5)", "error: script.lua:1: headers:get: name (argument 1) expects a string, got 5"},
          {"Message { headers = { a = 'x\\ny' } }",
           "error: script.lua:1: Message: headers: the value of \"a\" holds CR, LF, NUL or another control "
           "character"},
      });
}

TEST(BindHeaders, FramingAndHopByHopFieldsBelongToTheEngine) {
  LuaLibrary lua;
  lua.run("m = Message 'hello' h = m.headers");
  expect_all(lua, {
                      {"h['Content-Length'] = 3",
                       "error: script.lua:1: headers: \"Content-Length\" cannot be set: framing follows the "
                       "body by itself"},
                      {"h['transfer-encoding'] = 'chunked'",
                       "error: script.lua:1: headers: \"transfer-encoding\" cannot be set: framing follows "
                       "the body by itself"},
                      {"h.connection = 'close'",
                       "error: script.lua:1: headers: \"connection\" cannot be set: it belongs to one "
                       "connection, and the engine writes it"},
                      {"h.upgrade = 'websocket'",
                       "error: script.lua:1: headers: \"upgrade\" cannot be set: it belongs to one "
                       "connection, and the engine writes it"},
                      {"return h['content-length']", "5"},
                      {"h['content-length'] = nil return h['content-length']", "5"},
                  });
  const auto message = wire_request("GET", "/");
  message->head->upgrade = "websocket";
  message->head->headers.add("Content-Length", "7");
  lua.set("req", *message);
  expect_all(lua, {{"return req.headers.upgrade", "websocket"},
                   {"req.headers.upgrade = nil return req.headers.upgrade", "nil"},
                   {"req.headers['content-length'] = nil return req.headers['content-length']", "7"}});
  EXPECT_EQ(message->head->upgrade, "");
}

TEST(BindHeaders, TrailersThatAreGoneSaySo) {
  LuaLibrary lua;
  expect_all(lua, {
                      {"local m = Message { body = 'x', trailers = { sum = 1 } } local t = m.trailers m.body "
                       "= 'y' return t.sum",
                       "error: script.lua:1: these trailers are gone: the body was replaced"},
                  });
}

TEST(BindHeaders, QueryIsDecodedAndBounded) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/?a=1&b=x+y%21&a=2&c&=d&%zz=%4&e=f=g");
  lua.set("req", *message);
  expect_all(lua, {
                      {"local q = req.query return q.a, q.b, q.c, q[''], q['%zz'], q.e",
                       "1 | x y! |  | d | %4 | f=g"},
                      {"return rawequal(req.query, req.query)", "true"},
                      {"req.path = '/?z=9' return req.query.a, req.query.z", "nil | 9"},
                      {"req.path = '/' return next(req.query)", "nil"},
                      {"req.path = '/?' .. ('k=1&'):rep(300) return req.query.k", "1"},
                      {"local t = {} for i = 1, 300 do t[i] = 'k' .. i .. '=1' end req.path = '/?' .. "
                       "table.concat(t, '&')"
                       "local n = 0 for _ in pairs(req.query) do n = n + 1 end return n",
                       "256"},
                  });
}

TEST(BindHeaders, CookiesAreReadAndSet) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  message->head->headers.add("Cookie", "a=1; b=\"two\"; junk; a=3");
  message->head->headers.add("Cookie", "c=x%20y; =z");
  lua.set("req", *message);
  expect_all(
      lua,
      {
          {"local c = req.cookies return c.a, c.b, c.c, c.junk, c['']", "1 | two | x y | nil | nil"},
          {"req.headers.cookie = 'n=1' return req.cookies.a, req.cookies.n", "nil | 1"},
          {"local m = Message{} m:setCookie('sid', 'a b;c', { path = '/', maxAge = '1h', domain = 'x.org', "
           "secure = true,"
           "httpOnly = true, sameSite = 'lax', expires = 784111777 }) return m.headers['set-cookie']",
           "sid=a%20b%3Bc; Path=/; Domain=x.org; Max-Age=3600; Expires=Sun, 06 Nov 1994 08:49:37 GMT; "
           "Secure; HttpOnly; "
           "SameSite=Lax"},
          {"local m = Message{} m:setCookie('a', '1') m:setCookie('b', '2', { maxAge = 0, secure = false })"
           "return table.concat(m.headers:all('set-cookie'), ' / ')",
           "a=1 / b=2; Max-Age=0"},
          {"Message{}:setCookie('a', '1', { maxage = 1 })",
           "error: script.lua:1: message:setCookie: unknown option \"maxage\"; did you mean \"maxAge\"?"},
          {"Message{}:setCookie('a b', '1')",
           "error: script.lua:1: message:setCookie: name expects a token, got \"a b\""},
          {"Message{}:setCookie('a', 'x\\ny')",
           "error: script.lua:1: message:setCookie: value holds CR, LF, NUL or another control character"},
          {"Message{}:setCookie('a', '1', { path = '/;x' })",
           "error: script.lua:1: message:setCookie: path expects a string without \";\" and control "
           "characters, got "
           "\"/;x\""},
          {"Message{}:setCookie('a', '1', { sameSite = 'Loose' })",
           "error: script.lua:1: message:setCookie: sameSite expects \"Strict\", \"Lax\" or \"None\", got "
           "\"Loose\""},
          {"Message{}:setCookie('a', '1', { expires = 'soon' })",
           "error: script.lua:1: message:setCookie: expires expects a time in seconds, as time.now() gives "
           "it, got "
           "\"soon\""},
          {"Message{}:setCookie('a', '1', { maxAge = 'soon' })",
           "error: script.lua:1: message:setCookie: maxAge expects a number of seconds or \"1h\", got "
           "\"soon\""},
          {"req:setCookie('a', '1')",
           "error: script.lua:1: message:setCookie is for responses; this is a request"},
      });
}

}  // namespace
}  // namespace perilune::script
