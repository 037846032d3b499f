#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

TEST(BindData, ReadsLikeAString) {
  LuaLibrary lua;
  // Two slices that do not lie together.
  buffer::Buffer bytes = buffer::buffer_of("hello ", lua.chunks);
  const buffer::Buffer between = buffer::buffer_of("-", lua.chunks);
  bytes.append(buffer::buffer_of("world", lua.chunks));
  ASSERT_EQ(bytes.slices().size(), 2u);
  push_data(lua.L, lua.context, bytes);
  lua_setglobal(lua.L, "d");
  expect_all(lua, {
                      {"return d, #d, type(d)", "hello world | 11 | userdata"},
                      {"return d:sub(2, 8), d:sub(-5), d:sub(7), d:sub(5, 4), d:sub(-100, 100), d:sub(20)",
                       "ello wo | world | world |  | hello world | "},
                      {"return d:byte(), d:byte(7), d:byte(-1), d:byte(100)", "104 | 119 | 100"},
                      {"return d:byte(5, 8)", "111 | 32 | 119 | 111"},
                      {"return d:find('o w')", "5 | 7"},
                      {"return d:find('o', 6)", "8 | 8"},
                      {"return d:find('o', -4)", "8 | 8"},
                      {"return d:find('hello', 2), d:find('.'), d:find('x')", "nil | nil | nil"},
                      {"return d .. '!', '<' .. d, d .. 1, d .. d",
                       "hello world! | <hello world | hello world1 | "
                       "hello worldhello world"},
                      {"return d == Data('hello world'), d == Data('hello worle'), d == 'hello world'",
                       "true | false | false"},
                      {"return Data(), #Data(''), Data(Data('x')), type(Data('x'))", " | 0 | x | userdata"},
                  });
}

TEST(BindData, WrongUsesAreNamed) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"Data(5)", "error: script.lua:1: Data: text (argument 1) expects a string or Data, got 5"},
          {"return Data('x') .. {}", "error: script.lua:1: a Data and a table cannot be joined"},
          {"Data('x'):sub()",
           "error: script.lua:1: data:sub: first (argument 1) expects a number, got nothing"},
          {"Data('x'):sub(1, 'b')",
           "error: script.lua:1: data:sub: last (argument 2) expects a number, got \"b\""},
          {"Data('x'):find(1)", "error: script.lua:1: data:find: text (argument 1) expects a string, got 1"},
          {"Data('x').sub(1)",
           "error: script.lua:1: data:sub: called with '.'? Use ':'; the receiver expects a Data, got 1"},
          {"Data(('x'):rep(5000)):byte(1, -1)",
           "error: script.lua:1: data:byte: at most 4096 bytes at a time"},
      });
}

TEST(BindData, LargeTextsSpanChunks) {
  LuaLibrary lua;
  expect_all(lua, {
                      {"local s = ('0123456789'):rep(10000) local d = Data(s) return #d, tostring(d) == s, "
                       "tostring(d:sub(16380, 16390)),"
                       "d:byte(16385), s:byte(16385), d:find('90123', 16384)",
                       "100000 | true | 90123456789 | 52 | 52 | 16390 | 16394"},
                  });
}

TEST(BindData, PiecesAreSharedNotCopied) {
  LuaLibrary lua;
  buffer::Buffer bytes = buffer::buffer_of("some bytes", lua.chunks);
  const char* begin = bytes.slices()[0].data();
  push_data(lua.L, lua.context, bytes.slices()[0]);
  buffer::Buffer back;
  ASSERT_TRUE(to_bytes(lua.L, lua.context, -1, back));
  EXPECT_EQ(back.slices()[0].data(), begin);
  lua_pushnumber(lua.L, 1);
  EXPECT_FALSE(to_bytes(lua.L, lua.context, -1, back));
}

}  // namespace
}  // namespace perilune::script
