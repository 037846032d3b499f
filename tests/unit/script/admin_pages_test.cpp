#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "script/admin_host.hpp"
#include "script_world.hpp"

namespace perilune::script {
namespace {

/// A process that answers when the test says so.
class TestHost final : public AdminHost {
 public:
  void ask(const std::string& what, std::string argument, Answer answer) override {
    asked += what + "(" + argument + ") ";
    answers.push_back(std::move(answer));
  }
  bool allows(std::string_view authorization) const override { return authorization == "yes"; }
  std::string address() const override { return "unix:/a.sock"; }
  std::string asked;
  std::vector<Answer> answers;
};

class AdminPagesTest : public ScriptTest {
 protected:
  /// What the page gives for a request, both decoded by a script; "" until it has answered.
  void ask(const std::string& path,
           const std::string& request = "{ method = 'GET', path = '/', headers = {} }") {
    answer.clear();
    world.interpreter->pages.run(path, encoded(request), [this](const Result<std::string>& result) {
      answer = result ? "bytes" : result.error().detail;
      if (result) bytes = *result;
    });
  }
  std::string encoded(const std::string& value) {
    lua_State* L = world.interpreter->main();
    lua_pushcfunction(L, luaopen_string_buffer);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "encode");
    EXPECT_EQ(luaL_loadstring(L, ("return " + value).c_str()), 0);
    lua_call(L, 0, 1);
    lua_call(L, 1, 1);
    std::string result(*string_at(L, -1));
    lua_pop(L, 2);
    return result;
  }
  std::string answer;
  std::string bytes;
};

TEST_F(AdminPagesTest, GivesATextOrAResponse) {
  ASSERT_EQ(
      world.load(
          "admin('/t', function(req) return req.path .. ' ' .. req.body end)\n"
          "admin('/m', function() return Message { status = 404, body = 'gone' } end)\nevery(1, print)"),
      "");
  EXPECT_EQ(world.interpreter->pages.paths(), (std::vector<std::string>{"/m", "/t"}));
  ask("/t", "{ method = 'POST', path = '/t?a', headers = {}, body = 'b' }");
  EXPECT_EQ(answer, "bytes");
  EXPECT_NE(bytes.find("/t?a b"), std::string::npos);
  ask("/m");
  EXPECT_NE(bytes.find("gone"), std::string::npos);
  ask("/none");
  EXPECT_EQ(answer, "there is no page /none");
}

TEST_F(AdminPagesTest, WaitsForAsLongAsItMay) {
  ASSERT_EQ(world.load("admin('/w', function() sleep(5) return 'late' end)\n"
                       "admin('/e', function() sleep(100) return 'never' end)\nevery(1, print)"),
            "");
  ask("/w");
  EXPECT_EQ(answer, "");
  world.advance(5s);
  EXPECT_EQ(answer, "bytes");
  ask("/e");
  world.advance(limits::admin_page_timeout - 1ms);
  EXPECT_EQ(answer, "");
  world.advance(1ms);
  EXPECT_EQ(answer, "the page /e: it takes too long");
  ask("/w");
  world.interpreter->stop();
  EXPECT_EQ(answer, "the page /w: its script has ended");
}

TEST_F(AdminPagesTest, WhatIsNoAnswerIsAnError) {
  ASSERT_EQ(
      world.load("local big = ('x'):rep(1024 * 1024)\n"
                 "admin('/n', function() end)\nadmin('/r', function() return Message { path = '/' } end)\n"
                 "admin('/x', function() error 'boom' end)\n"
                 "admin('/b', function() return big:rep(17) end)\nevery(1, print)"),
      "");
  ask("/n");
  EXPECT_EQ(world.without_folder(answer),
            "the page /n: main.lua:2: admin: its function expects to give a response or a text, got nil "
            "(forgot return?)");
  ask("/r");
  EXPECT_NE(answer.find("expects to give a response or a text, got a Message"), std::string::npos) << answer;
  ask("/x");
  EXPECT_NE(answer.find("main.lua:4: boom"), std::string::npos) << answer;
  ask("/b");
  EXPECT_NE(answer.find("larger than 16777216 bytes"), std::string::npos) << answer;
}

TEST_F(AdminPagesTest, AnswersToOneThatIsGoneAreDropped) {
  TestHost host;
  world.start({.admin = &host});
  ASSERT_EQ(
      world.load(
          "hook('f', function() local a, e = process.ask('x', 'y') return tostring(a) .. tostring(e) end)\n"
          "hook('g', function() return process.address .. tostring(process.allows('yes'))"
          " .. tostring(process.allows(nil)) end)\nevery(1, print)"),
      "");
  EXPECT_EQ(world.outcome("g"), "unix:/a.socktruefalse");
  auto context = flow::Context::make_detached(world.loop.now());
  TestCall one, two, three;
  world.call(one, "f", *context);
  world.call(two, "f", *context);
  world.call(three, "f", *context);
  EXPECT_EQ(host.asked, "x(y) x(y) x(y) ");
  two.call.cancel();
  for (const auto& answer_one : host.answers) answer_one(std::string("text"));
  world.turn();
  EXPECT_EQ(one.outcome(), "textnil");
  EXPECT_EQ(two.outcome(), "idle");
  EXPECT_EQ(three.outcome(), "textnil");
  TestCall wrong;
  world.call(wrong, "f", *context);
  host.answers.back()(Error{ErrorCode::Resources, Side::Engine, "no"});
  world.turn();
  EXPECT_EQ(wrong.outcome(), "nilno");
}

TEST_F(AdminPagesTest, OtherScriptsDoNotSeeTheProcess) { EXPECT_NE(world.load("print(process)"), ""); }

TEST_F(AdminPagesTest, IsBounded) {
  const std::string count = std::to_string(limits::admin_pages_max);
  EXPECT_EQ(world.load("for i = 1, " + count + " do admin('/' .. i, print) end\nevery(1, print)"), "");
  world.start();
  EXPECT_EQ(world.load("for i = 0, " + count + " do admin('/' .. i, print) end"),
            "main.lua:1: admin: there are " + count + " pages already");
}

}  // namespace
}  // namespace perilune::script
