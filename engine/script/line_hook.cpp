#include "script/line_hook.hpp"

#include <set>

#include "script/interpreter.hpp"
#include "script/line_watcher.hpp"

namespace perilune::script {
namespace {

// Some milliseconds of a loop.
constexpr int instructions_between_questions = 1'000'000;

// Where an instruction has its opcode, and some of them (LuaJIT 2.1, lj_bc.h). What stands on the line of an
// `end` is nobody's code: BC_UCLO lets go of the locals of a block, BC_FNEW makes the function that ends
// there, BC_RET0 returns nothing.
constexpr int opcode_bits = 0xff;
constexpr int close_locals = 50;
constexpr int make_function = 51;
constexpr int return_nothing = 75;

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

/// LuaJIT's view of a function's inside, `jit.util`.
class Inside {
 public:
  explicit Inside(lua_State* state) : L(state) {
    lua_getfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
    lua_getfield(L, -1, "jit.util");
    lua_call(L, 0, 1);
    lua_remove(L, -2);
    util_ = lua_gettop(L);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { lua_settop(L, util_ - 1); }

  /// Of the function at `index` and those within.
  void add_lines(int index, std::set<int>& lines) {
    const bool is_file = info(index, 0, "linedefined") == 0;
    const int last_line = info(index, 0, "lastlinedefined");
    const int instructions = info(index, 0, "bytecodes");
    for (int at = 1; at < instructions; ++at) {  // the first one only enters the function
      const int line = info(index, at, "currentline");
      const int code = opcode(index, at);
      const bool is_implied =
          at == instructions - 1 && code == return_nothing && (is_file || line == last_line);
      if (!is_implied && code != make_function && code != close_locals) lines.insert(line);
    }
    for (int constant = -1;; --constant) {
      begin("funck", index, constant);
      lua_call(L, 2, 1);
      if (lua_isnil(L, -1)) return lua_pop(L, 1);
      // Functions within are constants of a type that Lua's own interface has no name for.
      if (lua_type(L, -1) > LUA_TTHREAD) add_lines(lua_gettop(L), lines);
      lua_pop(L, 1);
    }
  }

 private:
  void begin(const char* function, int index, int number) {
    lua_getfield(L, util_, function);
    lua_pushvalue(L, index);
    lua_pushinteger(L, number);
  }
  int info(int index, int at, const char* field) {
    begin("funcinfo", index, at);
    lua_call(L, 2, 1);
    lua_getfield(L, -1, field);
    const int value = static_cast<int>(lua_tointeger(L, -1));
    lua_pop(L, 2);
    return value;
  }
  int opcode(int index, int at) {
    begin("funcbc", index, at);
    lua_call(L, 2, 1);
    const int value = static_cast<int>(lua_tointeger(L, -1)) & opcode_bits;
    lua_pop(L, 1);
    return value;
  }

  lua_State* const L;
  int util_ = 0;
};

}  // namespace

void watch_lines(lua_State* L) {
  const bool wants_lines = Interpreter::of(L).options.lines->wants_lines();
  luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  lua_sethook(L, on_hook, LUA_MASKCOUNT | (wants_lines ? LUA_MASKLINE : 0), instructions_between_questions);
}

std::vector<int> lines_with_code(lua_State* L) {
  const int function = lua_gettop(L);
  luaL_checkstack(L, 200, "functions within functions");
  std::set<int> lines;
  Inside(L).add_lines(function, lines);
  return {lines.begin(), lines.end()};
}

}  // namespace perilune::script
