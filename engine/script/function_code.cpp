#include "script/function_code.hpp"

#include <algorithm>
#include <set>

#include "script/stack.hpp"

namespace perilune::script {
namespace {

// Where an instruction has its opcode and its operands, and some opcodes (LuaJIT 2.1, lj_bc.h). What
// stands on the line of an `end` is nobody's code: BC_UCLO lets go of the locals of a block, BC_FNEW makes
// the function that ends there, BC_RET0 returns nothing.
constexpr unsigned byte = 0xff;
constexpr int result_shift = 8;
constexpr int operand_shift = 16;
constexpr int table_shift = 24;
constexpr int close_locals = 50;
constexpr int make_function = 51;
constexpr int get_global = 54;
constexpr int set_global = 55;
constexpr int get_named_field = 57;
constexpr int tail_call_of_many = 67;  // f(…), f(g())
constexpr int tail_call = 68;
constexpr int return_nothing = 75;
constexpr int jump = 88;
constexpr int no_jump = 0x8000;
// Functions within are constants of a type that Lua's own interface has no name for; numbers such as 4i and
// 4LL have the one behind it.
constexpr int inner_function = LUA_TTHREAD + 1;

/// LuaJIT's view of a function's inside, `jit.util`.
class Inside {
 public:
  explicit Inside(lua_State* state) : L(state) {
    luaL_checkstack(L, 1000, "functions within functions");
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
      const int code = opcode(instruction(index, at));
      const bool is_implied =
          at == instructions - 1 && code == return_nothing && (is_file || line == last_line);
      if (!is_implied && code != make_function && code != close_locals) lines.insert(line);
    }
    for_functions_in(index, [&](int inner) { add_lines(inner, lines); });
  }

  /// Of the function at `index`.
  void add_tail_calls(int index, std::set<int>& lines) {
    const int instructions = info(index, 0, "bytecodes");
    for (int at = 1; at < instructions; ++at) {
      const int code = opcode(instruction(index, at));
      if (code == tail_call || code == tail_call_of_many) lines.insert(info(index, at, "currentline"));
    }
  }

  /// Of the function at `index` and those within.
  void add_globals(int index, std::vector<GlobalUse>& uses, bool is_inside = false) {
    const int instructions = info(index, 0, "bytecodes");
    std::set<int> targets;
    for (int at = 1; at < instructions; ++at) {
      const unsigned word = instruction(index, at);
      if (opcode(word) == jump || opcode(word) == close_locals)
        targets.insert(at + 1 + static_cast<int>(word >> operand_shift) - no_jump);
    }
    for (int at = 1; at < instructions; ++at) {
      const unsigned word = instruction(index, at);
      const int code = opcode(word);
      if (code != get_global && code != set_global) continue;
      uses.push_back({text_constant(index, word >> operand_shift),
                      info(index, at, "currentline"),
                      code == set_global,
                      is_inside,
                      {}});
      const unsigned next = at + 1 < instructions ? instruction(index, at + 1) : 0;
      // `(mine or json).field` comes there with something else too.
      const bool is_of_it = !targets.contains(at + 1) && next >> table_shift == (word >> result_shift & byte);
      if (code == get_global && opcode(next) == get_named_field && is_of_it)
        uses.back().field = text_constant(index, next >> operand_shift & byte);
    }
    for_functions_in(index, [&](int inner) { add_globals(inner, uses, true); });
  }

 private:
  /// The text that the instruction of a function names by this operand.
  std::string text_constant(int index, unsigned operand) {
    begin("funck", index, -1 - static_cast<int>(operand));
    lua_call(L, 2, 1);
    std::string text(string_at(L, -1).value_or(""));
    lua_pop(L, 1);
    return text;
  }
  template <typename Each>
  void for_functions_in(int index, Each&& each) {
    for (int constant = -1;; --constant) {
      begin("funck", index, constant);
      lua_call(L, 2, 1);
      if (lua_isnil(L, -1)) return lua_pop(L, 1);
      if (lua_type(L, -1) == inner_function) each(lua_gettop(L));
      lua_pop(L, 1);
    }
  }
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
  static int opcode(unsigned instruction) { return static_cast<int>(instruction & byte); }
  unsigned instruction(int index, int at) {
    begin("funcbc", index, at);
    lua_call(L, 2, 1);
    const auto word = static_cast<unsigned>(lua_tointeger(L, -1));
    lua_pop(L, 1);
    return word;
  }

  lua_State* const L;
  int util_ = 0;
};

}  // namespace

std::vector<int> lines_with_code(lua_State* L) {
  const int function = lua_gettop(L);
  std::set<int> lines;
  Inside(L).add_lines(function, lines);
  return {lines.begin(), lines.end()};
}

std::vector<int> tail_call_lines(lua_State* L) {
  const int function = lua_gettop(L);
  std::set<int> lines;
  Inside(L).add_tail_calls(function, lines);
  return {lines.begin(), lines.end()};
}

std::vector<GlobalUse> globals_used(lua_State* L) {
  const int function = lua_gettop(L);
  std::vector<GlobalUse> uses;
  Inside(L).add_globals(function, uses);
  std::ranges::stable_sort(uses, {}, &GlobalUse::line);
  return uses;
}

}  // namespace perilune::script
