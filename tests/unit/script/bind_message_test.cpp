#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

TEST(BindMessage, TheTableDecidesBetweenRequestAndResponse) {
  LuaLibrary lua;
  expect_all(lua, {
                      {"return Message { method = 'PUT', path = '/a?b=1' }", "PUT /a?b=1"},
                      {"return Message { path = '/a' }", "GET /a"},
                      {"return Message { method = 'POST' }", "POST /"},
                      {"return Message { status = 404 }", "response 404"},
                      {"return Message {}", "response 200"},
                      {"return Message()", "response 200"},
                      {"local m = Message 'hello' return m.status, m.body, m.reason", "200 | hello | OK"},
                      {"local m = Message { status = 404, reason = 'Gone Fishing' } return m.reason",
                       "Gone Fishing"},
                      {"local m = Message { json = { a = 1 } } return m.body, m.headers['content-type']",
                       "{\"a\":1} | application/json"},
                      {"local m = Message { json = {}, headers = { ['Content-Type'] = 'application/x' } }"
                       "return m.headers['content-type'], #m.headers:all('content-type')",
                       "application/x | 1"},
                      {"local m = Message { path = '/', scheme = 'https' } return m.scheme", "https"},
                      {"return Message { body = Data('abc') }.body", "abc"},
                      {"return Message { trailers = { sum = 'x' } }.trailers.sum", "x"},
                  });
}

TEST(BindMessage, AWrongTableIsAnErrorThatNamesTheWord) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"Message { stauts = 1 }",
           "error: script.lua:1: Message: unknown key \"stauts\"; did you mean \"status\"?"},
          {"Message { 'text' }", "error: script.lua:1: Message: keys are strings, got 1"},
          {"Message { status = 200, path = '/' }",
           "error: script.lua:1: Message: method and path make a request, status makes a response; this has "
           "both"},
          {"Message { status = 'ok' }",
           "error: script.lua:1: Message: status expects a whole number from 200 to 599, got \"ok\""},
          {"Message { status = 100 }",
           "error: script.lua:1: Message: status expects a whole number from 200 to 599, got 100"},
          {"Message { status = 200.5 }",
           "error: script.lua:1: Message: status expects a whole number from 200 to 599, got 200.5"},
          {"Message { path = 1 }", "error: script.lua:1: Message: path expects a string, got 1"},
          {"Message { path = 'x' }",
           "error: script.lua:1: Message: path begins with \"/\" (or is \"*\", a whole URL, or host:port for "
           "CONNECT), got \"x\""},
          {"Message { path = '/a b' }",
           "error: script.lua:1: Message: path holds a space, \"#\", control character or byte above "
           "0x7e: encode it (url.encode)"},
          {"Message { path = '/a\\r\\nx: y' }",
           "error: script.lua:1: Message: path holds a space, \"#\", control character or byte above "
           "0x7e: encode it (url.encode)"},
          {"Message { method = 'GET /', path = '/' }",
           "error: script.lua:1: Message: method expects a token such as \"GET\", got one with a space, "
           "control or other "
           "character"},
          {"Message { status = 200, reason = 'a\\nb' }",
           "error: script.lua:1: Message: reason holds CR, LF, NUL or another control character"},
          {"Message { body = 5 }",
           "error: script.lua:1: Message: body expects a string, a Data or a function that gives pieces, got "
           "5"},
          {"Message { body = 'a', json = 1 }",
           "error: script.lua:1: Message: json is the body; this has a body too"},
          {"Message { json = print }", "error: script.lua:1: Message: json.encode: the value is a function"},
          {"Message { path = '/', reason = 'x' }", "error: script.lua:1: Message: a request has no reason"},
          {"Message { scheme = 'http' }", "error: script.lua:1: Message: a response has no scheme"},
          {"Message { path = '/', scheme = 'ftp' }",
           "error: script.lua:1: Message: scheme expects \"http\" or \"https\", got \"ftp\""},
          {"Message { headers = 'x' }", "error: script.lua:1: Message: headers expects a table, got \"x\""},
          {"Message(5)",
           "error: script.lua:1: Message: what (argument 1) expects a table, a string or a Data, got 5"},
      });
}

TEST(BindMessage, FieldsOfARequest) {
  LuaLibrary lua;
  const auto message = wire_request("GET", "/a/b?x=1&y=%20z");
  message->head->headers.add("Host", "Example.ORG:8080");
  message->head->version = message::Version::Http10;
  message->body_size = 17;
  lua.set("req", *message);
  expect_all(lua,
             {
                 {"return req.method, req.path, req.pathname", "GET | /a/b?x=1&y=%20z | /a/b"},
                 {"return req.host, req.authority, req.scheme", "example.org | Example.ORG:8080 | http"},
                 {"return req.protocol, req.originalPath, req.bodySize", "HTTP/1.0 | /a/b?x=1&y=%20z | 17"},
                 {"return req.status, req.reason, req.error, req.trailers", "nil | nil | nil | nil"},
                 {"req.path = '/c' return req.path, req.originalPath", "/c | /a/b?x=1&y=%20z"},
                 {"req.path = '/d' return req.path, req.originalPath", "/d | /a/b?x=1&y=%20z"},
                 {"req.method = 'POST' return req.method", "POST"},
                 {"return req == req, rawequal(req, req), req.headers == req.headers", "true | true | true"},
             });
}

TEST(BindMessage, FieldsOfAResponse) {
  LuaLibrary lua;
  auto head =
      message::ResponseHead::of_error({ErrorCode::ConnectFailure, Side::Upstream, "10.0.0.1:80: refused"});
  const auto message = flow::Message::of(std::move(head));
  lua.set("res", *message);
  expect_all(lua, {
                      {"return res.status, res.reason, res.method, res.path, res.host",
                       "502 | Bad Gateway | nil | nil | nil"},
                      {"return res.error.code, res.error.side, res.error.detail",
                       "connect-failure | upstream | 10.0.0.1:80: refused"},
                      {"return res.error, 'x ' .. res.error",
                       "upstream connect-failure: 10.0.0.1:80: refused | "
                       "x upstream connect-failure: 10.0.0.1:80: refused"},
                      {"res.reason = 'Sorry' return res.reason", "Sorry"},
                      {"res.status = 503 return res.status, res.reason", "503 | Service Unavailable"},
                  });
}

TEST(BindMessage, WrongFieldsAndAssignments) {
  LuaLibrary lua;
  const auto request = wire_request("GET", "/");
  lua.set("req", *request);
  expect_all(
      lua,
      {
          {"return req.pth", "error: script.lua:1: a Message has no field \"pth\"; did you mean \"path\"?"},
          {"return req[1]", "error: script.lua:1: a Message has named fields, got 1"},
          {"req.pathh = '/'",
           "error: script.lua:1: a Message has no assignable field \"pathh\"; did you mean \"path\"?"},
          {"req.status = 200", "error: script.lua:1: a request has no status"},
          {"Message{}.path = '/'", "error: script.lua:1: a response has no path"},
          {"req.path = nil", "error: script.lua:1: path expects a string, got nil"},
          {"req.path = '/\\195\\164'",
           "error: script.lua:1: path holds a space, \"#\", control character or byte above 0x7e: encode it "
           "(url.encode)"},
          {"req.path = '/a#b'",
           "error: script.lua:1: path holds a space, \"#\", control character or byte above 0x7e: encode it "
           "(url.encode)"},
          {"req.path = 'a:b'",
           "error: script.lua:1: path begins with \"/\" (or is \"*\", a whole URL, or host:port for "
           "CONNECT), got \"a:b\""},
          {"req.path = 'http://a b/'",
           "error: script.lua:1: path holds a space, \"#\", control character or byte above 0x7e: encode it "
           "(url.encode)"},
          {"req.path = 'http://u@a/'",
           "error: script.lua:1: path begins with \"/\" (or is \"*\", a whole URL, or host:port for "
           "CONNECT), got \"http://u@a/\""},
          {"Message{}.status = 600",
           "error: script.lua:1: status expects a whole number from 200 to 599, got 600"},
          {"req.path = ''", "error: script.lua:1: path is empty: it begins with \"/\""},
          {"req.method = 'a\\0b'",
           "error: script.lua:1: method expects a token such as \"GET\", got one with a space, control or "
           "other character"},
          {"req.headers = {}", "error: script.lua:1: headers cannot be assigned as a whole: set its fields"},
          {"req.host = 'a'", "error: script.lua:1: host cannot be assigned: set headers.host"},
          {"req.query = {}", "error: script.lua:1: pathname and query cannot be assigned: assign path"},
          {"req.data = Data('')",
           "error: script.lua:1: data cannot be assigned: assign body, it takes a Data too"},
          {"req.cookies = {}", "error: script.lua:1: the field cookies can only be read"},
          {"req.json('x')",
           "error: script.lua:1: message:json: called with '.'? Use ':'; the receiver expects a Message, "
           "got \"x\""},
      });
}

TEST(BindMessage, TheBodyIsThereWhereItWasCollected) {
  LuaLibrary lua;
  const auto message = wire_request("POST", "/");
  lua.set("req", *message);
  const char* missing =
      "error: script.lua:1: this body was not collected, it streams past: use handleMessage or "
      "handleMessageBody";
  expect_all(lua,
             {{"return req.body", missing}, {"return req.data", missing}, {"local v = req:json()", missing}});
  message->has_body = true;
  message->body = buffer::buffer_of("[1,", lua.chunks);
  message->body.append(buffer::buffer_of("2]", lua.chunks));
  expect_all(lua, {
                      {"return req.body, req.data, #req.data, req.bodySize", "[1,2] | [1,2] | 5 | 5"},
                      {"return req:json()[2]", "2"},
                      {"req.body = '{' return req:json()", "nil | line 1, column 2: incomplete JSON"},
                      {"req.body = nil return req.body, req.bodySize", " | 0"},
                  });
}

TEST(BindMessage, ANewBodyBringsItsOwnFraming) {
  LuaLibrary lua;
  const auto message = wire_request("POST", "/");
  auto& headers = message->head->headers;
  headers.add("Content-Length", "3");
  headers.add("Content-Encoding", "gzip");
  headers.add("ETag", "\"1\"");
  lua.set("req", *message);
  EXPECT_EQ(lua.run("req.body = 'hello' return req.headers['content-length'], req.headers.etag"), "5 | nil");
  EXPECT_TRUE(message->body_replaced);
  EXPECT_EQ(message->head->body.kind, message::BodyKind::Length);
  EXPECT_FALSE(headers.has(message::Name::ContentLength));
  EXPECT_FALSE(headers.has(message::Name::ContentEncoding));

  EXPECT_EQ(lua.run("req.body = function() end"), "");
  EXPECT_TRUE(message->body_source);
  EXPECT_FALSE(message->has_body);
  EXPECT_EQ(message->head->body.kind, message::BodyKind::Unknown);
  EXPECT_EQ(lua.run("return req.body"),
            "error: script.lua:1: this body is given by a function, piece by piece");
}

TEST(BindMessage, AMessageIsOverWithItsExchange) {
  LuaLibrary lua;
  auto message = wire_request("GET", "/?a=1");
  message->trailers = make_ref<message::Trailers>();
  lua.set("req", *message);
  EXPECT_EQ(lua.run("headers, trailers, query = req.headers, req.trailers, req.query"), "");
  EXPECT_EQ(lua.context.messages->alive(), 1u);
  message.reset();
  EXPECT_EQ(lua.context.messages->alive(), 0u);
  const char* over = "error: script.lua:1: this message is over: copy what you need while its exchange lasts";
  expect_all(lua, {
                      {"return req.path", over},
                      {"req.path = '/'", over},
                      {"return headers.host", over},
                      {"headers.host = 'a'", over},
                      {"return trailers.x", over},
                      {"local v = headers:get('x')", over},
                      {"return tostring(req), query.a", "Message (over) | 1"},
                  });
}

TEST(BindMessage, ASlotThatIsUsedAgainShowsNothingOfTheOldMessage) {
  LuaLibrary lua;
  auto first = wire_request("GET", "/first?a=1");
  first->head->headers.add("host", "first");
  lua.set("old", *first);
  EXPECT_EQ(lua.run("oldHeaders = old.headers return oldHeaders.host, old.query.a"), "first | 1");
  first.reset();
  auto second = wire_request("GET", "/second?b=2");
  second->head->headers.add("host", "second");
  lua.set("new", *second);
  expect_all(
      lua, {
               {"return new.headers.host, new.query.a, new.query.b, old == new", "second | nil | 2 | false"},
               {"return oldHeaders.host",
                "error: script.lua:1: this message is over: copy what you need while its exchange lasts"},
           });
}

TEST(BindMessage, AMadeMessageLivesAsLongAsEitherSideHoldsIt) {
  LuaLibrary lua;
  EXPECT_EQ(lua.run("m = Message { body = 'x' } h = m.headers"), "");
  lua_getglobal(lua.L, "m");
  Ref<flow::Message> held = to_message(lua.L, -1);
  lua_settop(lua.L, 0);
  ASSERT_TRUE(held);
  lua.run("m = nil");
  lua.collect();
  EXPECT_EQ(lua.run("h.a = 'b' return h.a"), "b");
  EXPECT_EQ(held->head->headers.find("a"), "b");
  lua.run("h = nil");
  lua.collect();
  EXPECT_EQ(held->reference_count(), 1u);
  lua.set("again", *held);
  EXPECT_EQ(lua.run("return again.body"), "x");
}

TEST(BindMessage, AReadOnlyMessageRefusesChanges) {
  LuaLibrary lua;
  const auto message = flow::Message::of(message::ResponseHead::make());
  message->is_read_only = true;
  lua.set("res", *message);
  const char* refused =
      "error: script.lua:1: this message is read-only: its head was sent already, its exchange is over, or "
      "it is the static Message of a filter; Message { … } makes another";
  expect_all(lua, {
                      {"res.status = 500", refused},
                      {"res.body = ''", refused},
                      {"res.headers.a = 'b'", refused},
                      {"res.headers.a = nil", refused},
                      {"res.headers:add('a', 'b')", refused},
                      {"res:setCookie('a', 'b')", refused},
                      {"return res.status", "200"},
                  });
}

TEST(BindMessage, OtherValuesAreNoMessages) {
  LuaLibrary lua;
  lua_pushnumber(lua.L, 1);
  EXPECT_FALSE(to_message(lua.L, -1));
  EXPECT_EQ(lua.run("h = Message{}.headers"), "");
  lua_getglobal(lua.L, "h");
  EXPECT_FALSE(to_message(lua.L, -1));
  expect_all(lua, {{"return getmetatable(Message{})", "Message"},
                   {"getmetatable(h).x = 1", "error: script.lua:1: attempt to index a string value"}});
}

TEST(BindMessage, GarbageBodiesDoNotPileUp) {
  LuaLibrary lua;
  lua.run("local text = ('x'):rep(100000) for i = 1, 2000 do Message(text) end");
  // 200 MB were made; the collector never let more than a few times the bound of 4 MiB lie.
  EXPECT_LT(lua.chunks.alive() * lua.chunks.chunk_bytes(), 32u * 1024 * 1024);
}

}  // namespace
}  // namespace perilune::script
