#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <lua.hpp>
#include <memory>
#include <vector>

namespace perilune::script {

/// A place in a script in a form that signal handlers may copy; cut where it is long. Empty: none.
using PlaceText = std::array<char, 112>;
/// "file:line", without the mark in front of a chunk's name; "file" when the line is 0.
void write_place(PlaceText& text, const char* source, int line);

/// Where the machine code of one Lua state comes from: for each piece that LuaJIT has compiled the line at
/// which it begins, which for a loop is the loop's. LuaJIT tells of each as it makes it, so nothing is asked
/// while code runs. At most limits::compiled_places_max; further ones are not known.
class CompiledCode {
 public:
  CompiledCode() = default;
  CompiledCode(const CompiledCode&) = delete;
  CompiledCode& operator=(const CompiledCode&) = delete;

  /// Has LuaJIT tell of what it compiles in this state from now on. Its library `jit` is a global of `L`.
  void attach(lua_State* L);
  /// The place of the code at the address; null when it is none of this state's. For signal handlers of the
  /// thread that runs the state.
  const PlaceText* find(uintptr_t address) const;
  size_t pieces() const { return count_; }

 private:
  struct Piece {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    int trace = 0;
    PlaceText place{};
  };
  static int on_event(lua_State* L);
  void begin(lua_State* L);
  void finish(lua_State* L);
  void add(const Piece& piece);

  /// Grows by exchange, so that a signal meets the old or the new one whole.
  std::unique_ptr<Piece[]> pieces_;
  size_t room_ = 0;
  size_t count_ = 0;
  std::atomic<bool> is_changing_{false};
  Piece begun_;
  int util_ = LUA_NOREF;
};

}  // namespace perilune::script
