#pragma once

#include <lua.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "script/source_hints.hpp"
#include "script/stack.hpp"

namespace perilune::script {

class Interpreter;
struct GlobalUse;

/// Reads and runs the files of a script in the sandbox: a chosen set of globals that cannot be added to. A
/// file's globals are an empty table over the chosen ones, so that a misspelt read and any write are errors.
class Loader {
 public:
  explicit Loader(Interpreter& interpreter) : interpreter_(interpreter) {}
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Makes the globals of scripts and of our library.
  void create_globals();
  /// Runs the embedded library, which completes them.
  void run_library();
  /// Runs a script. Errors (Side::Script): ScriptError with "file:line: sentence".
  Result<void> run(const std::string& path);
  bool is_loading() const { return is_loading_; }
  /// The script returned something, so it is a module of others.
  bool is_module() const { return is_module_; }
  /// Pushes the table of the chosen globals, for those who add to them before a script is run.
  void push_globals(lua_State* L) const { lua_rawgeti(L, LUA_REGISTRYINDEX, globals_); }
  /// debug.getinfo, which scripts do not see.
  void push_getinfo(lua_State* L) const { lua_rawgeti(L, LUA_REGISTRYINDEX, getinfo_); }

  /// `path` as seen from the file in which the running function stands; it is noted among the files.
  std::string resolve(lua_State* L, std::string_view path);
  const std::vector<std::string>& files() const { return files_; }
  /// Those of them that were run, as they are on the disk now.
  std::vector<SourceFile> sources() const;

 private:
  // functions of the library, see lua/prelude.lua
  static Outcome find_module(lua_State* L);

  /// A message handler, for errors while files load: the sentence, and the frames of the scripts where there
  /// are several.
  static int describe_with_frames(lua_State* L);
  /// Pushes the compiled file, with the sandbox as its globals. Errors: it cannot be read, or a syntax error.
  std::optional<std::string> push_file(lua_State* L, const std::string& path);
  /// What the function at the top of the stack, which was made of the source, and those inside it want of
  /// globals, or of parts of the library, that are not there: "proxy.lua:3: …", the first one. None: all is well.
  std::optional<std::string> missing_global(lua_State* L, const std::string& path,
                                            std::string_view source) const;
  /// What is wrong with the field that is read of a part of the library; empty: nothing.
  std::string missing_field(lua_State* L, const GlobalUse& use) const;
  std::vector<std::string> globals(lua_State* L) const;
  void push_core(lua_State* L);

  Interpreter& interpreter_;
  std::string folder_;  // of the script; modules are found from here
  std::vector<std::string> files_;
  Result<std::string> read_script(const std::string& path) const;

  std::vector<std::string> run_;
  int globals_ = LUA_NOREF;
  int getinfo_ = LUA_NOREF;
  int environment_ = LUA_NOREF;
  int missing_field_ = LUA_NOREF;  // lua/finish.lua
  std::string described_;  // by describe_with_frames: an error may pass there again
  bool is_loading_ = false;
  bool is_module_ = false;
};

}  // namespace perilune::script
