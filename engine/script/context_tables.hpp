#pragma once

#include <lua.hpp>
#include <vector>

#include "flow/context.hpp"
#include "loop/loop.hpp"

namespace perilune::script {

class Interpreter;

/// The `ctx` tables: one for each context that a hook was given, made at the first. A table holds the
/// script's own names, and at 0 its number here (false once the context is over), at 1 its parent's table or
/// false, at 2 what lua/context.lua keeps. Reads that find nothing there, and writes of new names, go to
/// lua/context.lua.
class ContextTables final : public flow::ContextOwner {
 public:
  explicit ContextTables(Interpreter& interpreter) : interpreter_(interpreter) {}
  ContextTables(const ContextTables&) = delete;
  ContextTables& operator=(const ContextTables&) = delete;

  /// Pushes the table of `context`. An upstream's connection outlives a version of the script: where another
  /// state has shown its context, that table is over, and this state makes its own.
  void push(lua_State* L, flow::Context& context) {
    if (context.owner != this) return make(L, context);
    lua_rawgeti(L, LUA_REGISTRYINDEX, context.script_reference);
    Row& row = rows_[static_cast<size_t>(context.script_reference)];
    if (row.has_parent && !context.parent()) cut_off(L, row);
  }
  void release_context(flow::Context& context) override;
  size_t alive() const { return alive_; }
  /// How many tables became garbage since the last call of forget_ended().
  size_t ended() const { return ended_; }
  void forget_ended() { ended_ = 0; }
  /// For the end of the state: contexts that live on know no table any more.
  void end_all();

  /// Adds what lua/context.lua needs to the table at the top of the stack.
  void bind(lua_State* L);
  /// Takes the metatable at the top of the stack for all tables.
  void set_metatable(lua_State* L) { metatable_ = luaL_ref(L, LUA_REGISTRYINDEX); }
  /// Tells that `context` belongs to a task: caches made in it belong to the script.
  void mark_task(flow::Context& context);
  /// Takes the function at the top of the stack, which clears a list of caches.
  void set_cache_closer(lua_State* L) { close_caches_ = luaL_ref(L, LUA_REGISTRYINDEX); }
  /// Keeps the cache at the top of the stack until the session of the running hook is over, then clears it;
  /// the state's end does it for those made outside one.
  void attach_cache(lua_State* L);
  /// Clears all that are attached, at the end of the state.
  void clear_caches();

  /// The context whose table is at `index`, which is not relative to the top; null when that is over, or
  /// none, or has got another number than its own.
  flow::Context* find(lua_State* L, int index) const;

 private:
  struct Row {
    flow::Context* context = nullptr;
    bool has_parent = false;
    int caches = LUA_NOREF;
    bool is_task = false;
  };
  /// And takes it over.
  void make(lua_State* L, flow::Context& context);
  int take_reference(lua_State* L);
  Row& row_of(flow::Context& context) { return rows_[static_cast<size_t>(context.script_reference)]; }
  static void cut_off(lua_State* L, Row& row);
  void clear_list(int& list);
  void clear_ended();

  Interpreter& interpreter_;
  std::vector<Row> rows_;  // by the number in the registry, which is dense
  std::vector<int> free_references_;
  size_t alive_ = 0;
  size_t ended_ = 0;
  int metatable_ = LUA_NOREF;
  int own_caches_ = LUA_NOREF;  // made at the top of a file
  int close_caches_ = LUA_NOREF;
  std::vector<int> ended_caches_;  // of sessions that are over, to be cleared when the turn ends
  loop::MemberTask<ContextTables, &ContextTables::clear_ended> clear_task_{*this};
};

}  // namespace perilune::script
