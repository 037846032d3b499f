#include "script/place.hpp"

#include <algorithm>
#include <cstdarg>
#include <vector>

#include "script/coroutine.hpp"
#include "script/function_code.hpp"

namespace perilune::script {
namespace {

// Chunks of scripts are named "@path", those of our library "=perilune/name", C functions "=[C]".
bool find_script_frame(lua_State* L, lua_Debug& frame, std::string* note = nullptr) {
  for (int level = 0; lua_getstack(L, level, &frame); ++level)
    if (lua_getinfo(L, "Sl", &frame) && frame.source[0] == '@' && frame.currentline > 0) return true;
  // A call in tail position has replaced its function: where that has one such call it was this one, else its
  // first line must do, and a note with the others.
  const Coroutine& coroutine = Coroutine::of(L);
  if (!coroutine.call) return false;
  lua_rawgeti(L, LUA_REGISTRYINDEX, coroutine.function);
  lua_pushvalue(L, -1);
  const bool is_script = lua_getinfo(L, ">S", &frame) && frame.source[0] == '@';
  const std::vector<int> lines = is_script ? tail_call_lines(L) : std::vector<int>();
  lua_pop(L, 1);
  frame.currentline = lines.size() == 1 ? lines[0] : frame.linedefined;
  if (!note || lines.size() < 2) return is_script;
  *note = " (at the return in line ";
  for (size_t i = 0; i < lines.size(); ++i)
    *note += (i == 0 ? "" : i + 1 < lines.size() ? ", " : " or ") + std::to_string(lines[i]);
  *note += ')';
  return is_script;
}

// How many levels the stack has.
int depth_of(lua_State* L) {
  lua_Debug frame;
  int below = 0;
  int above = 1;
  while (lua_getstack(L, above, &frame)) {
    below = above;
    above *= 2;
  }
  while (above - below > 1) {
    const int middle = below + (above - below) / 2;
    (lua_getstack(L, middle, &frame) ? below : above) = middle;
  }
  return above;
}

// Puts the place in front of the string at the top of the stack.
void add_place(lua_State* L) {
  lua_Debug frame;
  std::string note;
  if (!find_script_frame(L, frame, &note)) return;
  lua_pushfstring(L, "%s:%d: ", frame.source + 1, frame.currentline);
  lua_insert(L, -2);
  lua_pushlstring(L, note.data(), note.size());
  lua_concat(L, 3);
}

}  // namespace

Place script_place(lua_State* L) {
  lua_Debug frame;
  if (!find_script_frame(L, frame)) return {};
  return {frame.source + 1, frame.currentline};
}

std::vector<std::string> script_stack(lua_State* L) {
  constexpr size_t places_max = 10;
  std::vector<std::string> places;
  lua_Debug frame;
  for (int level = 0; places.size() < places_max && lua_getstack(L, level, &frame); ++level)
    if (lua_getinfo(L, "Sl", &frame) && frame.source[0] == '@' && frame.currentline > 0)
      places.push_back(Place{frame.source + 1, frame.currentline}.to_string());
  return places;
}

std::string script_frames(lua_State* L) {
  constexpr size_t shown_max = 20;
  constexpr int looked_at = 100;  // at each end: every level is found by walking there
  const int depth = depth_of(L);
  std::vector<std::string> lines;
  bool has_functions = false;
  lua_Debug frame;
  for (int level = 0; lua_getstack(L, level, &frame); ++level) {
    if (level == looked_at) level = std::max(level, depth - looked_at);
    if (!lua_getstack(L, level, &frame) || !lua_getinfo(L, "nSl", &frame) || frame.source[0] != '@' ||
        frame.currentline <= 0)
      continue;
    std::string what = "in a function";
    has_functions |= *frame.what != 'm';
    if (*frame.what == 'm') what = "in the file itself";
    else if (frame.name) what = "in function '" + std::string(frame.name) + "'";
    lines.push_back("\n    " + std::string(frame.source + 1) + ":" + std::to_string(frame.currentline) +
                    ": " + what);
  }
  if (lines.size() < 2 || !has_functions) return {};
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines.size() > shown_max && i == shown_max / 2) text += "\n    …";
    if (lines.size() > shown_max && i >= shown_max / 2 && i < lines.size() - shown_max / 2) continue;
    text += lines[i];
  }
  return text;
}

void raise_at_script(lua_State* L) {
  add_place(L);
  lua_error(L);
  __builtin_unreachable();
}

void raise_at_script(lua_State* L, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  raise_at_script(L);
}

}  // namespace perilune::script
