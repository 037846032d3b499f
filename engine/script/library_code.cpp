#include "script/library_code.hpp"

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace perilune::script {
namespace {

/// The compiled files by name; they stay where they are for as long as the process runs.
class CompiledFiles {
 public:
  /// Null: it was not kept yet.
  const std::string* find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(name);
    return found != files_.end() ? &found->second : nullptr;
  }
  void keep(std::string_view name, std::string code) {
    const std::lock_guard lock(mutex_);
    files_.try_emplace(name, std::move(code));
  }

 private:
  std::mutex mutex_;
  std::map<std::string_view, std::string> files_;
};

int append(lua_State*, const void* bytes, size_t size, void* code) {
  static_cast<std::string*>(code)->append(static_cast<const char*>(bytes), size);
  return 0;
}

}  // namespace

int push_library_file(lua_State* L, const EmbeddedFile& file) {
  static CompiledFiles compiled;
  const std::string chunk = "=perilune/" + std::string(file.name);
  if (const std::string* code = compiled.find(file.name))
    return luaL_loadbufferx(L, code->data(), code->size(), chunk.c_str(), "b");
  const int status = luaL_loadbufferx(L, file.text.data(), file.text.size(), chunk.c_str(), "t");
  if (status != 0) return status;
  std::string code;
  lua_dump(L, append, &code);
  compiled.keep(file.name, std::move(code));
  return 0;
}

}  // namespace perilune::script
