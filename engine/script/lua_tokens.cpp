#include "script/lua_tokens.hpp"

#include <algorithm>
#include <optional>
#include <string>

namespace perilune::script {
namespace {

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
 public:
  explicit Scanner(std::string_view source) : source_(source) {}

  std::vector<LuaToken> run() {
    while (at_ < source_.size()) step();
    return std::move(tokens_);
  }

 private:
  using Kind = LuaToken::Kind;

  char peek(size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  void step() {
    const char c = peek();
    if (c == '\n') ++line_, ++at_;
    else if (c == ' ' || (c >= '\t' && c <= '\r')) ++at_;
    else if (c == '-' && peek(1) == '-') skip_comment();
    else if (c == '"' || c == '\'') add_quoted(c);
    else if (c == '[' && long_level()) add_long(*long_level());
    else if (begins_name(c))
      add_while(Kind::Name, [](char next, char) { return begins_name(next) || is_digit(next); });
    else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) add_number();
    else add_symbol();
  }

  /// The number of "=" in "[==[", if there is one here.
  std::optional<size_t> long_level() const {
    size_t level = 0;
    while (peek(1 + level) == '=') ++level;
    return peek(1 + level) == '[' ? std::optional(level) : std::nullopt;
  }

  /// The text of a long bracket, behind which the scan goes on.
  std::string_view take_long(size_t level) {
    const size_t begin = at_ + level + 2;
    const std::string close = "]" + std::string(level, '=') + "]";
    const size_t end = std::min(source_.find(close, begin), source_.size());
    const std::string_view text = source_.substr(std::min(begin, end), end - std::min(begin, end));
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    at_ = std::min(end + close.size(), source_.size());
    return text;
  }

  void skip_comment() {
    at_ += 2;
    if (peek() == '[')
      if (const auto level = long_level()) {
        take_long(*level);
        return;
      }
    at_ = std::min(source_.find('\n', at_), source_.size());
  }

  void add_long(size_t level) {
    const int line = line_;
    tokens_.push_back({Kind::Text, take_long(level), line});
  }

  void add_quoted(char quote) {
    const int line = line_;
    const size_t begin = ++at_;
    for (; at_ < source_.size() && peek() != quote; ++at_) {
      if (peek() == '\\') ++at_;
      if (peek() == '\n') ++line_;
    }
    const size_t end = std::min(at_, source_.size());
    tokens_.push_back({Kind::Text, source_.substr(begin, end - begin), line});
    at_ = std::min(at_ + 1, source_.size());
  }

  template <typename Belongs>
  void add_while(Kind kind, Belongs belongs) {
    const size_t begin = at_++;
    while (at_ < source_.size() && belongs(source_[at_], source_[at_ - 1])) ++at_;
    tokens_.push_back({kind, source_.substr(begin, at_ - begin), line_});
  }

  void add_number() {
    // "1..2" is no number of Lua's, so a run of dots ends one; a sign belongs to an exponent.
    add_while(Kind::Number, [this](char next, char last) {
      if (next == '.') return last != '.' && peek(1) != '.';
      const bool is_exponent = last == 'e' || last == 'E' || last == 'p' || last == 'P';
      return is_digit(next) || begins_name(next) || (is_exponent && (next == '+' || next == '-'));
    });
  }

  void add_symbol() {
    for (const std::string_view known : {"...", "..", "==", "~=", "<=", ">=", "::"}) {
      if (source_.substr(at_, known.size()) != known) continue;
      tokens_.push_back({Kind::Symbol, source_.substr(at_, known.size()), line_});
      at_ += known.size();
      return;
    }
    tokens_.push_back({Kind::Symbol, source_.substr(at_, 1), line_});
    ++at_;
  }

  const std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<LuaToken> tokens_;
};

}  // namespace

std::vector<LuaToken> lua_tokens(std::string_view source) { return Scanner(source).run(); }

}  // namespace perilune::script
