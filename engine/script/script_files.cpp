#include "script/script_files.hpp"

#include "script/script_file.hpp"

namespace perilune::script {

Result<std::string> ScriptFiles::read(const std::string& path, size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return read_whole_file(path, bytes_max);
  const auto found = files_.find(path);
  const Result<std::string>& content =
      found != files_.end() ? found->second
                            : files_.emplace(path, read_whole_file(path, bytes_max)).first->second;
  if (content.has_value() && content->size() > bytes_max) return too_large(path, bytes_max);
  return content;
}

void ScriptFiles::put(const std::string& path, std::string content) {
  const std::lock_guard lock(mutex_);
  files_.insert_or_assign(path, Result<std::string>(std::move(content)));
}

void ScriptFiles::note_checked(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!is_closed_) checked_.insert(path);
}

bool ScriptFiles::is_checked(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return checked_.contains(path);
}

std::vector<std::string> ScriptFiles::paths() const {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return closed_paths_;
  std::vector<std::string> paths;
  for (const auto& [path, content] : files_) paths.push_back(path);
  return paths;
}

void ScriptFiles::close() {
  std::vector<std::string> all = paths();
  const std::lock_guard lock(mutex_);
  closed_paths_ = std::move(all);
  is_closed_ = true;
  files_.clear();
  checked_.clear();
}

}  // namespace perilune::script
