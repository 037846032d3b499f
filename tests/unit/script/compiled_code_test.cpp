#include "script/compiled_code.hpp"

#include <gtest/gtest.h>

#include <string>

namespace perilune::script {
namespace {

class CompiledCodeTest : public ::testing::Test {
 protected:
  CompiledCodeTest() : L(luaL_newstate()) {
    luaL_openlibs(L);
    code.attach(L);
  }
  ~CompiledCodeTest() override { lua_close(L); }

  /// Runs a chunk and gives the number that it returns.
  double run(const char* chunk) {
    if (luaL_loadbuffer(L, chunk, std::char_traits<char>::length(chunk), "@proxy.lua") != 0 ||
        lua_pcall(L, 0, 1, 0) != 0)
      ADD_FAILURE() << lua_tostring(L, -1);
    const double number = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return number;
  }

  lua_State* const L;
  CompiledCode code;
};

constexpr const char* loop =
    "local x = 0\n"
    "for i = 1, 1000 do\n"
    "  x = x + i % 7\n"
    "end\n"
    "local code, address = require('jit.util').tracemc(1)\n"
    "return address\n";

TEST_F(CompiledCodeTest, KnowsTheLineOfALoop) {
  const auto address = static_cast<uintptr_t>(run(loop));
  ASSERT_GE(code.pieces(), 1u);
  const PlaceText* place = code.find(address);
  ASSERT_NE(place, nullptr);
  EXPECT_STREQ(place->data(), "proxy.lua:2");
  EXPECT_EQ(code.find(1), nullptr);
  EXPECT_EQ(code.find(reinterpret_cast<uintptr_t>(&address)), nullptr);
}

TEST_F(CompiledCodeTest, ForgetsWhatIsFlushed) {
  const auto address = static_cast<uintptr_t>(run(loop));
  run("require('jit').flush()");
  EXPECT_EQ(code.find(address), nullptr);
  EXPECT_EQ(code.pieces(), 0u);
}

TEST(PlaceText, IsCutWhereItIsLong) {
  PlaceText text;
  write_place(text, "@a.lua", 120);
  EXPECT_STREQ(text.data(), "a.lua:120");
  write_place(text, "a callback", 0);
  EXPECT_STREQ(text.data(), "a callback");
  write_place(text, nullptr, 3);
  EXPECT_STREQ(text.data(), "");
  const std::string path = "@" + std::string(300, 'x');
  write_place(text, path.c_str(), 12345);
  EXPECT_TRUE(std::string(text.data()).ends_with("x:12345"));
  EXPECT_LT(std::string(text.data()).size(), text.size());
}

}  // namespace
}  // namespace perilune::script
