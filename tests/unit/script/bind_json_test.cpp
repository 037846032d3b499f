#include <unistd.h>

#include <fstream>

#include "base/limits.hpp"
#include "unit/script/library_fixture.hpp"

namespace perilune::script {
namespace {

TEST(BindJson, Encodes) {
  LuaLibrary lua;
  expect_all(lua,
             {
                 {"return json.encode({ b = 1, a = { true, false, json.null } })",
                  "{\"a\":[true,false,null],\"b\":1}"},
                 {"return json.encode({})", "{}"},
                 {"return json.encode(json.array({})), json.encode(json.array())", "[] | []"},
                 {"return json.encode({ 1, 2 })", "[1,2]"},
                 {"return json.encode('\"\\\\\\n\\r\\t\\1\\127é/')", "\"\\\"\\\\\\n\\r\\t\\u0001\177é/\""},
                 {"return json.encode(0.1), json.encode(1e300), json.encode(-0.5), json.encode(2^53), "
                  "json.encode(1e15)",
                  "0.1 | 1e+300 | -0.5 | 9007199254740992 | 1000000000000000"},
                 {"return json.encode(json.null), json.encode(true), json.encode(5)", "null | true | 5"},
             });
}

TEST(BindJson, WhatHasNoJsonFormIsAnErrorThatNamesThePlace) {
  LuaLibrary lua;
  expect_all(
      lua,
      {
          {"json.encode { ['a\\n\\255'] = 0/0 }",
           "error: script.lua:1: json.encode: .a\\x0a\\xff is not a finite number"},
          {"json.encode(0/0)", "error: script.lua:1: json.encode: the value is not a finite number"},
          {"json.encode({ a = { 1, { b = 1/0 } } })",
           "error: script.lua:1: json.encode: .a[2].b is not a finite number"},
          {"json.encode({ f = print })", "error: script.lua:1: json.encode: .f is a function"},
          {"json.encode({ m = Message{} })", "error: script.lua:1: json.encode: .m is a Message"},
          {"json.encode({ 1, 2, x = 3 })",
           "error: script.lua:1: json.encode: the value is a table with both a sequence and the key \"x\""},
          {"json.encode({ [3] = 1 })",
           "error: script.lua:1: json.encode: the value is a sequence with holes, it has no [1] but has [3]"},
          {"json.encode({ [true] = 1 })",
           "error: script.lua:1: json.encode: the value is a table with a key that is true"},
          {"json.encode(nil)", "error: script.lua:1: json.encode: nil has no JSON form, json.null has"},
          {"json.encode()",
           "error: script.lua:1: json.encode: value (argument 1) expects a value, got nothing"},
      });
}

TEST(BindJson, Decodes) {
  LuaLibrary lua;
  expect_all(lua,
             {
                 {"local v = json.decode('{\"a\":[1,2.5,\"x\",null,true]}') local a = v.a "
                  "return #a, a[1], a[2], a[3], a[4] == json.null, a[5]",
                  "5 | 1 | 2.5 | x | true | true"},
                 {"return json.encode(json.decode('{\"a\":[],\"o\":{}}'))", "{\"a\":[],\"o\":{}}"},
                 {"return json.decode('\"\\\\u00e9\\\\n\"')", "é\n"},
                 {"return json.decode(Data('[1]'))[1], json.decode(' 5 '), json.decode('null') == json.null",
                  "1 | 5 | true"},
                 {"return json.decode('{\"a\":1,\"a\":2}').a", "2"},
                 {"return json.decode('9007199254740993'), json.decode('18446744073709551615') > 1e19",
                  "9.007199254741e+15 | true"},
             });
}

TEST(BindJson, BadTextGivesNilAndWhere) {
  LuaLibrary lua;
  expect_all(lua, {
                      {"return json.decode('')", "nil | line 1, column 1: incomplete JSON"},
                      {"return json.decode('{\"a\":')", "nil | line 1, column 6: incomplete JSON"},
                      {"return json.decode('[1,\\n 2 x]')", "nil | line 2, column 4: syntax error"},
                      {"return json.decode('1 2')", "nil | line 1, column 3: extra data"},
                      {"return json.decode('{\"a\":1,}')", "nil | line 1, column 8: syntax error"},
                      {"return json.decode('\"\\255\"')", "nil | line 1, column 2: syntax error"},
                      {"return json.decode('NaN')", "nil | line 1, column 1: syntax error"},
                      {"json.decode(5)",
                       "error: script.lua:1: json.decode: text (argument 1) expects a string or Data, got 5"},
                  });
}

TEST(BindJson, DepthIsBoundedBothWays) {
  LuaLibrary lua;
  const std::string depth = std::to_string(limits::json_depth_max);
  EXPECT_EQ(lua.run("return type(json.decode(('['):rep(" + depth + ") .. (']'):rep(" + depth + ")))"),
            "table");
  EXPECT_EQ(lua.run("return json.decode(('['):rep(" + depth + " + 1))"),
            "nil | line 1, column " + std::to_string(limits::json_depth_max + 1) + ": too deep");
  EXPECT_EQ(lua.run("local t = {} for i = 2, " + depth + " do t = { t } end return #json.encode(t)"),
            std::to_string(2 * limits::json_depth_max));
  const std::string error = lua.run("local t = {} t.t = t json.encode(t)");
  EXPECT_NE(error.find(" is nested more than " + depth + " deep, or in itself"), std::string::npos) << error;
}

TEST(BindJson, LoadsAFileNextToTheScript) {
  LuaLibrary lua;
  char folder[] = "/tmp/perilune-json-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  lua.host.folder = folder;
  const std::string good = std::string(folder) + "/good.json";
  const std::string bad = std::string(folder) + "/bad.json";
  std::ofstream(good) << "{\"a\": [1]}";
  std::ofstream(bad) << "{\n\"a\": x}";
  EXPECT_EQ(lua.run("return json.load('good.json').a[1]"), "1");
  EXPECT_EQ(lua.run("return json.load('bad.json')"), "nil | bad.json: line 2, column 6: syntax error");
  EXPECT_EQ(lua.run("return json.load('none.json')"),
            "nil | " + std::string(folder) + "/none.json: No such file or directory");
  EXPECT_EQ(lua.run("return file.read('good.json')"), "{\"a\": [1]}");
  EXPECT_EQ(lua.run("return file.read('good.json', { limit = 9 })"),
            "nil | " + good + ": larger than 9 bytes");
  EXPECT_EQ(lua.run("return #file.read('good.json', { limit = '1k' })"), "10");
  EXPECT_EQ(lua.run("return file.read('.')"), "nil | " + std::string(folder) + "/.: not a regular file");
  EXPECT_EQ(lua.run("file.read('x', { size = 1 })"),
            "error: script.lua:1: file.read: unknown option \"size\"; did you mean \"limit\"?");
  EXPECT_EQ(lua.run("file.read('x', { limit = 'big' })"),
            "error: script.lua:1: file.read: option \"limit\" expects bytes or \"16k\", got \"big\"");
  EXPECT_EQ(lua.run("file.read()"),
            "error: script.lua:1: file.read: path (argument 1) expects a string, got nothing");
  ::unlink(good.c_str());
  ::unlink(bad.c_str());
  ::rmdir(folder);
}

}  // namespace
}  // namespace perilune::script
