#include <cstdio>
#include <lua.hpp>
#include <string>

// Runs one Lua test in a bare LuaJIT: `lua_runner FOLDER_OF_MODULES FILE`. A test fails by raising.
int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: lua_runner FOLDER_OF_MODULES FILE\n");
    return 2;
  }
  lua_State* const L = luaL_newstate();
  luaL_openlibs(L);
  const std::string path = std::string(argv[1]) + "/?.lua";
  lua_getglobal(L, "package");
  lua_pushlstring(L, path.data(), path.size());
  lua_setfield(L, -2, "path");
  const bool has_failed = luaL_dofile(L, argv[2]) != 0;
  if (has_failed) std::fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return has_failed ? 1 : 0;
}
