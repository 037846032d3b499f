#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "filter/program.hpp"
#include "script/lua_tokens.hpp"

namespace perilune::script {

/// A file of a script, as it was read.
struct SourceFile {
  std::string path;
  std::string text;
};

/// What the sources of a script let one see without running it. Said is only what is sure: a name that may be
/// made at run time, or written by another name of ctx, is left alone.
///
/// - names of ctx that are read or declared, and never written, or not declared where others are; engine's
///   names that are written
/// - calls that wait, in the function of a filter that may not
/// - names of pipelines that the function of a `route` returns as plain text, and that its file does not have
class SourceHints {
 public:
  /// A module alone is a part of something: what it reads of ctx may be written elsewhere.
  enum class Extent : uint8_t { Script, Module };
  explicit SourceHints(std::span<const SourceFile> files, Extent extent = Extent::Script);

  const std::vector<filter::Warning>& warnings() const { return warnings_; }
  /// A text in `file` that is the name of a pipeline, or a part of it at its begin or end from which the rest
  /// may be made; where the pipeline is defined does not count.
  bool may_name(const std::string& file, std::string_view pipeline) const;
  /// Where it is defined, `pipeline("name")…` is a value that somebody takes: `local p = `, `return`, an
  /// argument. What took it may lead there without its name.
  bool is_kept(const std::string& file, std::string_view pipeline) const;

 private:
  struct File;
  void look_at(const SourceFile& file);
  void judge_context();
  void judge_declarations();

  std::vector<filter::Warning> warnings_;
  std::map<std::string, std::set<std::string>, std::less<>> texts_;  // of each file, but for the definitions
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> kept_;  // pipelines of each file
  // of all files together
  std::map<std::string, Place> read_;      // where first, of ctx
  std::map<std::string, Place> declared_;  // by context {…}
  std::set<std::string, std::less<>> written_;
  std::map<std::string, Place, std::less<>> written_of_context_;  // where first
  bool declares_computed_ = false;
  bool writes_any_ = false;  // by names that are computed
};

}  // namespace perilune::script
