#pragma once

#include <lua.hpp>
#include <mutex>

namespace perilune::script {

/// Ends the top of a file that another thread finds to run for too long. What loads under it, one state at a
/// time, is not compiled meanwhile, for compiled code could not be ended.
class LoadLimit {
 public:
  /// What runs raises an error, now and for as long as it tries to go on. Any thread.
  void end_loading();

  /// While the state of this thread runs the top of a file. Null: nobody limits it.
  class Scope {
   public:
    Scope(LoadLimit* limit, lua_State* L);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    LoadLimit* const limit_;
    lua_State* const L_;
  };

 private:
  std::mutex mutex_;
  lua_State* running_ = nullptr;
  bool has_ended_ = false;
};

}  // namespace perilune::script
