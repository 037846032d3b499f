#include "script/load_limit.hpp"

#include <luajit.h>

#include "script/place.hpp"
#include "script/stack.hpp"

namespace perilune::script {
namespace {

void raise(lua_State* L, lua_Debug*) {
  push_text(L,
            "the top of the file has not ended in time; it only declares, what takes long belongs into every "
            "or after");
  raise_at_script(L);
}

// Only now, and not from the beginning: while a hook is set LuaJIT is wrong about lines now and then. A hook
// may be set while another thread runs the state, as it may from a signal handler.
void set_hook(lua_State* L) { lua_sethook(L, raise, LUA_MASKCOUNT, 1); }

}  // namespace

void LoadLimit::end_loading() {
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  if (running_) set_hook(running_);
}

LoadLimit::Scope::Scope(LoadLimit* limit, lua_State* L) : limit_(limit), L_(L) {
  if (!limit_) return;
  luaJIT_setmode(L_, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  const std::lock_guard lock(limit_->mutex_);
  limit_->running_ = L_;
  if (limit_->has_ended_) set_hook(L_);
}

LoadLimit::Scope::~Scope() {
  if (!limit_) return;
  const std::lock_guard lock(limit_->mutex_);
  limit_->running_ = nullptr;
  lua_sethook(L_, nullptr, 0, 0);
  luaJIT_setmode(L_, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
}

}  // namespace perilune::script
