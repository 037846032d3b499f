#include "script/source_hints.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "script/stack.hpp"

namespace perilune::script {
namespace {

using Kind = LuaToken::Kind;

/// The engine's own names of ctx, as in lua/context.lua.
constexpr std::string_view engine_names[] = {"client",   "session", "request", "response",
                                             "upstream", "elapsed", "key"};

bool is_engine_name(std::string_view name) {
  return std::ranges::find(engine_names, name) != std::end(engine_names);
}

}  // namespace

/// Walks through the tokens of one file.
struct SourceHints::File {
  File(SourceHints& all, const SourceFile& source)
      : hints(all), path(source.path), tokens(lua_tokens(source.text)), texts(all.texts_[source.path]) {}

  const LuaToken& at(size_t i) const {
    static const LuaToken nothing{Kind::Symbol, {}, 0};
    return i < tokens.size() ? tokens[i] : nothing;
  }
  bool is_symbol(size_t i, std::string_view symbol) const { return at(i).is_symbol(symbol); }
  Place place(size_t i) const { return {path, at(i).line}; }
  void warn(size_t i, std::string text) { hints.warnings_.push_back({place(i), std::move(text)}); }

  void run() {
    has_own_context = makes_own_context();
    for (index = 0; index < tokens.size(); ++index) {
      follow_blocks();
      if (at(index).kind == Kind::Text) note_text();
      if (at(index).kind == Kind::Name) note_name();
      if (is_symbol(index, "[") && index > 0) note_computed();
    }
    for (const auto& [where, name] : returned)
      if (!defines_computed && !pipelines.contains(name)) {
        const std::vector<std::string_view> known(pipelines.begin(), pipelines.end());
        warn(where, "route may give " + in_quotes(name) + ", and this file has no pipeline of that name" +
                        suggestion(name, known));
      }
  }

  /// A file that calls something of its own ctx says nothing of the engine's.
  bool makes_own_context() const {
    for (size_t i = 0; i < tokens.size(); ++i)
      if (at(i).is_name("ctx") && ((i > 0 && at(i - 1).is_name("local")) || is_loop_variable(i) ||
                                   (is_symbol(i + 1, "=") && (i == 0 || !is_symbol(i - 1, ".")))))
        return true;
    return false;
  }

  /// for a, ctx in … do
  bool is_loop_variable(size_t i) const {
    while (i > 1 && is_symbol(i - 1, ",") && at(i - 2).kind == Kind::Name) i -= 2;
    return i > 0 && at(i - 1).is_name("for");
  }

  void follow_blocks() {
    const LuaToken& token = at(index);
    if (token.kind == Kind::Symbol && token.text.size() == 1) {
      const char c = token.text[0];
      if (c == '(' || c == '[' || c == '{') open.push_back(c);
      if ((c == ')' || c == ']' || c == '}') && !open.empty()) open.pop_back();
    }
    if (token.kind != Kind::Name) return;
    for (const std::string_view begin : {"function", "do", "if", "repeat"})
      if (token.text == begin) open.push_back('b');
    if ((token.text == "end" || token.text == "until") && !open.empty()) open.pop_back();
    if (!helpers.empty() && open.size() < helpers.back()) helpers.pop_back();
    if (token.text == "function") begin_function();
  }
  /// A function with a name may be called with any table as its `ctx`.
  bool is_in_helper() const { return !helpers.empty(); }
  bool is_in_block() const { return open.empty() || open.back() == 'b'; }

  void begin_function() {
    size_t i = index + 1;
    const bool has_name = at(i).kind == Kind::Name || (index > 0 && is_symbol(index - 1, "="));
    // function M.name(…) writes the field
    for (; at(i).kind == Kind::Name || is_symbol(i, ".") || is_symbol(i, ":"); ++i)
      if (at(i).kind == Kind::Name) hints.written_.emplace(at(i).text);
    bool takes_context = false;
    for (; i < tokens.size() && !is_symbol(i, ")"); ++i) {
      if (at(i).kind == Kind::Name) parameters.emplace(at(i).text);
      takes_context = takes_context || at(i).is_name("ctx");
    }
    if (has_name && takes_context && !is_in_helper()) helpers.push_back(open.size());
    const bool is_of_route = index >= 3 && is_symbol(index - 1, "(") && at(index - 2).is_name("route") &&
                             is_symbol(index - 3, ":");
    if (is_of_route) note_returns();
    const bool is_of_end =
        index >= 2 && is_symbol(index - 1, "(") &&
        (at(index - 2).is_name("handleExchangeEnd") || at(index - 2).is_name("handleSessionEnd"));
    if (is_of_end) note_waits(std::string(at(index - 2).text));
  }

  void note_text() {
    const std::string text(at(index).text);
    const size_t before = index >= 1 && is_symbol(index - 1, "(") ? index - 2 : index - 1;
    if (index > 0 && at(before).is_name("pipeline")) {
      pipelines.insert(text);
      if (before > 0 && takes_value(at(before - 1))) hints.kept_[path].insert(text);
      return;
    }
    if (index < declared_until) {
      hints.declared_.emplace(text, place(index));
      return;
    }
    texts.insert(text);
  }

  /// Whether what stands behind this token is a value, and not the begin of a statement.
  static bool takes_value(const LuaToken& token) {
    if (token.kind == Kind::Name) return token.text == "return" || token.text == "and" || token.text == "or";
    constexpr std::string_view ends[] = {")", "]", "}", ";"};
    return token.kind == Kind::Symbol && std::ranges::find(ends, token.text) == std::end(ends);
  }

  void note_name() {
    const LuaToken& name = at(index);
    if (name.is_name("pipeline") && is_symbol(index + 1, "(") && at(index + 2).kind != Kind::Text &&
        !is_symbol(index + 2, ")"))
      defines_computed = true;
    const bool is_field = index > 0 && is_symbol(index - 1, ".");
    if (name.is_name("context") && !is_field) note_declaration();
    // Under another name it makes pipelines that are not seen here.
    if (name.is_name("pipeline") && !is_field && !is_symbol(index + 1, "(") &&
        at(index + 1).kind != Kind::Text)
      defines_computed = true;
    const bool is_alias = index > 1 && name.is_name("ctx") && is_symbol(index - 1, "=") &&
                          at(index - 2).kind == Kind::Name && !is_symbol(index + 1, ".");
    if (is_alias) parameters.emplace(at(index - 2).text);
    if (is_symbol(index + 1, "=") || (is_field && is_symbol(index + 1, ",") && is_in_block()))
      hints.written_.emplace(name.text);
    if (name.is_name("ctx") && !has_own_context && !is_in_helper() && !is_field && is_symbol(index + 1, "."))
      note_context(index + 2);
  }

  /// context { "a", "b" }, with or without brackets around.
  void note_declaration() {
    size_t i = index + 1;
    if (is_symbol(i, "(")) ++i;
    if (is_symbol(i, "{"))
      for (++i; at(i).kind == Kind::Text || is_symbol(i, ",") || is_symbol(i, ";");) ++i;
    if (is_symbol(i, "}")) declared_until = i;
    else hints.declares_computed_ = true;
  }

  void note_context(size_t i) {
    std::string_view name = at(i).text;
    if (is_engine_name(name)) {
      if (is_symbol(i + 1, "=") && is_in_block()) {
        warn(i, "ctx." + std::string(name) + " is the engine's and read-only: this is an error when it runs");
        return;
      }
      if (name != "session" || !is_symbol(i + 1, ".")) return;
      i += 2;
      name = at(i).text;
    }
    if (is_symbol(i + 1, "=")) hints.written_of_context_.emplace(name, place(i));
    else hints.read_.emplace(std::string(name), place(i));
  }

  /// t[name] = … may write any name of a ctx.
  void note_computed() {
    const LuaToken& owner = at(index - 1);
    const bool is_literal = at(index + 1).kind == Kind::Text && is_symbol(index + 2, "]");
    if (is_literal || owner.kind != Kind::Name) return;
    const bool is_context =
        owner.is_name("ctx") || owner.is_name("session") || parameters.contains(owner.text);
    if (!is_context) return;
    size_t depth = 1;
    size_t i = index + 1;
    for (; i < tokens.size() && depth > 0; ++i) {
      if (is_symbol(i, "[")) ++depth;
      if (is_symbol(i, "]")) --depth;
    }
    if (is_symbol(i, "=") || is_symbol(i, ",")) hints.writes_any_ = true;
  }

  /// Calls `visit(i)` for the names in the function that begins here, keywords among them, but for those in
  /// functions inside it.
  template <typename Visit>
  void visit_function(Visit&& visit) {
    size_t functions = 1;
    std::vector<bool> blocks;  // each block inside: whether it is a function's
    for (size_t i = index + 1; i < tokens.size(); ++i) {
      const LuaToken& token = at(i);
      if (token.kind != Kind::Name) continue;
      if (token.text == "function") blocks.push_back(true), ++functions;
      else if (token.text == "do" || token.text == "if" || token.text == "repeat") blocks.push_back(false);
      else if (token.text == "end" || token.text == "until") {
        if (blocks.empty()) return;
        if (blocks.back()) --functions;
        blocks.pop_back();
      } else if (functions == 1) {
        visit(i);
      }
    }
  }

  /// The plain texts that the function of a route returns.
  void note_returns() {
    visit_function([this](size_t i) {
      if (at(i).is_name("return")) note_returned(i + 1);
    });
  }

  void note_waits(const std::string& filter) {
    visit_function([&](size_t i) {
      const bool is_field = is_symbol(i - 1, ".") || is_symbol(i - 1, ":");
      const bool is_request = at(i).is_name("http") && is_symbol(i + 1, ".") && is_symbol(i + 3, "(");
      const bool is_sleep = at(i).is_name("sleep") && (is_symbol(i + 1, "(") || at(i + 1).kind == Kind::Text);
      if (is_field || !(is_request || is_sleep) || is_local(at(i).text)) return;
      const std::string call = is_sleep ? "sleep" : "http." + std::string(at(i + 2).text);
      warn(i, filter + ": its function may not wait, and " + call + " does: this is an error when it runs");
    });
  }

  /// Anywhere in the file: local a, name; function name; for a, name in; function(a, name).
  bool is_local(std::string_view name) const {
    for (size_t i = 1; i < tokens.size(); ++i) {
      if (!at(i).is_name(name)) continue;
      size_t first = i;
      while (first > 1 && is_symbol(first - 1, ",") && at(first - 2).kind == Kind::Name) first -= 2;
      const LuaToken& before = at(first - 1);
      if (before.is_name("local") || before.is_name("function") || before.is_name("for")) return true;
      if (first > 1 && before.is_symbol("(") &&
          (at(first - 2).is_name("function") || (first > 2 && at(first - 3).is_name("function"))))
        return true;
    }
    return false;
  }

  void note_returned(size_t i) {
    size_t depth = 0;
    for (; i < tokens.size(); ++i) {
      const LuaToken& token = at(i);
      if (token.is_symbol("(") || token.is_symbol("{") || token.is_symbol("[")) ++depth;
      if (token.is_symbol(")") || token.is_symbol("}") || token.is_symbol("]")) {
        if (depth-- == 0) return;
      }
      const bool is_end = token.kind == Kind::Name && (token.text == "end" || token.text == "else" ||
                                                       token.text == "elseif" || token.text == "until");
      if (depth == 0 && (is_end || token.is_symbol(";") || token.is_symbol(",") || token.is_name("function")))
        return;
      if (token.kind != Kind::Text || depth > 0) continue;
      const LuaToken& before = at(i - 1);
      const LuaToken& behind = at(i + 1);
      const bool is_whole = before.is_name("return") || before.is_name("and") || before.is_name("or");
      const bool is_last = behind.is_name("end") || behind.is_name("or") || behind.is_name("else") ||
                           behind.is_name("elseif") || behind.is_symbol(";");
      const bool is_plain = token.text.find('\\') == std::string_view::npos;
      if (is_whole && is_last && is_plain) returned.emplace_back(i, std::string(token.text));
    }
  }

  SourceHints& hints;
  const std::string& path;
  const std::vector<LuaToken> tokens;
  std::set<std::string>& texts;
  size_t index = 0;
  std::string open;  // brackets, and 'b' for blocks
  std::set<std::string, std::less<>> parameters;
  std::set<std::string> pipelines;
  std::vector<std::pair<size_t, std::string>> returned;
  bool defines_computed = false;
  bool has_own_context = false;
  size_t declared_until = 0;    // the end of the last context { … }
  std::vector<size_t> helpers;  // how deep functions with a name and a ctx of theirs are
};

SourceHints::SourceHints(std::span<const SourceFile> files, Extent extent) {
  for (const SourceFile& file : files) look_at(file);
  if (extent == Extent::Module) return;
  judge_context();
  judge_declarations();
}

void SourceHints::look_at(const SourceFile& file) { File(*this, file).run(); }

void SourceHints::judge_context() {
  if (writes_any_) return;
  const auto is_written = [&](const std::string& name) {
    if (written_.contains(name)) return true;
    return std::ranges::any_of(texts_, [&](const auto& file) { return file.second.contains(name); });
  };
  std::vector<std::string_view> known;
  for (const auto& [name, place] : written_of_context_) known.push_back(name);
  const auto may_be_there = [this](const std::string& name) {
    return declared_.empty() || declares_computed_ || declared_.contains(name);
  };
  for (const auto& [name, place] : read_)
    if (!is_written(name) && may_be_there(name))
      warnings_.push_back(
          {place, "ctx." + name + " is read here and written nowhere" + suggestion(name, known)});
  for (const auto& [name, place] : declared_)
    if (!is_written(name) && !read_.contains(name))
      warnings_.push_back({place, "context declares " + in_quotes(name) + ", and nothing writes it"});
}

void SourceHints::judge_declarations() {
  if (declared_.empty() || declares_computed_) return;
  std::vector<std::string_view> known;
  for (const auto& [name, place] : declared_) known.push_back(name);
  std::map<std::string, Place> used = read_;
  for (const auto& [name, place] : written_of_context_) {
    const auto [first, is_new] = used.emplace(name, place);
    if (!is_new && first->second.file == place.file && place.line < first->second.line) first->second = place;
  }
  for (const auto& [name, place] : used)
    if (!declared_.contains(name))
      warnings_.push_back({place, "ctx." + name +
                                      " is an error when it runs: context {…} does not declare it" +
                                      suggestion(name, known)});
}

bool SourceHints::may_name(const std::string& file, std::string_view pipeline) const {
  const auto found = texts_.find(file);
  if (found == texts_.end()) return false;
  return std::ranges::any_of(found->second, [&](const std::string& text) {
    const std::string_view begin = std::string_view(text).substr(0, text.find('%'));
    return !begin.empty() && (pipeline.starts_with(begin) || pipeline.ends_with(text));
  });
}

bool SourceHints::is_kept(const std::string& file, std::string_view pipeline) const {
  const auto found = kept_.find(file);
  return found != kept_.end() && found->second.contains(pipeline);
}

}  // namespace perilune::script
