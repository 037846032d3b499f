#include "script/line_hook.hpp"

#include "script/interpreter.hpp"
#include "script/line_watcher.hpp"

namespace perilune::script {
namespace {

// Some milliseconds of a loop.
constexpr int instructions_between_questions = 1'000'000;

void on_hook(lua_State* L, lua_Debug* record) {
  Interpreter& interpreter = Interpreter::of(L);
  LineWatcher& watcher = *interpreter.options.lines;
  if (record->event == LUA_HOOKLINE) {
    lua_getinfo(L, "S", record);
    if (record->source[0] == '@') watcher.on_line(record->source + 1, record->currentline);
  } else if (const char* why = watcher.why_stop()) {
    // A loop around a pcall goes on after one error, but not when every instruction is one.
    if (interpreter.stops++ > 0) lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
    lua_pushstring(L, why);
    lua_error(L);
  }
}

}  // namespace

void watch_lines(lua_State* L) {
  const bool wants_lines = Interpreter::of(L).options.lines->wants_lines();
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  lua_sethook(L, on_hook, LUA_MASKCOUNT | (wants_lines ? LUA_MASKLINE : 0), instructions_between_questions);
}

}  // namespace perilune::script
