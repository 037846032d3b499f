#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// HTTP/1 read in the most obvious way, by code that shares nothing with the engine: no limits, hardly any
/// checks, all text at once. It says where messages begin and end; whatever the engine accepts must be the
/// same to it.
namespace perilune::fuzz {

struct PlainMessage {
  std::string first_line;
  size_t head_bytes = 0;  // with its empty line
  std::vector<std::pair<std::string, std::string>>
      fields;  // names in lower case, values without blanks around them
  std::string body;
  std::vector<std::pair<std::string, std::string>> trailers;
};

class PlainReader {
 public:
  explicit PlainReader(std::string_view text) : text_(text) {}

  /// The next message. `has_body`: by its fields; else it has none whatever they say. `until_close`: no
  /// length is said by all that follows. None when it is not complete or no HTTP.
  std::optional<PlainMessage> next(bool has_body, bool until_close) {
    PlainMessage message;
    const size_t bytes_before = text_.size();
    const auto first = line();
    if (!first) return {};
    message.first_line = *first;
    if (!fields(message.fields)) return {};
    message.head_bytes = bytes_before - text_.size();
    if (!has_body) return message;
    std::vector<std::string> lengths, codings;
    for (const auto& [name, value] : message.fields) {
      if (name == "content-length") lengths.push_back(value);
      if (name == "transfer-encoding") codings.push_back(lower(value));
    }
    if (lengths.size() + codings.size() > 1) return {};
    if (!codings.empty()) {
      if (codings[0] != "chunked" || !chunks(message.body) || !fields(message.trailers)) return {};
    } else if (!lengths.empty()) {
      const auto length = number(lengths[0], 10);
      if (!length || *length > text_.size()) return {};
      message.body = take(*length);
    } else if (until_close) {
      message.body = take(text_.size());
    }
    return message;
  }
  /// What no message has taken.
  std::string_view rest() const { return text_; }
  void skip_empty_line() {
    if (text_.starts_with("\r\n")) text_.remove_prefix(2);
  }

  static std::string lower(std::string text) {
    for (char& c : text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 'a' - 'A');
    return text;
  }

 private:
  static std::optional<size_t> number(std::string_view text, int base) {
    size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return value;
  }
  std::string take(size_t count) {
    std::string taken(text_.substr(0, count));
    text_.remove_prefix(count);
    return taken;
  }
  /// To the next LF, which a CR stands before.
  std::optional<std::string> line() {
    const size_t end = text_.find('\n');
    if (end == std::string_view::npos || end == 0 || text_[end - 1] != '\r') return {};
    std::string taken = take(end + 1);
    taken.resize(end - 1);
    return taken;
  }
  bool fields(std::vector<std::pair<std::string, std::string>>& out) {
    for (;;) {
      const auto field = line();
      if (!field) return false;
      if (field->empty()) return true;
      const size_t colon = field->find(':');
      if (colon == std::string::npos) return false;
      const size_t begin = field->find_first_not_of(" \t", colon + 1);
      const size_t end = field->find_last_not_of(" \t");
      out.emplace_back(lower(field->substr(0, colon)),
                       begin == std::string::npos ? "" : field->substr(begin, end + 1 - begin));
    }
  }
  bool chunks(std::string& out) {
    for (;;) {
      const auto size_line = line();
      if (!size_line) return false;
      const auto size = number(std::string_view(*size_line).substr(0, size_line->find(';')), 16);
      if (!size || *size > text_.size()) return false;
      if (*size == 0) return true;
      out += take(*size);
      if (!text_.starts_with("\r\n")) return false;
      text_.remove_prefix(2);
    }
  }

  std::string_view text_;
};

}  // namespace perilune::fuzz
