#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

const char* const over =
    "error: script.lua:1: this message is over: copy what you need while its exchange lasts";

/// What a message of the engine says through FFI, and one that a script made without it, is the same.
TEST(MessageAccess, SaysWhatTheOtherWaySays) {
  LuaLibrary lua;
  const auto message = wire_request("PUT", "/a/b?c=%20d");
  auto& headers = message->head->headers;
  headers.add("Host", "Example.COM:8080");
  headers.add("X-Many", "1");
  headers.add("x-many", "2");
  headers.add("Empty", "");
  lua.set("req", *message);
  ASSERT_EQ(
      lua.run("made = Message { method = 'PUT', path = '/a/b?c=%20d', headers = { Host = 'Example.COM:8080', "
              "['X-Many'] = { 1, 2 }, Empty = '' } }"),
      "");
  for (const char* const what : {"method",
                                 "path",
                                 "pathname",
                                 "host",
                                 "authority",
                                 "scheme",
                                 "protocol",
                                 "originalPath",
                                 "status",
                                 "reason",
                                 "trailers",
                                 "headers.host",
                                 "headers.HOST",
                                 "headers['x-many']",
                                 "headers.empty",
                                 "headers['content-length']",
                                 "headers.upgrade",
                                 "headers.nope",
                                 "headers['']",
                                 "headers['no name']",
                                 "headers.slot",
                                 "headers:get('host')",
                                 "headers:get('all')",
                                 "headers:all('X-MANY')[2]"}) {
    const std::string read = "local text = '' for i = 1, 5 do text = text .. tostring((%s." +
                             std::string(what) + ")) end return text";
    const auto of = [&](const std::string& name) {
      std::string code = read;
      return lua.run(code.replace(code.find("%s"), 2, name));
    };
    EXPECT_EQ(of("req"), of("made")) << what;
  }
}

TEST(MessageAccess, OfAResponseTheStatus) {
  LuaLibrary lua;
  auto head = message::ResponseHead::make();
  head->status = 204;
  const auto message = flow::Message::of(std::move(head));
  lua.set("res", *message);
  expect_all(lua, {
                      {"return res.status, res.method, res.path, res.host", "204 | nil | nil | nil"},
                      {"res.status = 404 return res.status, res.reason", "404 | Not Found"},
                  });
}

TEST(MessageAccess, HeadersAreSetAndWhatIsWrongIsSaid) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  message->head->headers.add("X-A", "old");
  message->head->body = {message::BodyKind::Length, 5};
  lua.set("req", *message);
  expect_all(
      lua,
      {
          {"for i = 1, 3 do req.headers['x-a'] = ' new' .. i .. ' ' end return req.headers['X-A']", "new3"},
          {"req.headers.n = 5 return req.headers.n", "5"},
          {"for i = 1, 3 do req.headers.n = nil end return req.headers.n", "nil"},
          {"return req.headers['content-length'], req.headers['Content-Length']", "5 | 5"},
          {"req.headers.a = 'x\\r\\ny: z'",
           "error: script.lua:1: headers: the value of \"a\" holds CR, LF, NUL or another control character"},
          {"req.headers['a b'] = 'x'",
           "error: script.lua:1: headers: a name holds a character that names may not have"},
          {"req.headers['content-length'] = '9'",
           "error: script.lua:1: headers: \"content-length\" cannot be set: framing follows the body by "
           "itself"},
          {"req.headers.connection = 'close'",
           "error: script.lua:1: headers: \"connection\" cannot be set: it belongs to one connection, and "
           "the "
           "engine writes it"},
          {"req.headers[1] = 'x'", "error: script.lua:1: a header name is a string, got 1"},
          {"return req.headers[1]", "error: script.lua:1: a header name is a string"},
          {"return req.headers[nil]", "error: script.lua:1: a header name is a string"},
          {"req.headers.t = true",
           "error: script.lua:1: headers: the value of \"t\" expects a string, a number or a list of them, "
           "got true"},
      });
  message->is_read_only = true;
  EXPECT_TRUE(lua.run("req.headers.a = 'x'").starts_with("error: script.lua:1: this message is read-only"));
}

TEST(MessageAccess, AHandleIsAValue) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  const auto other = wire_request("GET", "/");
  message->head->headers.add("a", "1");
  lua.set("req", *message);
  lua.set("other", *other);
  expect_all(lua, {
                      {"return req.headers == req.headers, req.headers == other.headers, req.headers == 5",
                       "true | false | false"},
                      {"return tostring(req.headers)", "headers"},
                      {"json.encode(req.headers)", "error: script.lua:1: json.encode: the value is headers"},
                      {"for name, value in req.headers:each() do return name, value end", "a | 1"},
                      {"local get = req.headers.get local ok, why = pcall(get, 5, 'a') return "
                       "get(req.headers, 'a'), ok, why",
                       "1 | false | script.lua:1: headers:get: called with '.'? Use ':'; the receiver "
                       "expects headers, got 5"},
                      {"local ok, why = pcall(req.headers.get, req, 'a') return ok, why",
                       "false | script.lua:1: headers:get: called with '.'? Use ':'; the receiver expects "
                       "headers, got a Message"},
                  });
}

/// A place is used again and again; who kept a handle must not see who has it now.
TEST(MessageAccess, AHandleThatWasKeptIsOverWithItsMessage) {
  LuaLibrary lua;
  for (int i = 0; i < 3; ++i) {
    const auto message = wire_request("GET", "/");
    message->head->headers.add("who", std::to_string(i));
    lua.set("req", *message);
    EXPECT_EQ(lua.run("kept = kept or req.headers return req.headers.who"), std::to_string(i));
    if (i == 0) continue;
    for (const char* const code :
         {"return kept.who", "kept.who = 'x'", "kept.who = nil", "return (kept:get('who'))",
          "return (kept:all('who'))", "kept:add('a', 'b')", "for name in kept:each() do end"})
      EXPECT_EQ(lua.run(code), over) << code;
    EXPECT_EQ(lua.run("return kept == req.headers, tostring(kept)"), "false | headers");
    EXPECT_EQ(message->head->headers.find("who"), std::to_string(i));
  }
  for (const char* const code :
       {"return req.headers", "return req.path", "return req.status", "return req.nope"})
    EXPECT_TRUE(lua.run(code).starts_with("error: script.lua:1: ")) << code;
}

TEST(MessageAccess, NobodyForgesAHandle) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/");
  lua.set("req", *message);
  for (const char* const code :
       {"req.headers['slot\\255'] = 7", "req.headers['generation\\255'] = 7", "req.headers[0] = 7"})
    EXPECT_TRUE(lua.run(code).starts_with("error: ")) << code;
  EXPECT_EQ(lua.run("return req.headers['slot\\255'], req.headers['generation\\255']"), "nil | nil");
  EXPECT_EQ(lua.run("return getmetatable(req.headers)"), "ffi");
}

TEST(RouterAccess, FindsWhatItFoundBefore) {
  LuaLibrary lua;
  ASSERT_EQ(lua.run("r = algo.URLRouter { ['/*'] = 'all', ['/hi/*'] = 'hi', ['a.org/x'] = 'x' }"), "");
  expect_all(lua,
             {
                 {"for i = 1, 5 do value, rest, pattern = r:find('b.org', '/hi/a/b') end return value, rest, "
                  "pattern",
                  "hi | a/b | /hi/*"},
                 {"for i = 1, 5 do value, rest = r:find('A.org', '/x') end return value, rest", "x | "},
                 {"return r:find(nil, '*')", "nil"},
                 {"r:add('/new', 5) return r:find(nil, '/new')", "5 |  | /new"},
                 {"r:add('/hi/*', 'other') return (r:find(nil, '/hi/x'))", "other"},
                 {"local many = {} for i = 1, 200 do many[i] = algo.URLRouter { ['/' .. i] = i } end "
                  "local sum = 0 for i = 1, 200 do sum = sum + many[i]:find(nil, '/' .. i) end return sum",
                  "20100"},
             });
}

TEST(RouterAccess, RefusesWhatIsWrongAlsoWhereItIsCompiled) {
  LuaLibrary lua;
  ASSERT_EQ(
      lua.run("r = algo.URLRouter { ['/*'] = 'all' } find = r.find for i = 1, 5 do find(r, nil, '/') end"),
      "");
  expect_all(
      lua,
      {
          {"find(r, nil, nil)",
           "error: script.lua:1: router:find: path (argument 2) expects a string, got nil"},
          {"find(r, 5, '/')",
           "error: script.lua:1: router:find: host (argument 1) expects a string or nil, got 5"},
          {"find(r, nil, 5)", "error: script.lua:1: router:find: path (argument 2) expects a string, got 5"},
          {"local ok, why = pcall(find) return ok, why",
           "false | script.lua:1: router:find: called with '.'? Use ':'; the receiver expects a URLRouter, "
           "got nothing"},
          {"find({}, nil, '/')",
           "error: script.lua:1: router:find: called with '.'? Use ':'; the receiver expects a URLRouter, "
           "got a table"},
          {"find(Message { path = '/' }, nil, '/')",
           "error: script.lua:1: router:find: called with '.'? Use ':'; the receiver expects a URLRouter, "
           "got a Message"},
          {"find(json.null, nil, '/')",
           "error: script.lua:1: router:find: called with '.'? Use ':'; the receiver expects a URLRouter, "
           "got json.null"},
      });
}

}  // namespace
}  // namespace perilune::script
