#include "script/compiled_code.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/limits.hpp"
#include "script/stack.hpp"

namespace perilune::script {
namespace {

// The table of libraries that are opened when they are asked for.
constexpr const char* preload_table = "_PRELOAD";

int integer_field(lua_State* L, const char* name) {
  lua_getfield(L, -1, name);
  const auto number = static_cast<int>(lua_tointeger(L, -1));
  lua_pop(L, 1);
  return number;
}

}  // namespace

// No function of the C library that allocates or locks: it runs in signal handlers too.
void write_place(PlaceText& text, const char* source, int line) {
  text.fill('\0');
  if (!source) return;
  std::array<char, 12> digits{};
  size_t count = 0;
  for (int left = line; left > 0; left /= 10) digits[count++] = static_cast<char>('0' + left % 10);
  size_t at = 0;
  if (*source == '@' || *source == '=') ++source;
  while (*source && at + count + 2 < text.size()) text[at++] = *source++;
  if (count > 0) text[at++] = ':';
  while (count > 0) text[at++] = digits[--count];
}

void CompiledCode::attach(lua_State* L) {
  lua_getfield(L, LUA_REGISTRYINDEX, preload_table);
  if (!lua_istable(L, -1)) return lua_pop(L, 1);
  lua_getfield(L, -1, "jit.util");
  if (!lua_isfunction(L, -1)) return lua_pop(L, 2);
  lua_call(L, 0, 1);
  util_ = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pop(L, 1);
  lua_getglobal(L, LUA_JITLIBNAME);
  lua_getfield(L, -1, "attach");
  lua_pushlightuserdata(L, this);
  lua_pushcclosure(L, on_event, 1);
  lua_pushliteral(L, "trace");
  lua_call(L, 2, 0);
  lua_pop(L, 1);
}

// (what, trace, function, pc, …): upvalue 1 is the object
int CompiledCode::on_event(lua_State* L) {
  auto& self = *static_cast<CompiledCode*>(lua_touserdata(L, lua_upvalueindex(1)));
  const auto what = string_at(L, 1).value_or("");
  if (what == "start") self.begin(L);
  else if (what == "stop") self.finish(L);
  else if (what == "flush") self.count_ = 0;
  return 0;
}

void CompiledCode::begin(lua_State* L) {
  begun_ = {};
  begun_.trace = static_cast<int>(lua_tointeger(L, 2));
  lua_rawgeti(L, LUA_REGISTRYINDEX, util_);
  lua_getfield(L, -1, "funcinfo");
  lua_pushvalue(L, 3);
  lua_pushvalue(L, 4);
  if (lua_pcall(L, 2, 1, 0) != 0 || !lua_istable(L, -1)) return;
  lua_getfield(L, -1, "source");
  const char* source = lua_tostring(L, -1);
  lua_pop(L, 1);
  write_place(begun_.place, source, integer_field(L, "currentline"));
}

void CompiledCode::finish(lua_State* L) {
  if (lua_tointeger(L, 2) != begun_.trace) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, util_);
  lua_getfield(L, -1, "tracemc");
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 1, 2, 0) != 0 || lua_type(L, -2) != LUA_TSTRING) return;
  begun_.begin = static_cast<uintptr_t>(lua_tonumber(L, -1));
  begun_.end = begun_.begin + lua_objlen(L, -2);
  add(begun_);
}

void CompiledCode::add(const Piece& piece) {
  is_changing_.store(true, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (count_ == room_ && room_ < limits::compiled_places_max) {
    const size_t room = std::min(std::max<size_t>(room_ * 2, 64), limits::compiled_places_max);
    auto larger = std::make_unique<Piece[]>(room);
    std::copy_n(pieces_.get(), count_, larger.get());
    pieces_ = std::move(larger);
    room_ = room;
  }
  if (count_ < room_) pieces_[count_++] = piece;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  is_changing_.store(false, std::memory_order_relaxed);
}

const PlaceText* CompiledCode::find(uintptr_t address) const {
  if (is_changing_.load(std::memory_order_relaxed)) return nullptr;
  // The newest first: memory of code that was let go is used again.
  for (size_t i = count_; i-- > 0;)
    if (address >= pieces_[i].begin && address < pieces_[i].end) return &pieces_[i].place;
  return nullptr;
}

}  // namespace perilune::script
